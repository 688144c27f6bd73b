import { Writable } from 'node:stream'

/** Takes in log lines so that tests can look at them. */
export interface CapturedLog {
  /** Where the log is to be written. */
  readonly stream: Writable
  /** The lines until now, newest last. */
  lines(): string[]
  /** The lines read as JSON. */
  records(): Record<string, unknown>[]
  text(): string
  /** The first record that matches: already there, or as soon as it is written. */
  waitFor(matches: (record: Record<string, unknown>) => boolean): Promise<Record<string, unknown>>
}

/** Creates a log that is kept in memory. */
export function captureLog(): CapturedLog {
  let text = ''
  const waiting = new Set<() => void>()
  const stream = new Writable({
    write(chunk: Buffer, _encoding, done) {
      text += chunk.toString('utf8')
      for (const look of waiting) look()
      done()
    },
  })
  const lines = () => text.split('\n').filter((line) => line !== '')
  const records = () => lines().map((line) => JSON.parse(line) as Record<string, unknown>)
  return {
    stream,
    lines,
    records,
    text: () => text,
    waitFor: (matches) =>
      new Promise((resolve) => {
        const look = () => {
          const found = records().find(matches)
          if (found === undefined) return
          waiting.delete(look)
          resolve(found)
        }
        waiting.add(look)
        look()
      }),
  }
}

/** Shortest piece of a secret that must not be seen: a token's header is the same for all tokens, and public. */
const PIECE = 12

/**
 * Finds traces of secrets in a text: the whole, its pieces between dots (a JWT's payload and signature alone are secrets too), or
 * their URL-encoded form.
 *
 * @returns the pieces that were found; empty when nothing leaked
 */
export function findSecrets(text: string, secrets: readonly string[]): string[] {
  const pieces = secrets.flatMap((secret) => {
    const parts = secret.split('.')
    // Keycloak's codes have three parts, too: the last is the id of the client.
    return parts.length === 3 && secret.startsWith('eyJ') ? [secret, ...parts.slice(1)] : [secret]
  })
  return pieces.filter((piece) => piece.length >= PIECE && (text.includes(piece) || text.includes(encodeURIComponent(piece))))
}

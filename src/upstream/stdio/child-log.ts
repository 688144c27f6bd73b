import type { Buffer } from 'node:buffer'
import { LineReader } from './lines.ts'

/** Lines that a child may write in one go, and how many come back each second. */
const burst = 200
const perSecond = 20
const longestLine = 2000
const keptLines = 10

/** Things that look like credentials, whoever they belong to. */
const credentials = /\b(?:Bearer|Basic)\s+[\w.~+/=-]{8,}|\beyJ[\w-]{5,}\.[\w-]{5,}\.[\w-]*/gi
/** Shorter values would blacken words that merely look alike. */
const shortestSecret = 6

/**
 * What a child says outside the protocol: its standard error, and whatever on its standard output is no message. Each line goes to the
 * log, cut, without control characters and credentials, and not more of them than a log can bear.
 */
export class ChildLog {
  readonly #onLine: (line: string) => void
  readonly #secrets: readonly string[]
  readonly #reader = new LineReader(longestLine * 4, {
    line: (line) => this.note(line.toString('utf8')),
    tooLong: (head) => this.note(head.toString('utf8')),
  })
  readonly #last: string[] = []
  #budget = burst
  #filledAt = performance.now()
  #suppressed = 0

  /** @param onLine - the log; @param secrets - values that must not stand in it */
  constructor(onLine: (line: string) => void, secrets: readonly string[]) {
    this.#onLine = onLine
    // Keys have many lines, and each of them is read for itself.
    const lines = secrets.flatMap((secret) => [secret, ...secret.split(/[\r\n]+/)])
    this.#secrets = lines.filter((secret) => secret.length >= shortestSecret)
  }

  push(chunk: Buffer): void {
    this.#reader.push(chunk)
  }

  end(): void {
    this.#reader.end()
    this.#reportSuppressed()
  }

  /** One line, from wherever. */
  note(raw: string): void {
    const line = this.#clean(raw)
    if (line === '') return
    this.#last.push(line)
    if (this.#last.length > keptLines) this.#last.shift()
    if (!this.#mayWrite()) return
    this.#reportSuppressed()
    this.#onLine(line)
  }

  /** The last lines, for whoever asks why the child ended. */
  tail(): string {
    return this.#last.join('\n')
  }

  #clean(raw: string): string {
    let line = raw.slice(0, longestLine * 2)
    // Colours and cursor movements (ECMA-48), then whatever else is no text. Before anything is looked for: it could stand in between.
    line = line.replace(/\u001b(?:\[[0-?]*[ -/]*[@-~]|[@-Z\\-_])/g, '').replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, '')
    for (const secret of this.#secrets) line = line.replaceAll(secret, '[redacted]')
    line = line.replace(credentials, '[redacted]')
    return line.length > longestLine ? `${line.slice(0, longestLine)}…` : line.trimEnd()
  }

  #mayWrite(): boolean {
    const now = performance.now()
    this.#budget = Math.min(burst, this.#budget + ((now - this.#filledAt) / 1000) * perSecond)
    this.#filledAt = now
    if (this.#budget < 1) {
      this.#suppressed++
      return false
    }
    this.#budget--
    return true
  }

  #reportSuppressed(): void {
    if (this.#suppressed === 0) return
    this.#onLine(`(${this.#suppressed} lines left out)`)
    this.#suppressed = 0
  }
}

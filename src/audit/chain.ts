import { createHash, createPrivateKey, createPublicKey, hash, type KeyObject, randomUUID, sign } from 'node:crypto'
import { SCHEMA_VERSION } from './record-text.ts'

/** Why there is a checkpoint. */
export type CheckpointReason = 'opened' | 'interval' | 'rotated' | 'moved' | 'closed'

/**
 * Ties each record to the one before: it carries its number and the digest of the line before. Nothing can be changed, removed or put in
 * between without a trace, and from time to time a signature covers all that came before.
 */
export interface Chain {
  /** @param line - a record, without its line end */
  link(line: string): string
  /** A signed record. @param now - milliseconds since the epoch */
  sign(reason: CheckpointReason, now: number): string
  /** Whether something was linked since the last signature. */
  readonly isOpen: boolean
  /** Number of the last record, and the digest of its line. */
  readonly head: ChainHead
}

export interface ChainHead {
  readonly seq: number
  readonly digest: string
  /** The same for all records that are linked. */
  readonly id: string
}

/** @param key - PEM or JWK @param after - the last record that was written; undefined for a new chain */
export function createChain(key: KeyObject, after: ChainHead | undefined): Chain {
  let { seq, digest, id } = after ?? { seq: -1, digest: '', id: randomUUID() }
  let isOpen = false
  const keyId = nameKey(createPublicKey(key))
  const link = (line: string): string => {
    seq += 1
    return `${line.slice(0, -1)},"seq":${seq},"prev":"${digest}"}`
  }
  return {
    link(line) {
      const linked = link(line)
      digest = digestLine(linked)
      isOpen = true
      return linked
    },
    sign(reason, now) {
      const facts = {
        audit: SCHEMA_VERSION,
        type: 'checkpoint',
        time: new Date(now).toISOString(),
        reason,
        chain: id,
        key_id: keyId,
      }
      const unsigned = link(JSON.stringify(facts))
      const signature = sign(null, Buffer.from(unsigned), key).toString('base64url')
      const line = `${unsigned.slice(0, -1)},"signature":"${signature}"}`
      digest = digestLine(line)
      isOpen = false
      return line
    },
    get isOpen() {
      return isOpen
    },
    get head() {
      return { seq, digest, id }
    },
  }
}

export function digestLine(line: string | Buffer): string {
  return hash('sha256', line, 'base64url')
}

/** Names a public key: 16 characters of the digest of its SPKI form. */
export function nameKey(key: KeyObject): string {
  return createHash('sha256')
    .update(key.export({ type: 'spki', format: 'der' }))
    .digest('base64url')
    .slice(0, 16)
}

/** @throws Error for what is no Ed25519 private key */
export function parseChainKey(text: string): KeyObject {
  const trimmed = text.trim()
  const key = trimmed.startsWith('{') ? createPrivateKey({ key: JSON.parse(trimmed), format: 'jwk' }) : createPrivateKey(trimmed)
  if (key.asymmetricKeyType !== 'ed25519') throw new Error('not an Ed25519 key')
  return key
}

/**
 * Where a chain goes on.
 *
 * @param last - the last line that was written
 * @param first - the first line of the same file, which names the chain
 * @returns undefined after a line that is part of none
 */
export function readHead(last: string, first: string): ChainHead | undefined {
  const { seq, prev } = parseLine(last)
  const { chain } = parseLine(first)
  if (typeof seq !== 'number' || typeof prev !== 'string' || typeof chain !== 'string') return undefined
  return { seq, digest: digestLine(last), id: chain }
}

function parseLine(line: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(line)
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
  } catch {
    return {}
  }
}

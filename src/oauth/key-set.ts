import { isObject } from '../core/is-object.ts'
import { parseVerificationKey, type VerificationKey } from './jwk.ts'

/** The usable keys of a JWK Set (RFC 7517 §5). */
export interface KeySet {
  /** How many keys are usable. */
  readonly size: number
  /** What is wrong with keys that should be usable, one line each, for the log. */
  readonly problems: readonly string[]
  /** Whether there is a key with that id, for any algorithm. */
  hasKeyId(keyId: string): boolean
  /**
   * @param keyId - `kid` of the token; without it a key is found only when exactly one fits
   * @param algorithm - `alg` of the token
   */
  find(keyId: string | undefined, algorithm: string): VerificationKey | undefined
  /** Whether the key with that fingerprint is there. */
  holds(fingerprint: string): boolean
  /** Whether another set has the same usable keys. */
  equals(other: KeySet): boolean
}

const MAX_KEYS = 100

/**
 * Reads a JWK Set. Keys that cannot verify access tokens are left out, as are keys that share their id: it is unclear which one is meant.
 *
 * @param document - the set as published
 * @throws Error when it is no JWK Set or has more than 100 keys
 */
export function parseKeySet(document: Readonly<Record<string, unknown>>): KeySet {
  const { keys } = document
  if (!Array.isArray(keys)) throw new Error('no JWK Set: keys is not an array')
  if (keys.length > MAX_KEYS) throw new Error(`a JWK Set of more than ${MAX_KEYS} keys`)
  const problems: string[] = []
  const usable = keys.flatMap((jwk: unknown, index) => {
    const key = isObject(jwk) ? parseVerificationKey(jwk) : 'not an object'
    if (typeof key === 'object') return [key]
    if (key !== undefined) problems.push(`${describeKey(jwk, index)}: ${key}`)
    return []
  })
  return createKeySet(dropAmbiguous(usable, problems), problems)
}

function createKeySet(keys: readonly VerificationKey[], problems: readonly string[]): KeySet {
  const byId = new Map(keys.flatMap((key) => (key.keyId === undefined ? [] : [[key.keyId, key] as const])))
  const fingerprints = new Set(keys.map((key) => key.fingerprint))
  return {
    size: keys.length,
    problems,
    hasKeyId: (keyId) => byId.has(keyId),
    holds: (fingerprint) => fingerprints.has(fingerprint),
    equals: (other) => other.size === keys.length && [...fingerprints].every((fingerprint) => other.holds(fingerprint)),
    find(keyId, algorithm) {
      if (keyId === undefined) return findOnly(keys, algorithm)
      const key = byId.get(keyId)
      return key?.algorithms.includes(algorithm) ? key : undefined
    },
  }
}

function findOnly(keys: readonly VerificationKey[], algorithm: string): VerificationKey | undefined {
  const fitting = keys.filter((key) => key.algorithms.includes(algorithm))
  return fitting.length === 1 ? fitting[0] : undefined
}

function dropAmbiguous(keys: readonly VerificationKey[], problems: string[]): readonly VerificationKey[] {
  const seen = new Set<string>()
  const repeated = new Set<string>()
  for (const { keyId } of keys) {
    if (keyId === undefined) continue
    if (seen.has(keyId)) repeated.add(keyId)
    seen.add(keyId)
  }
  for (const keyId of repeated) problems.push(`key ${quote(keyId)}: several keys have this kid`)
  return keys.filter(({ keyId }) => keyId === undefined || !repeated.has(keyId))
}

function describeKey(jwk: unknown, index: number): string {
  return isObject(jwk) && typeof jwk.kid === 'string' ? `key ${quote(jwk.kid)}` : `key number ${index + 1}`
}

function quote(keyId: string): string {
  return JSON.stringify(keyId.slice(0, 64))
}

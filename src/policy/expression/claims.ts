import { readNumber } from './number.ts'
import { createFailure, type Dictionary, type List, type Value } from './value.ts'

/** The claims of a token as expressions see them. Numbers are those of JSON.parse: what that may have rounded fails. */
export function createClaims(claims: Readonly<Record<string, unknown>>): Dictionary {
  return {
    kind: 'map',
    get size() {
      return Object.keys(claims).length
    },
    has: (name) => Object.hasOwn(claims, name),
    get: (name) => (Object.hasOwn(claims, name) ? readClaim(claims[name]) : undefined),
    names: () => Object.keys(claims),
  }
}

function readClaim(claim: unknown): Value {
  if (typeof claim === 'string' || typeof claim === 'boolean' || claim === null) return claim
  if (typeof claim === 'number') return readNumber(claim)
  if (Array.isArray(claim)) return createClaimList(claim)
  if (typeof claim === 'object') return createClaims(claim as Readonly<Record<string, unknown>>)
  return createFailure('a claim is no JSON value')
}

function createClaimList(claims: readonly unknown[]): List {
  return { kind: 'list', length: claims.length, at: (index) => readClaim(claims[index]) }
}

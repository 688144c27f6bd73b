import { readNumber } from './number.ts'
import { UNKNOWN } from './truth.ts'
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

/**
 * Claims of which some are known, before there is a token. A name with dots is a member of a member. All of them cannot be looked at.
 *
 * @throws Error where their number or names are asked for
 */
export function createPartialClaims(claims: ReadonlyMap<string, string>): Dictionary {
  const within = (name: string) =>
    new Map([...claims].flatMap(([key, value]) => (key.startsWith(`${name}.`) ? [[key.slice(name.length + 1), value]] : [])))
  const refuse = (): never => {
    throw new Error('not all claims are known')
  }
  return {
    kind: 'map',
    get size() {
      return refuse()
    },
    has: (name) => claims.has(name) || within(name).size > 0 || UNKNOWN,
    get: (name) => claims.get(name) ?? (within(name).size > 0 ? createPartialClaims(within(name)) : UNKNOWN),
    names: refuse,
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

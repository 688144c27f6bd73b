import { readNumber } from './number.ts'
import { createFailure, type Dictionary, type List, type Value } from './value.ts'

/** The claims of a token as expressions see them. Numbers are those of JSON.parse: what that may have rounded fails. */
export function createClaims(claims: Readonly<Record<string, unknown>>): Dictionary {
  return new Claims(claims)
}

/** A class: V8 would keep an object literal with a getter until the whole heap is collected. */
class Claims implements Dictionary {
  readonly kind = 'map'
  readonly #claims: Readonly<Record<string, unknown>>

  constructor(claims: Readonly<Record<string, unknown>>) {
    this.#claims = claims
  }

  get size(): number {
    return Object.keys(this.#claims).length
  }

  has(name: string): boolean {
    return Object.hasOwn(this.#claims, name)
  }

  get(name: string): Value | undefined {
    return this.has(name) ? readClaim(this.#claims[name]) : undefined
  }

  names(): string[] {
    return Object.keys(this.#claims)
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

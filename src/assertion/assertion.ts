import { BoundedMap } from '../core/bounded-map.ts'
import type { Call } from '../core/call.ts'
import type { Clock } from '../core/clock.ts'
import type { Operation } from '../core/operation.ts'
import type { AssertionPlan } from '../core/plan/identity-plan.ts'
import type { Principal } from '../core/principal.ts'
import type { AssertionKeys } from './assertion-keys.ts'
import { findCallerClaim, formatScopes, nameCaller } from './caller-claims.ts'

export interface AsserterOptions {
  readonly plan: AssertionPlan
  /** `aud` of every assertion. */
  readonly audience: string
  readonly keys: AssertionKeys
  readonly clock: Clock
}

/** Gives an assertion of who calls: a signed JWT, as long as it can be used. */
export type AssertCaller = (call: Pick<Call, 'principal' | 'operations'>) => string

/** An explicit type (RFC 8725 §3.11): what accepts access tokens (`at+jwt`, `JWT`), ours above all, does not accept it. */
export const ASSERTION_TYPE = 'omap-identity+jwt'

/** Assertions of one principal that differ in what is called. */
const MAX_OF_PRINCIPAL = 16
/** Longer operations would not fit into a header section. */
const MAX_OPERATIONS_LENGTH = 2048

interface Assertion {
  readonly jwt: string
  /** Milliseconds since the epoch. */
  readonly madeAt: number
  readonly usableUntil: number
}

/**
 * Makes assertions of one upstream, and keeps each until a tenth of its life is left. They are kept by the principal itself, which never
 * changes: another token, another user, and other claims of the same user are another principal.
 */
export function createAsserter(options: AsserterOptions): AssertCaller {
  const { plan, clock } = options
  const kept = new WeakMap<Principal, BoundedMap<string, Assertion>>()
  return ({ principal, operations }) => {
    const called = plan.operation ? describeOperations(operations) : ''
    const now = clock.wall()
    const known = kept.get(principal)?.get(called)
    // A clock that was put back makes it one of the future.
    if (known !== undefined && known.madeAt <= now && now < known.usableUntil) return known.jwt
    const made = makeAssertion(options, principal, called, now)
    const ofPrincipal = kept.get(principal) ?? new BoundedMap(MAX_OF_PRINCIPAL)
    ofPrincipal.set(called, made)
    kept.set(principal, ofPrincipal)
    return made.jwt
  }
}

function makeAssertion({ plan, audience, keys }: AsserterOptions, principal: Principal, called: string, now: number): Assertion {
  const issuedAt = Math.floor(now / 1000)
  // Never beyond the token that it speaks of.
  const expiresAt = Math.min(issuedAt + plan.seconds, Math.ceil(principal.acceptedUntil))
  const { signing } = keys
  const header = encode({ alg: 'ES256', typ: ASSERTION_TYPE, kid: signing.keyId })
  const payload = encode({
    ...selectClaims(principal, plan),
    ...(called !== '' && { operations: JSON.parse(called) }),
    iss: plan.issuer,
    aud: audience,
    iat: issuedAt,
    exp: expiresAt,
  })
  const input = `${header}.${payload}`
  const lifeMs = (expiresAt - issuedAt) * 1000
  return { jwt: `${input}.${signing.sign(input)}`, madeAt: now, usableUntil: expiresAt * 1000 - lifeMs / 10 }
}

function encode(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url')
}

/** What is told of a caller. Chosen claims first: what we say ourselves is written over them. Members that are undefined are left out. */
export function selectClaims(
  principal: Principal,
  { claims, issuer }: Pick<AssertionPlan, 'claims' | 'issuer'>,
): Record<string, unknown> {
  const chosen = claims.map((name) => [name, findCallerClaim(principal, issuer, name)])
  return {
    ...Object.fromEntries(chosen),
    sub: nameCaller(principal, issuer),
    client_id: principal.clientId,
    scope: formatScopes(principal),
    act: principal.claims.act,
    token_iss: principal.issuer,
    token_sub: principal.subject,
  }
}

/** In JSON; empty where nothing is called, or too much to be said. */
function describeOperations(operations: readonly Operation[]): string {
  const called = operations.filter(({ kind }) => kind !== 'response')
  if (called.length === 0) return ''
  const text = JSON.stringify(
    called.map(({ method, targetKind, target }) => ({ method, ...(targetKind !== undefined && { [targetKind]: target }) })),
  )
  return text.length <= MAX_OPERATIONS_LENGTH ? text : ''
}

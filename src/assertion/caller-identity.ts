import type { CallerIdentity } from '../core/caller-identity.ts'
import type { CallerVariables } from '../core/caller-variables.ts'
import type { Clock } from '../core/clock.ts'
import type { IdentityPlan, NamedClaim } from '../core/plan/identity-plan.ts'
import type { Principal } from '../core/principal.ts'
import { type AssertCaller, createAsserter, selectClaims } from './assertion.ts'
import type { AssertionKeys } from './assertion-keys.ts'
import { findCallerClaim } from './caller-claims.ts'
import { listVariables } from './caller-variables.ts'
import { formatPlainValue } from './plain-value.ts'

export interface CallerIdentityOptions {
  readonly plan: IdentityPlan
  /** URL of the public side, which is the issuer of assertions. */
  readonly issuer: string
  /** URL of the upstream. */
  readonly upstreamUrl: string
  /** Undefined where nothing is signed. */
  readonly keys: AssertionKeys | undefined
  readonly clock: Clock
}

/** Creates what tells one upstream over HTTP who calls. */
export function createCallerIdentity(options: CallerIdentityOptions): CallerIdentity {
  const { plan, issuer } = options
  const { assertion, plainHeaders } = plan
  const assertCaller = createOptionalAsserter(options)
  const prefix = assertion?.header === 'authorization' ? 'Bearer ' : ''
  const formatPlain = createPlainFormat(plainHeaders, issuer)
  return {
    ownNames: new Set([...plainHeaders.map(({ name }) => name), ...(assertion === undefined ? [] : [assertion.header])]),
    formatHeaders(call) {
      const plain = formatPlain(call.principal)
      if (assertCaller === undefined || assertion === undefined) return plain
      return [...plain, assertion.header, prefix + assertCaller(call)]
    },
  }
}

/**
 * Creates what tells a process of ours who calls. Nothing is signed: only we write to its standard input, and make its environment.
 *
 * @param issuer - URL of the public side
 */
export function createProcessIdentity({ claims, variables }: ProcessIdentityPlan, issuer: string): CallerIdentity {
  const list = (principal: Principal): CallerVariables => listVariables(variables, principal, issuer)
  return {
    ownNames: NO_NAMES,
    formatHeaders: () => NONE,
    ...(variables.length > 0 && { listVariables: keepByPrincipal(list) }),
    describe: keepByPrincipal((principal) => JSON.stringify(selectClaims(principal, { claims, issuer }))),
  }
}

interface ProcessIdentityPlan {
  readonly claims: readonly string[]
  readonly variables: readonly NamedClaim[]
}

/** A principal never changes, so what is made of it is made once. */
function keepByPrincipal<T>(make: (principal: Principal) => T & {}): (principal: Principal) => T {
  const kept = new WeakMap<Principal, T & {}>()
  return (principal) => {
    const made = kept.get(principal) ?? make(principal)
    kept.set(principal, made)
    return made
  }
}

const NO_NAMES: ReadonlySet<string> = new Set()

function createOptionalAsserter({ plan, upstreamUrl, keys, clock }: CallerIdentityOptions): AssertCaller | undefined {
  if (plan.assertion === undefined) return undefined
  if (keys === undefined) throw new Error('there are no keys for assertions')
  return createAsserter({ plan: plan.assertion, audience: plan.assertion.audience ?? upstreamUrl, keys, clock })
}

/** Formats each principal once. */
function createPlainFormat(headers: IdentityPlan['plainHeaders'], issuer: string): (principal: Principal) => readonly string[] {
  if (headers.length === 0) return () => NONE
  return keepByPrincipal((principal) =>
    headers.flatMap(({ name, claim }) => {
      const value = formatPlainValue(findCallerClaim(principal, issuer, claim))
      return value === undefined ? [] : [name, value]
    }),
  )
}

const NONE: readonly string[] = []

import type { Clock } from '../core/clock.ts'
import { createFairLimiter } from '../core/fair-limiter.ts'
import type { DelegationPlan } from '../core/plan/delegation-plan.ts'
import { formatPrincipalKey } from '../core/principal.ts'
import type { Caller, FindCredential } from '../core/upstream-credential.ts'
import { createGrant, type FindSubjectToken } from './grants.ts'
import { createIssuedTokens } from './issued-tokens.ts'
import { createRefusals } from './refusals.ts'

/** Gets tokens of another authorization server for the callers of one MCP server. */
export interface Delegation {
  readonly find: FindCredential
  /** Whether all callers have the same token. */
  readonly isShared: boolean
  /** Has the next call fetch a new token. */
  forget(caller: Caller): void
  close(): Promise<void>
}

export interface DelegationOptions {
  readonly plan: DelegationPlan
  readonly clock: Clock
  readonly findSubject: FindSubjectToken
  /** Called for each token that was asked for; `outcome` is `success` or a code of the error catalogue. */
  readonly onIssued: (caller: Caller, outcome: string) => void
}

/** Requests to the authorization server at a time, and how many may wait; users take turns. */
const MAX_CONCURRENT = 32
const MAX_WAITING = 1_000

/** Nothing is fetched before the first call. */
export function createDelegation({ plan, clock, findSubject, onIssued }: DelegationOptions): Delegation {
  const grant = createGrant(plan, findSubject, clock)
  const refusals = createRefusals(plan.kind, clock)
  const limiter = createFairLimiter(MAX_CONCURRENT, MAX_WAITING)
  const isShared = plan.kind === 'client_credentials'
  const issue = async (caller: Caller) => {
    try {
      const issued = await limiter.run(() => grant.issue(caller), formatPrincipalKey(caller.principal))
      onIssued(caller, 'success')
      return issued
    } catch (error) {
      const explained = refusals.explain(error, caller)
      onIssued(caller, explained.code)
      throw explained
    }
  }
  const tokens = createIssuedTokens({ clock, issue, isShared })
  return {
    isShared,
    async find(caller) {
      const refused = refusals.recall(caller)
      if (refused !== undefined) throw refused
      return tokens.find(caller)
    },
    forget: tokens.forget,
    close: grant.close,
  }
}

import { DENIED_SECONDS } from '../core/deny-list.ts'
import type { IssuerPlan } from '../core/plan/issuer-plan.ts'
import type { Plan } from '../core/plan/plan.ts'

/** What of a plan says whose tokens are accepted, and for how long. */
export type Accepted = Pick<Plan, 'servers' | 'broker'>

/** How the tokens of an issuer are accepted, over all servers. */
export interface AcceptedTokens {
  /** Longest time from now on for which a token of now can be accepted, in seconds. */
  readonly longestSeconds: number
  /** How far the clock of the issuer may be ahead. */
  readonly toleranceSeconds: number
}

/**
 * Servers may accept one issuer under different terms: the widest count, so that nothing of it outlasts a denial.
 *
 * @returns undefined where no server accepts its tokens
 */
export function findAcceptedTokens({ servers, broker }: Accepted, issuer: string): AcceptedTokens | undefined {
  const plans = servers.flatMap(({ issuers }) => issuers).filter((plan) => plan.issuer === issuer)
  if (plans.length === 0) return undefined
  // Its clock is ours.
  if (issuer === broker?.issuer) return { longestSeconds: broker.accessTokenSeconds + 60, toleranceSeconds: 0 }
  return {
    longestSeconds: Math.max(...plans.map(countLongest)),
    toleranceSeconds: Math.max(...plans.map(({ clockToleranceSeconds }) => clockToleranceSeconds)),
  }
}

/** `iat` may be in the future by the tolerance, and `exp` in the past. */
function countLongest({ maxLifetimeSeconds, clockToleranceSeconds }: IssuerPlan): number {
  return (maxLifetimeSeconds ?? DENIED_SECONDS) + 2 * clockToleranceSeconds
}

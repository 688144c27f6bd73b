import type { RateLimitPlan, RateLimitSubject } from '../../core/plan/rate-limit-plan.ts'
import type { RateLimitConfig } from '../schema/rate-limits.ts'

/**
 * Settles the limits that apply at a server: those at the top, and its own.
 *
 * @param index - of the server
 */
export function createRateLimitPlans(
  general: readonly RateLimitConfig[],
  own: readonly RateLimitConfig[],
  index: number,
): readonly RateLimitPlan[] {
  return [
    ...general.map((limit, position) => {
      const label = `rate_limits[${position}]`
      return createLimit(limit, { label, countedAs: label }, limit.per)
    }),
    ...own.map((limit, position) => {
      const label = `servers[${index}].rate_limits[${position}]`
      return createLimit(limit, { label, countedAs: `own[${position}]` }, [...new Set([...limit.per, 'server' as const])])
    }),
  ]
}

function createLimit(
  limit: RateLimitConfig,
  names: Pick<RateLimitPlan, 'label' | 'countedAs'>,
  per: readonly RateLimitSubject[],
): RateLimitPlan {
  return {
    ...names,
    per,
    tools: limit.tools,
    callsPerMinute: limit.calls_per_minute,
    burst: limit.burst ?? limit.calls_per_minute ?? 1,
    concurrentCalls: limit.concurrent_calls,
    streams: limit.streams,
    sessions: limit.sessions,
  }
}

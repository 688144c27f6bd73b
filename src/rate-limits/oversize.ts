import type { Demand } from '../core/counters.ts'
import { ProxyError } from '../core/errors.ts'
import type { LimitedDemand } from './demands.ts'
import { portion } from './portion.ts'

/** For clients that send the same again whatever the answer says. */
const RETRY_AFTER_SECONDS = 60

/** A batch that a limit has no room for, however long its client waits. */
export interface Oversize {
  readonly limited: LimitedDemand
  readonly asked: number
  readonly most: number
}

/** The first demand that is never met. @param share - into how many parts limits are divided */
export function findOversize(demands: readonly LimitedDemand[], share: number): Oversize | undefined {
  for (const limited of demands) {
    const { asked, most: whole } = measure(limited.demand)
    const most = portion(whole, share)
    if (asked > most) return { limited, asked, most }
  }
  return undefined
}

function measure(demand: Demand): { readonly asked: number; readonly most: number } {
  return demand.kind === 'bucket'
    ? { asked: demand.tokens, most: demand.burst }
    : { asked: demand.holders.length, most: demand.most }
}

/** What such a batch is counted as: one operation, as each request that reaches no further. A client that sends it again and again runs out of them. */
export function countAsOne(demands: readonly LimitedDemand[]): readonly LimitedDemand[] {
  return demands.flatMap(({ demand, ...limit }) =>
    demand.kind === 'bucket' ? [{ ...limit, demand: { ...demand, tokens: 1 } }] : [],
  )
}

/** To clients it is a limit like the others (RFC 6585 §4); its message says what to do about it. */
export function createOversizeRefusal({ limited, asked, most }: Oversize): ProxyError {
  const { reason, label } = limited
  return new ProxyError('batch_too_large', {
    // A request asks for one stream at most, for which there is always a place.
    reason: reason === 'streams' ? 'concurrent_calls' : reason,
    cause: `${label}: ${asked} in one request, and never more than ${most}`,
    retryAfter: RETRY_AFTER_SECONDS,
  })
}

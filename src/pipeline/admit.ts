import type { Decision } from '../core/decision.ts'
import { type ErrorCode, ProxyError } from '../core/errors.ts'
import type { Admission, RateLimits } from '../core/rate-limits.ts'
import type { RoutedCall } from '../core/route.ts'
import type { Exchange } from './exchange.ts'

/**
 * Counts a call in the rate limits of its server, whatever was decided about it: a client must not try names without end. What is to be
 * hidden is hidden also from callers who have used up a limit, which may be one on that very tool.
 *
 * @throws ProxyError `rate_limited`, `batch_too_large`, `client_gone`
 */
export async function admit(exchange: Exchange, call: RoutedCall, decision: Decision, limits: RateLimits): Promise<void> {
  const isHidden = decision.effect !== 'permit' && decision.code === 'target_hidden'
  const admission = await count(limits, call, isHidden)
  // The exchange was closed meanwhile, so nothing else would give back what was taken.
  if (exchange.response.closed) {
    admission?.close(0)
    throw new ProxyError('client_gone')
  }
  exchange.admission = admission
}

/** How limits refuse. */
const LIMITED: ReadonlySet<ErrorCode> = new Set(['rate_limited', 'batch_too_large'])

async function count(limits: RateLimits, call: RoutedCall, isHidden: boolean): Promise<Admission | undefined> {
  try {
    return await limits.admit(call)
  } catch (error) {
    if (isHidden && error instanceof ProxyError && LIMITED.has(error.code)) return undefined
    throw error
  }
}

import type { Clock } from '../../../core/clock.ts'
import { ProxyError } from '../../../core/errors.ts'

/**
 * Waits for the answer to a request of our own.
 *
 * @param limitMs - how long
 * @param what - which request it is, for the operator
 * @throws ProxyError `upstream_timeout`
 */
export async function answerWithin<T>(clock: Clock, limitMs: number, answer: Promise<T>, what = 'its first request'): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>()
  const cancel = clock.after(limitMs, () =>
    reject(new ProxyError('upstream_timeout', { cause: `the server did not answer ${what}`, retryAfter: 2 })),
  )
  return Promise.race([answer, promise]).finally(cancel)
}

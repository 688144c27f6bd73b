import { type Call, lastsUntilEnded } from '../core/call.ts'
import type { CancelTimer, Clock } from '../core/clock.ts'
import { ProxyError } from '../core/errors.ts'

/** The longest delay that a timer knows: with more it fires at once. */
const MAX_DELAY_MS = 2 ** 31 - 1
/** A call was permitted when it was asked for, so its answer may still come; but no token keeps a stream open for ever. */
const ANSWER_MS = 5 * 60 * 1000

/**
 * Ends an answer, whatever its type, when the token that opened it is no longer accepted: authorization belongs to "every HTTP request"
 * (2025-11-25, basic/authorization, Token Requirements), and one that lasts is a request that goes on and on. The client comes again with a
 * new token.
 *
 * @returns stops waiting
 */
export function waitForToken(call: Call, end: (reason: ProxyError) => void, clock: Clock): CancelTimer {
  const more = lastsUntilEnded(call) ? 0 : ANSWER_MS
  const refusal = new ProxyError('token_expired', { cause: 'the access token that opened the stream has expired' })
  return waitUntil(call.principal.acceptedUntil * 1000 + more, () => end(refusal), clock)
}

/**
 * Runs a task at a time of the system clock, by which tokens expire, however far away that is.
 *
 * @param time - milliseconds since the epoch
 * @returns stops waiting
 */
export function waitUntil(time: number, task: () => void, clock: Clock): CancelTimer {
  let cancel: CancelTimer | undefined
  const wait = (): void => {
    const delay = time - clock.wall()
    if (delay <= 0) task()
    else cancel = clock.after(Math.min(delay, MAX_DELAY_MS), wait)
  }
  wait()
  return () => cancel?.()
}

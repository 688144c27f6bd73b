import type { Call } from '../core/call.ts'
import type { CancelTimer, Clock } from '../core/clock.ts'
import { ProxyError } from '../core/errors.ts'
import type { Operation } from '../core/operation.ts'
import type { RequestRecord } from '../core/record.ts'
import { watchIdle } from '../http/idle-watch.ts'
import type { ServerReply } from '../http/server-reply.ts'
import type { Exchange } from './exchange.ts'

/** The longest delay that a timer knows: with more it fires at once. */
const MAX_DELAY_MS = 2 ** 31 - 1
/** A call was permitted when it was asked for, so its answer may still come; but no token keeps a stream open for ever. */
const ANSWER_MS = 5 * 60 * 1000
/** Most answers are over by then, and a timer for each of them costs more than it is worth. */
const SHORT_SECONDS = 1

/**
 * Streams without an end of their own. They must not hold up a shutdown nor outlive their token, and nothing is lost when they end.
 */
export function lastsUntilEnded(call: Call): boolean {
  return call.method === 'GET' || findListen(call) !== undefined
}

export function findListen({ operations }: Call): Operation | undefined {
  return operations.find(({ method }) => method === 'subscriptions/listen')
}

/**
 * Ends an answer that has begun, whatever its type, when the token that opened it is no longer accepted: authorization belongs to "every
 * HTTP request" (2025-11-25, basic/authorization, Token Requirements), and one that lasts is a request that goes on and on. The client
 * comes again with a new token.
 */
export function endWithToken(exchange: Exchange, call: Call, reply: ServerReply): void {
  const { edge, record } = exchange
  exchange.stopWatching?.()
  const wait = (): void => {
    exchange.stopWatching = waitForToken(record, call, reply, edge.clock)
  }
  const watch = watchIdle(SHORT_SECONDS, wait, edge.clock)
  exchange.stopWatching = () => watch.stop()
}

function waitForToken(record: RequestRecord, call: Call, reply: ServerReply, clock: Clock): CancelTimer {
  const expiry = call.principal.acceptedUntil * 1000
  const cause = 'the access token that opened the stream has expired'
  const refusal = new ProxyError('token_expired', { cause })
  if (!lastsUntilEnded(call)) return waitUntil(expiry + ANSWER_MS, () => reply.fail(refusal), clock)
  const close = (): void => {
    record.cause = cause
    reply.close(refusal)
  }
  return waitUntil(expiry, close, clock)
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

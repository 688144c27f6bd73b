import type { IncomingHttpHeaders } from 'node:http'
import type { Readable } from 'node:stream'
import { type Dispatcher, errors } from 'undici'
import type { Call } from '../core/call.ts'
import { type Clock, systemClock } from '../core/clock.ts'
import { ProxyError, type ReasonOf } from '../core/errors.ts'
import type { HttpUpstreamPlan } from '../core/plan/upstream-plan.ts'
import type { Upstream } from '../core/ports.ts'
import type { Reply, ReplyHeaders } from '../core/reply.ts'
import type { RouteFacts } from '../core/route-facts.ts'
import type { UpstreamCredential } from '../core/upstream-credential.ts'
import { type Waiting, watchIdle } from '../http/idle-watch.ts'
import { isEventStream } from '../mcp/endpoint-event.ts'
import { type Awaited, findAwaited, findForeignType, formatAcknowledgment } from './answer-type.ts'
import { closePool, createPool } from './connection-pool.ts'
import { BEGINNING_OF_STREAM, followTail, HEARTBEAT, isBetweenEvents, takesHeartbeats } from './heartbeat.ts'
import { describeRedirect, findSlashTarget } from './redirect.ts'
import { filterResponseHeaders } from './response-headers.ts'
import { createTargetFormat } from './target.ts'

/** Interim responses (1xx) to one request. MCP does not use them, and each restarts the wait for the final one. */
const MAX_INTERIMS = 16
/** Longer request bodies are freed as soon as they are sent. */
const MAX_HELD_BYTES = 64 * 1024
const RETRY_AFTER_SECONDS = 2

/**
 * Forwards calls to an MCP server over HTTP. Bodies pass unchanged and at once, with back-pressure both ways; a redirect is an
 * error, unless it only adds or removes a final slash and the plan allows that. Nothing else is sent twice.
 *
 * @param plan - where it is, and how to connect
 */
export function createHttpUpstream(plan: HttpUpstreamPlan, clock: Clock = systemClock): Upstream {
  const url = new URL(plan.url)
  const pool = createPool(url.origin, plan, clock)
  const own = Object.entries(plan.headers)
  const ownNames = new Set(own.map(([name]) => name))
  const formatTarget = createTargetFormat(url.pathname, url.search.slice(1))
  const dispatch = (call: Call, path: string, reply: Reply, follow: Follow): void => {
    const handler = new ResponseHandler(reply, plan, { path, awaited: findAwaited(call), route: call.route, clock }, follow)
    try {
      pool.dispatch(formatRequest(call, path, own, ownNames), handler)
    } catch (error) {
      reply.fail(new ProxyError('internal_error', { cause: error }))
    }
  }

  return {
    send(call, reply) {
      const path = call.upstreamTarget ?? formatTarget(call.query)
      const follow = plan.followSlashRedirects ? (target: string) => dispatch(call, target, reply, undefined) : undefined
      dispatch(call, path, reply, follow)
    },
    close: (deadline) => closePool(pool, deadline, clock),
  }
}

function formatRequest(call: Call, path: string, own: OwnHeaders, ownNames: ReadonlySet<string>): Dispatcher.DispatchOptions {
  const { method, body = null } = call
  const headers = addOwnHeaders(call, own, ownNames)
  if (body === null || body.length <= MAX_HELD_BYTES) return { path, method, headers, body }
  return { path, method, headers: [...headers, 'content-length', String(body.length)], body: sendAndRelease(body) }
}

/** undici holds a body until the end of the answer, which for a stream may be never. It does not hold what it takes from an iterator. */
function sendAndRelease(body: Buffer): Readable {
  const pieces = [body]
  const next = (): IteratorResult<Buffer> => {
    const value = pieces.pop()
    return value === undefined ? { done: true, value } : { done: false, value }
  }
  // Its documentation permits iterables, its types don't.
  return { [Symbol.iterator]: () => ({ next }) } as unknown as Readable
}

type OwnHeaders = readonly (readonly [string, string])[]

/** Headers of the configuration replace those of the client with the same name. */
function addOwnHeaders(call: Call, own: OwnHeaders, ownNames: ReadonlySet<string>): string[] {
  if (own.length === 0) return call.headers as string[]
  const kept = call.headers.filter((_, index) => !ownNames.has(call.headers[index - (index % 2)] ?? ''))
  for (const [name, value] of own) kept.push(name, value)
  return kept
}

/** Sends the request again with another path and query; undefined where that must not happen. */
type Follow = ((target: string) => void) | undefined

interface Asked {
  /** Path and query. */
  readonly path: string
  readonly awaited: Awaited
  readonly route: RouteFacts
  readonly clock: Clock
}

/** Passes one response on. It is a class, since there may be one for each of thousands of streams. */
class ResponseHandler implements Dispatcher.DispatchHandler {
  readonly #reply: Reply
  readonly #plan: HttpUpstreamPlan
  readonly #asked: Asked
  /** Dropped when the answer begins, since it holds the call. */
  #follow: Follow
  /** Of an event stream that gets heartbeats. */
  #tail: number | undefined
  #isOver = false
  /** Whether the rest of the response is discarded. */
  #isDetached = false
  #discarded = 0
  #isPaused = false
  #drains = false
  #interims = 0
  #waiting: Waiting | undefined

  constructor(reply: Reply, plan: HttpUpstreamPlan, asked: Asked, follow: Follow) {
    this.#reply = reply
    this.#plan = plan
    this.#asked = asked
    this.#follow = follow
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#reply.onClose(() => {
      this.#waiting?.stop()
      if (!this.#isOver) controller.abort(new ProxyError('client_gone'))
    })
  }

  onResponseStart(controller: Dispatcher.DispatchController, status: number, headers: IncomingHttpHeaders): void {
    if (status >= 200) this.#begin(controller, status, headers)
    else if (++this.#interims > MAX_INTERIMS)
      this.#giveUp(controller, invalid('http_invalid', `more than ${MAX_INTERIMS} interim responses`))
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#isDetached) return this.#discard(controller, chunk)
    this.#waiting?.touch()
    if (this.#tail !== undefined) this.#tail = followTail(this.#tail, chunk)
    if (!this.#reply.write(chunk)) this.#pause(controller)
  }

  onResponseEnd(): void {
    this.#settle()
    if (!this.#isDetached) this.#reply.end()
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.#settle()
    if (this.#isDetached) return
    this.#reply.fail(error instanceof ProxyError ? error : describeFailure(error))
  }

  #begin(controller: Dispatcher.DispatchController, status: number, headers: IncomingHttpHeaders): void {
    if (status === 401) return this.#giveUp(controller, refusedCredential(this.#asked.route.credential))
    if (status >= 300 && status < 400 && status !== 304) return this.#redirect(controller, status, headers.location)
    this.#follow = undefined
    const kept = filterResponseHeaders(headers)
    if (status === 204) delete kept['content-length']
    const foreign = status < 300 ? findForeignType(kept, this.#asked.awaited) : undefined
    if (foreign !== undefined) return this.#giveUp(controller, invalid('media_type_wrong', foreign))
    if (status < 300 && this.#asked.awaited === 'nothing') return this.#acknowledge(controller, kept)
    if (this.#plan.heartbeatSeconds > 0 && takesHeartbeats(kept)) this.#beat(controller, BEGINNING_OF_STREAM)
    else if (!isEventStream(kept)) this.#watch(controller)
    this.#reply.start(status, kept)
  }

  /** A body is no answer where nothing was asked: it is read to its end, so that the connection can be used again, and dropped. */
  #acknowledge(controller: Dispatcher.DispatchController, headers: ReplyHeaders): void {
    this.#detach()
    this.#reply.start(...formatAcknowledgment(headers))
    this.#reply.end()
    this.#waiting = watchIdle(
      this.#plan.responseSeconds,
      () => controller.abort(new ProxyError('client_gone')),
      this.#asked.clock,
    )
  }

  #discard(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#discarded += chunk.length
    if (this.#discarded > MAX_HELD_BYTES) controller.abort(new ProxyError('client_gone'))
  }

  #detach(): void {
    this.#isDetached = true
    this.#settle()
  }

  /** Clients don't learn the target of a redirect: it is a private address, or bypasses the proxy. */
  #redirect(controller: Dispatcher.DispatchController, status: number, location: unknown): void {
    const { path } = this.#asked
    const { origin } = new URL(this.#plan.url)
    const follow = this.#follow
    const target = follow && findSlashTarget(status, location, path, origin)
    if (target === undefined) {
      const cause = describeRedirect(status, location, path, origin)
      return this.#giveUp(controller, new ProxyError('upstream_redirected', { cause }))
    }
    this.#detach()
    controller.abort(new ProxyError('client_gone'))
    follow?.(target)
  }

  /** Keeps proxies in between from closing a silent stream, and detects clients that are gone. */
  #beat(controller: Dispatcher.DispatchController, tail: number): void {
    this.#tail = tail
    this.#waiting = watchIdle(
      this.#plan.heartbeatSeconds,
      () => {
        const now = this.#tail ?? tail
        if (!this.#isPaused && isBetweenEvents(now) && !this.#reply.write(HEARTBEAT)) this.#pause(controller)
        if (!this.#isOver) this.#beat(controller, now)
      },
      this.#asked.clock,
    )
  }

  /** The time that a slow client takes does not count. */
  #watch(controller: Dispatcher.DispatchController): void {
    const onIdle = (): void => (this.#isPaused ? this.#watch(controller) : this.#giveUp(controller, timeout('the body stopped')))
    this.#waiting = watchIdle(this.#plan.responseSeconds, onIdle, this.#asked.clock)
  }

  #pause(controller: Dispatcher.DispatchController): void {
    controller.pause()
    this.#isPaused = true
    if (this.#drains) return
    this.#drains = true
    this.#reply.onDrain(() => {
      this.#isPaused = false
      controller.resume()
    })
  }

  #giveUp(controller: Dispatcher.DispatchController, error: ProxyError): void {
    this.#settle()
    this.#reply.fail(error)
    controller.abort(error)
  }

  #settle(): void {
    this.#isOver = true
    this.#waiting?.stop()
  }
}

/**
 * An upstream that got the caller's token may refuse it; then the caller has to get another one. A refusal of our credential, or of none, is
 * for the operator to fix.
 */
function refusedCredential({ kind }: UpstreamCredential): ProxyError {
  const cause = 'the upstream answered 401'
  switch (kind) {
    case 'access_token':
      return new ProxyError('token_invalid', { reason: 'refused_by_upstream', cause })
    case 'none':
    case 'identity_provider':
      return new ProxyError('upstream_refused_credential', { cause })
  }
}

/** Classifies a failure: no answer in time, an answer that is not HTTP, or no connection. */
function describeFailure(error: Error): ProxyError {
  if (error instanceof errors.HeadersTimeoutError) return timeout(error)
  const unreadable =
    error instanceof errors.HTTPParserError ||
    error instanceof errors.HeadersOverflowError ||
    error instanceof errors.ResponseContentLengthMismatchError ||
    error instanceof errors.InvalidArgumentError ||
    (error as NodeJS.ErrnoException).code === 'ERR_INVALID_CHAR'
  if (unreadable) return invalid('http_invalid', error)
  return new ProxyError('upstream_unreachable', { cause: error, retryAfter: RETRY_AFTER_SECONDS })
}

function timeout(cause: unknown): ProxyError {
  return new ProxyError('upstream_timeout', { cause, retryAfter: RETRY_AFTER_SECONDS })
}

function invalid(reason: ReasonOf<'upstream_invalid_response'>, cause: unknown): ProxyError {
  return new ProxyError('upstream_invalid_response', { reason, cause })
}

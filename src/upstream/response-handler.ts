import type { IncomingHttpHeaders } from 'node:http'
import type { Dispatcher } from 'undici'
import type { Clock } from '../core/clock.ts'
import { ProxyError } from '../core/errors.ts'
import { LONG_PIECE_BYTES, passedBytes } from '../core/passed-bytes.ts'
import type { HttpUpstreamPlan } from '../core/plan/upstream-plan.ts'
import type { Reply, ReplyHeaders } from '../core/reply.ts'
import type { RouteFacts } from '../core/route-facts.ts'
import { type Waiting, watchIdle } from '../http/idle-watch.ts'
import { isEventStream } from '../mcp/endpoint-event.ts'
import { type Awaited, findForeignType, formatAcknowledgment } from './answer-type.ts'
import { isLostConnection } from './dial.ts'
import { describeFailure, findMissingScopes, invalid, refusedCredential, timeout } from './failure.ts'
import { BEGINNING_OF_STREAM, followTail, HEARTBEAT, isBetweenEvents, takesHeartbeats } from './heartbeat.ts'
import { describeRedirect, findSlashTarget } from './redirect.ts'
import { filterResponseHeaders } from './response-headers.ts'

/** Interim responses (1xx) to one request. MCP does not use them, and each restarts the wait for the final one. */
const MAX_INTERIMS = 16
/** Of an answer that is discarded. */
const MAX_DISCARDED_BYTES = 64 * 1024

export interface Asked {
  /** Path and query. */
  readonly path: string
  readonly awaited: Awaited
  readonly route: RouteFacts
  readonly clock: Clock
  /** Called when the request has a connection, just before it is sent. */
  readonly onConnected: () => void
}

/** How the request may be sent once more; undefined where that must not happen. They hold the call. */
export interface Repeats {
  /** With another path and query. */
  readonly follow: ((target: string) => void) | undefined
  /** As it is, on another connection. Only while no byte of it was sent. */
  readonly repeat: (() => void) | undefined
}

/** Passes one response on. It is a class, since there may be one for each of thousands of streams. */
export class ResponseHandler implements Dispatcher.DispatchHandler {
  readonly #reply: Reply
  readonly #plan: HttpUpstreamPlan
  readonly #asked: Asked
  /** Dropped when the answer begins. */
  #follow: Repeats['follow']
  /** Dropped when the request is sent. */
  #repeat: Repeats['repeat']
  #hasConnection = false
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

  constructor(reply: Reply, plan: HttpUpstreamPlan, asked: Asked, { follow, repeat }: Repeats) {
    this.#reply = reply
    this.#plan = plan
    this.#asked = asked
    this.#follow = follow
    this.#repeat = repeat
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#repeat = undefined
    this.#hasConnection = true
    this.#asked.onConnected()
    const { responseSeconds } = this.#plan
    const onIdle = (): void => this.#giveUp(controller, timeout(`no answer within ${responseSeconds} s`))
    this.#waiting = watchIdle(responseSeconds, onIdle, this.#asked.clock)
    this.#reply.onClose(() => {
      this.#waiting?.stop()
      if (!this.#isOver) controller.abort(new ProxyError('client_gone'))
    })
  }

  onResponseStart(controller: Dispatcher.DispatchController, status: number, headers: IncomingHttpHeaders): void {
    // A Buffer for each name and value, which undici would keep until the answer ends: for a stream, never.
    controller.rawHeaders = null
    if (status >= 200) return this.#begin(controller, status, headers)
    this.#waiting?.touch()
    if (++this.#interims > MAX_INTERIMS)
      this.#giveUp(controller, invalid('http_invalid', `more than ${MAX_INTERIMS} interim responses`))
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#isDetached) return this.#discard(controller, chunk)
    const release = chunk.length >= LONG_PIECE_BYTES ? passedBytes.pass(chunk) : undefined
    this.#waiting?.touch()
    if (this.#tail !== undefined) this.#tail = followTail(this.#tail, chunk)
    if (!this.#reply.write(chunk, release)) this.#pause(controller)
  }

  onResponseEnd(): void {
    this.#settle()
    if (!this.#isDetached) this.#reply.end()
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    const repeat = this.#repeat
    this.#settle()
    if (this.#isDetached) return
    // undici is not ready for another request before its other listeners know of this, too.
    if (repeat !== undefined && isLostConnection(error)) setImmediate(repeat)
    else this.#reply.fail(error instanceof ProxyError ? error : describeFailure(error, this.#hasConnection))
  }

  #begin(controller: Dispatcher.DispatchController, status: number, headers: IncomingHttpHeaders): void {
    if (status === 401) return this.#giveUp(controller, refusedCredential(this.#asked.route.credential))
    const missing = status === 403 ? findMissingScopes(this.#asked.route.credential, headers['www-authenticate']) : undefined
    if (missing !== undefined) return this.#giveUp(controller, missing)
    if (status >= 300 && status < 400 && status !== 304) return this.#redirect(controller, status, headers.location)
    this.#follow = undefined
    this.#waiting?.stop()
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
    if (this.#discarded > MAX_DISCARDED_BYTES) controller.abort(new ProxyError('client_gone'))
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

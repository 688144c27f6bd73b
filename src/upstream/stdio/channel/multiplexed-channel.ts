import { ProxyError } from '../../../core/errors.ts'
import { type Waiting, watchIdle } from '../../../http/idle-watch.ts'
import type { Child, ChildEnd } from '../process/child.ts'
import { describeEnd, type Spawner } from '../process/spawner.ts'
import type { Flow } from '../stream/event-stream.ts'
import type { ChildMessage } from '../wire/child-messages.ts'
import { type ClientMessage, letGoOfMessage, metaOf, paramsOf } from '../wire/client-messages.ts'
import type { PendingRequest } from './pending-request.ts'
import { createOwnIds, type IdSource, readProgressToken } from './request-ids.ts'
import { type NamedRequest, rewriteRequest, rewriteResponse, subscriptionKey, toClient } from './request-names.ts'
import type { RequestSink } from './server-connection.ts'

interface InFlight extends NamedRequest {
  readonly sink: RequestSink
  /** Undefined for what lasts: a subscription is not answered. */
  waiting: Waiting | undefined
}

/** What comes from a child and belongs to no request. */
export interface ChannelEvents {
  message(message: ChildMessage): void
  ended(error: ProxyError): void
}

/**
 * Requests to a child, each with an id and a progress token that no other has at the time, so that its answer reaches the one who asked.
 */
export class Channel {
  /** Whom the child was started for. */
  readonly key: string
  readonly #spawner: Spawner
  readonly #flow: Flow
  #events: ChannelEvents
  readonly #ids: IdSource
  /** By what the child knows them by, and those that want progress by their token. */
  readonly #inFlight = new Map<string, InFlight>()
  readonly #byToken = new Map<string, InFlight>()
  #child: Child | undefined
  #idleSince = performance.now()
  /** The request that log messages belong to. */
  #exclusive: InFlight | undefined

  private constructor(spawner: Spawner, key: string, events: ChannelEvents, ids: IdSource) {
    this.#ids = ids
    this.#spawner = spawner
    this.key = key
    this.#events = events
    this.#flow = { pause: () => this.#child?.pause(), resume: () => this.#child?.resume() }
  }

  /** @throws ProxyError `upstream_busy` */
  static async start(spawner: Spawner, key: string, events: ChannelEvents, ids = createOwnIds()): Promise<Channel> {
    const channel = new Channel(spawner, key, events, ids)
    channel.#child = await spawner.start(key, {
      message: (message) => channel.#receive(message),
      broken: (id, reason) => channel.#break(id, reason),
      ended: (end) => channel.#finish(end),
    })
    return channel
  }

  get isOver(): boolean {
    return this.#child?.isOver !== false
  }

  /** Makes the child wait. */
  get flow(): Flow {
    return this.#flow
  }

  /** Requests that have not been answered. */
  get load(): number {
    return this.#inFlight.size
  }

  /** Whether a request can have the child's log messages for itself. */
  get isExclusiveFree(): boolean {
    return this.#exclusive === undefined
  }

  /** Milliseconds for which nothing has been asked. */
  idle(now: number): number {
    return this.#inFlight.size > 0 ? 0 : now - this.#idleSince
  }

  /** Hands what belongs to no request to somebody else. */
  listen(events: ChannelEvents): void {
    this.#events = events
  }

  /**
   * Sends a client's request.
   *
   * @param exclusive - whether log messages belong to it; only one request at a time
   * @throws ProxyError `upstream_busy`, `upstream_ended`
   */
  request(message: ClientMessage, sink: RequestSink, exclusive = false): PendingRequest {
    const ours = this.#ids.choose(
      message,
      ({ id = '', progressToken = '' }) => this.#inFlight.has(id) || this.#byToken.has(progressToken),
    )
    const request: InFlight = { sink, ours, id: message.idKey, progressToken: readProgressToken(message), waiting: undefined }
    this.#write(rewriteRequest(message.text, request))
    this.#add(request)
    if (message.method !== 'subscriptions/listen')
      request.waiting = watchIdle(this.#spawner.requestSeconds, () => this.#expire(request))
    letGoOfMessage(message)
    if (exclusive) this.#exclusive = request
    return {
      cancel: (reason) => this.#cancel(request, reason),
      moveTo(next) {
        request.id = next.idKey
        request.progressToken = readProgressToken(next)
        request.waiting?.touch()
      },
    }
  }

  /**
   * Asks something ourselves.
   *
   * @returns `result` or `error` of the answer
   * @throws ProxyError when there is none
   */
  ask(method: string, params: unknown): Promise<Readonly<Record<string, unknown>>> {
    const value = { jsonrpc: '2.0', id: 0, method, params }
    const message: ClientMessage = { kind: 'request', id: '0', idKey: '0', method, value, text: JSON.stringify(value) }
    return new Promise((resolve, reject) => {
      this.request(message, { related: () => undefined, response: (_text, answer) => resolve(answer), failed: reject })
    })
  }

  /** Sends a notification or a response. @throws ProxyError `upstream_busy`, `upstream_ended` */
  tell(text: string): void {
    this.#write(text)
  }

  end(): void {
    void this.#child?.end()
  }

  /** Ends a child that can't be used, which the operator hears of if it has said nothing at all. */
  giveUp(error: unknown): void {
    if (error instanceof ProxyError && error.code === 'upstream_timeout' && !this.isOver) this.#spawner.reportSilence()
    this.end()
  }

  #write(text: string): void {
    if (!this.#child) throw new ProxyError('upstream_ended')
    this.#child.write(text)
  }

  #receive(message: ChildMessage): void {
    if (message.kind === 'response') return this.#answer(message)
    if (message.kind === 'request') return this.#events.message(message)
    const request = this.#findRequest(message)
    if (!request) return this.#passOn(message)
    if (message.method === 'notifications/cancelled') {
      // A legacy server withdraws a request of its own, with an id of its own: none of ours is meant.
      if (!request.sink.closed) return this.#events.message(message)
      this.#take(request)
      return request.sink.closed()
    }
    request.waiting?.touch()
    const text = toClient(message, request)
    if (text !== undefined) request.sink.related(text, message)
  }

  /** "Progress notifications MUST stop after completion" (2025-11-25, basic/utilities/progress): what comes late goes nowhere. */
  #passOn(message: ChildMessage): void {
    if (message.method !== 'notifications/progress') this.#events.message(message)
  }

  /** The request that a notification belongs to. */
  #findRequest(message: ChildMessage): InFlight | undefined {
    const params = paramsOf(message)
    if (message.method === 'notifications/progress') return this.#byToken.get(formatId(params.progressToken))
    if (message.method === 'notifications/message') return this.#exclusive
    return this.#inFlight.get(
      formatId(message.method === 'notifications/cancelled' ? params.requestId : metaOf(message)[subscriptionKey]),
    )
  }

  #answer(message: ChildMessage): void {
    const said = formatId(message.id)
    const request = this.#findAnswered(said)
    if (request) this.#take(request)
    else this.#ids.answered(said)
    // An answer to nothing that was asked goes nowhere.
    if (!request) return
    const text = rewriteResponse(message, said, request.id)
    if (text === undefined) request.sink.failed(unreadable('an answer that can be read in two ways'))
    else request.sink.response(text, message.value)
  }

  #break(id: string | number, reason: string): void {
    const request = this.#findAnswered(formatId(id))
    if (!request) return
    this.#take(request)
    request.sink.failed(unreadable(reason))
  }

  /** The request that an id means: some servers write down numbers as strings. Another request may have that string for its id. */
  #findAnswered(said: string): InFlight | undefined {
    const isNumber = /^"(?:0|[1-9]\d{0,14})"$/.test(said)
    return (
      this.#inFlight.get(said) ?? (isNumber && !this.#ids.isCancelled(said) ? this.#inFlight.get(said.slice(1, -1)) : undefined)
    )
  }

  /** Nothing was heard of it for too long: its client is told, and so is the child. */
  #expire(request: InFlight): void {
    this.#cancel(request, 'it took too long')
    const cause = `neither an answer nor progress within ${this.#spawner.requestSeconds} seconds`
    request.sink.failed(new ProxyError('upstream_timeout', { cause }))
  }

  #cancel(request: InFlight, reason: string): void {
    if (!this.#take(request)) return
    this.#ids.cancelled(request.ours.id)
    if (this.isOver) return
    const params = `{"requestId":${request.ours.id},"reason":${JSON.stringify(reason)}}`
    try {
      this.#write(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":${params}}`)
    } catch {
      // A child that doesn't read learns of it no more than of the request.
    }
  }

  #add(request: InFlight): void {
    const { id, progressToken } = request.ours
    this.#inFlight.set(id, request)
    if (progressToken !== undefined) this.#byToken.set(progressToken, request)
  }

  #take(request: InFlight): boolean {
    const { id, progressToken } = request.ours
    if (this.#inFlight.get(id) !== request) return false
    this.#inFlight.delete(id)
    if (progressToken !== undefined) this.#byToken.delete(progressToken)
    request.waiting?.stop()
    if (this.#exclusive === request) this.#exclusive = undefined
    if (this.#inFlight.size === 0) this.#idleSince = performance.now()
    return true
  }

  #finish({ reason }: ChildEnd): void {
    const error = describeEnd(reason)
    for (const request of [...this.#inFlight.values()]) if (this.#take(request)) request.sink.failed(error)
    this.#events.ended(error)
  }
}

/** An id or token as a key; the empty string for what is none. */
function formatId(id: unknown): string {
  return typeof id === 'string' || typeof id === 'number' ? JSON.stringify(id) : ''
}

function unreadable(cause: string): ProxyError {
  return new ProxyError('upstream_invalid_response', { cause })
}

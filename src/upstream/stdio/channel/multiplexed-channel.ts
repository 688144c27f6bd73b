import { ProxyError } from '../../../core/errors.ts'
import type { Waiting } from '../../../http/idle-watch.ts'
import type { ProcessOwner } from '../process/process-owner.ts'
import type { ProcessEnd, ProcessSource, ServerProcess } from '../process/server-process.ts'
import { describeEnd } from '../process/spawner.ts'
import type { Flow } from '../stream/event-stream.ts'
import type { ChildMessage } from '../wire/child-messages.ts'
import { type ClientMessage, metaOf, paramsOf, releaseMessage } from '../wire/client-messages.ts'
import { META_KEYS } from '../wire/modern-envelope.ts'
import { holdsManyValues } from '../wire/sparse-response.ts'
import type { TransferableRequest } from './pending-request.ts'
import { PendingRequests, type RequestNames } from './pending-requests.ts'
import { createOwnIds, type IdSource, readNames } from './request-ids.ts'
import type { RequestSink, ResponseSink, SubscriptionSink } from './request-sink.ts'
import { rewriteNotification, rewriteRequest, rewriteResponse } from './rewrite-ids.ts'

/** A request with the names under which its process knows it. */
type ChannelRequest = ChannelResponse | ChannelSubscription

interface ChannelResponse extends RequestNames {
  readonly kind: 'response'
  readonly sink: ResponseSink
  /** The names that the client gave it. */
  client: RequestNames
  readonly timeout: Waiting
}

/** It lasts, and so has no timeout. */
interface ChannelSubscription extends RequestNames {
  readonly kind: 'subscription'
  readonly sink: SubscriptionSink
  client: RequestNames
}

/** An `initialize` that a process was sent while it was probed. */
export interface Handshake {
  /** In JSON. */
  readonly params: string
  readonly response: Promise<Readonly<Record<string, unknown>>>
}

/** Receives what comes from a process and belongs to no request. */
export interface ChannelEvents {
  message(message: ChildMessage): void
  ended(error: ProxyError): void
}

/** Requests to one process. Each has an id and a progress token of its own there, so that its response reaches the right client. */
export class Channel {
  /** Whom the process was started for. */
  readonly owner: ProcessOwner
  readonly flow: Flow
  handshake: Handshake | undefined
  readonly #source: ProcessSource
  readonly #ids: IdSource
  readonly #pending = new PendingRequests<ChannelRequest>()
  #events: ChannelEvents
  #process: ServerProcess | undefined
  #idleSince: number
  #hasAnswered = false
  #relieved: () => void = () => undefined
  /** The request that log messages belong to. */
  #exclusive: ChannelRequest | undefined

  private constructor(source: ProcessSource, owner: ProcessOwner, events: ChannelEvents, ids: IdSource) {
    this.owner = owner
    this.flow = { pause: () => this.#process?.pause(), resume: () => this.#process?.resume() }
    this.#source = source
    this.#ids = ids
    this.#events = events
    this.#idleSince = source.clock.monotonic()
  }

  /** @throws ProxyError `upstream_busy` */
  static async start(source: ProcessSource, owner: ProcessOwner, events: ChannelEvents, ids = createOwnIds()): Promise<Channel> {
    const channel = new Channel(source, owner, events, ids)
    channel.#process = await source.start(owner, {
      message: (message) => channel.#receive(message),
      broken: (id, reason) => channel.#break(id, reason),
      ended: (end) => channel.#finish(end),
    })
    return channel
  }

  /** Whether the process has answered a request, so that it has started. */
  get hasAnswered(): boolean {
    return this.#hasAnswered
  }

  get isOver(): boolean {
    return this.#process?.isOver !== false
  }

  /** Requests without a response. */
  get load(): number {
    return this.#pending.size
  }

  /** Whether a request can have the log messages of the process. */
  get isExclusiveFree(): boolean {
    return this.#exclusive === undefined
  }

  /** Milliseconds since the last request ended; 0 while one is pending. */
  idle(now: number): number {
    return this.#pending.size > 0 ? 0 : now - this.#idleSince
  }

  /** Replaces the receiver of what belongs to no request. */
  listen(events: ChannelEvents): void {
    this.#events = events
  }

  /** @param relieved - called whenever the process has one request less: answered, failed, or cancelled by its client */
  onRelief(relieved: () => void): void {
    this.#relieved = relieved
  }

  /**
   * Sends a client's request.
   *
   * @param exclusive - whether log messages belong to it; only one request at a time
   * @throws ProxyError `upstream_busy`, `upstream_ended`
   */
  request(message: ClientMessage, sink: RequestSink, exclusive = false): TransferableRequest {
    const names = this.#ids.choose(message, ({ id, progressToken }) => this.#isUsed(id, progressToken))
    const client = readNames(message)
    this.#write(rewriteRequest(message.text, names, client))
    const request = this.#createRequest(names, client, sink)
    this.#pending.add(request)
    releaseMessage(message)
    if (exclusive) this.#exclusive = request
    return {
      kind: 'transferable',
      cancel: (reason) => this.#cancel(request, reason),
      transferTo(next) {
        request.client = readNames(next)
        if (request.kind === 'response') request.timeout.touch()
      },
    }
  }

  /**
   * Sends a request of our own.
   *
   * @returns the response, with a `result` or an `error`
   * @throws ProxyError when there is none
   */
  ask(method: string, params: unknown): Promise<Readonly<Record<string, unknown>>> {
    const value = { jsonrpc: '2.0', id: 0, method, params }
    const message: ClientMessage = { kind: 'request', id: '0', idKey: '0', method, value, text: JSON.stringify(value) }
    return new Promise((resolve, reject) => {
      const response = (text: string, answer: Readonly<Record<string, unknown>>): void =>
        holdsManyValues(text) ? reject(unreadable('more values than are read')) : resolve(answer)
      this.request(message, { kind: 'response', related: () => undefined, response, failed: reject })
    })
  }

  /** Sends a notification or a response. @throws ProxyError `upstream_busy`, `upstream_ended` */
  tell(text: string): void {
    this.#write(text)
  }

  end(): void {
    void this.#process?.end()
  }

  /** Ends a process that can't be used, so that the next start is delayed. The operator is told if it never answered. */
  giveUp(error: unknown): void {
    if (error instanceof ProxyError && error.code === 'upstream_timeout' && !this.isOver) this.#source.reportSilence()
    void this.#process?.giveUp()
  }

  #isUsed(id: string | undefined, progressToken: string | undefined): boolean {
    if (id !== undefined && this.#pending.findNewest(id)) return true
    return progressToken !== undefined && this.#pending.findByToken(progressToken) !== undefined
  }

  #createRequest(names: RequestNames, client: RequestNames, sink: RequestSink): ChannelRequest {
    if (sink.kind === 'subscription') return { kind: 'subscription', ...names, client, sink }
    const timeout = this.#source.watchRequest(() => this.#expire(request))
    const request: ChannelResponse = { kind: 'response', ...names, client, sink, timeout }
    return request
  }

  #write(text: string): void {
    if (!this.#process) throw new ProxyError('upstream_ended')
    this.#process.write(text)
  }

  #receive(message: ChildMessage): void {
    if (message.kind === 'response') return this.#answer(message)
    if (message.kind === 'request') return this.#events.message(message)
    const request = this.#findRequest(message)
    if (!request) return this.#passOn(message)
    if (message.method === 'notifications/cancelled') return this.#close(request, message)
    if (request.kind === 'response') request.timeout.touch()
    const text = rewriteNotification(message, request, request.client)
    if (text !== undefined) request.sink.related(text, message)
  }

  /** "Progress notifications MUST stop after completion" (2025-11-25, basic/utilities/progress): late ones are dropped. */
  #passOn(message: ChildMessage): void {
    if (message.method !== 'notifications/progress') this.#events.message(message)
  }

  /** A legacy server cancels only requests of its own, with ids of its own: a request with a response is never meant. */
  #close(request: ChannelRequest, message: ChildMessage): void {
    if (request.kind === 'response') return this.#events.message(message)
    this.#take(request)
    request.sink.closed()
  }

  /** The request that a notification belongs to. */
  #findRequest(message: ChildMessage): ChannelRequest | undefined {
    const params = paramsOf(message)
    if (message.method === 'notifications/progress') return this.#pending.findByToken(formatId(params.progressToken))
    if (message.method === 'notifications/message') return this.#exclusive
    const id = message.method === 'notifications/cancelled' ? params.requestId : metaOf(message)[META_KEYS.subscriptionId]
    return this.#pending.findNewest(formatId(id))
  }

  /** A response to nothing that is pending is dropped. */
  #answer(message: ChildMessage): void {
    this.#hasAnswered = true
    const id = formatId(message.id)
    const request = this.#findAnswered(id)
    if (!request) return void this.#ids.cancelled?.delete(id)
    this.#take(request)
    const text = rewriteResponse(message, id, request.client.id)
    if (text === undefined) request.sink.failed(unreadable('an answer that can be read in two ways'))
    else request.sink.response(text, message.value)
  }

  #break(id: string | number, reason: string): void {
    const request = this.#findAnswered(formatId(id))
    if (!request) return
    this.#take(request)
    request.sink.failed(unreadable(reason))
  }

  /** The request with an id. Some servers write numbers as strings; but another request may have that string as its id. */
  #findAnswered(id: string): ChannelRequest | undefined {
    const request = this.#pending.findNewest(id)
    const isNumber = /^"(?:0|[1-9]\d{0,14})"$/.test(id)
    if (request || !isNumber || this.#ids.cancelled?.has(id)) return request
    return this.#pending.findNewest(id.slice(1, -1))
  }

  /** Ends a request that has waited too long: both its client and the process are told. */
  #expire(request: ChannelRequest): void {
    this.#cancel(request, 'it took too long')
    const cause = `neither an answer nor progress within ${this.#source.requestSeconds} seconds`
    request.sink.failed(new ProxyError('upstream_timeout', { cause }))
  }

  #cancel(request: ChannelRequest, reason: string): void {
    if (!this.#take(request)) return
    this.#ids.cancelled?.set(request.id, true)
    if (this.isOver) return
    const params = `{"requestId":${request.id},"reason":${JSON.stringify(reason)}}`
    try {
      this.#write(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":${params}}`)
    } catch {
      // A process that has stopped reading has not read the request either.
    }
  }

  /** @returns false when the request has ended before */
  #take(request: ChannelRequest): boolean {
    if (!this.#pending.delete(request)) return false
    if (request.kind === 'response') request.timeout.stop()
    if (this.#exclusive === request) this.#exclusive = undefined
    if (this.#pending.size === 0) this.#idleSince = this.#source.clock.monotonic()
    this.#relieved()
    return true
  }

  #finish({ reason }: ProcessEnd): void {
    const error = describeEnd(reason)
    for (const request of this.#pending.list()) if (this.#take(request)) request.sink.failed(error)
    this.#events.ended(error)
  }
}

/** An id or token as a key; the empty string for a value that can be neither. */
function formatId(id: unknown): string {
  return typeof id === 'string' || typeof id === 'number' ? JSON.stringify(id) : ''
}

function unreadable(cause: string): ProxyError {
  return new ProxyError('upstream_invalid_response', { reason: 'message_unreadable', cause })
}

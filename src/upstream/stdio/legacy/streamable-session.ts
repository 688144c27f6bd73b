import type { Call } from '../../../core/call.ts'
import type { Clock } from '../../../core/clock.ts'
import { ProxyError, toProxyError } from '../../../core/errors.ts'
import type { MemoryShare } from '../../../core/held-memory.ts'
import { isObject } from '../../../core/is-object.ts'
import type { Reply, ReplyHeaders } from '../../../core/reply.ts'
import { UNSENT } from '../channel/pending-request.ts'
import { type ClientRequest, cancelPending, PendingRequests } from '../channel/pending-requests.ts'
import { type RequestSink, type ResponseSink, whenOver } from '../channel/request-sink.ts'
import type { ServerConnection, ServerEvents } from '../channel/server-connection.ts'
import type { Spare } from '../process/places.ts'
import type { ProcessOwner } from '../process/process-owner.ts'
import { EventStream } from '../stream/event-stream.ts'
import { PostAnswer, type PostAnswerOptions } from '../stream/post-response.ts'
import { StreamLog } from '../stream/replay-buffer.ts'
import { findAcceptedForms } from '../wire/accept-header.ts'
import type { ChildMessage } from '../wire/child-messages.ts'
import { type ClientMessage, paramsOf } from '../wire/client-messages.ts'
import { sendStatus } from '../wire/json-responses.ts'
import { UNSUPPORTED_VERSION } from '../wire/modern-envelope.ts'
import { readCancellation } from './cancellation.ts'
import { OpenAnswers } from './open-answers.ts'
import { type FindRevisions, Opening } from './opening.ts'
import type { HttpSession } from './sessions.ts'

/** The first revision whose clients understand an event without content (2025-11-25, basic/transports). */
const REVISION_WITH_PRIMING = '2025-11-25'
/** The status of the answer to `initialize` tells whether there is a session, so this answer begins late. */
const INITIALIZE_OPEN_AFTER_MS = 15_000
/** Messages that belong to no request, whatever is pending at the time. */
const UNRELATED_METHODS =
  /^notifications\/(?:(?:tools|prompts|resources)\/list_changed|resources\/updated|tasks\/status|elicitation\/complete)$/

interface SessionRequest extends ClientRequest {
  readonly answer: PostAnswer
}

export interface StreamableSessionOptions {
  /** Unguessable. */
  readonly id: string
  readonly owner: ProcessOwner
  readonly memory: MemoryShare
  readonly clock: Clock
  /** Called once. */
  readonly onOver: () => void
}

/**
 * An MCP session over Streamable HTTP (2025-03-26 to 2025-11-25). A response goes back the way of its request. What the server sends on its
 * own is most likely about a pending request, so it goes there if that client is connected, and otherwise to the stream of a GET.
 */
export class StreamableSession implements ServerEvents, HttpSession {
  readonly id: string
  readonly owner: ProcessOwner
  readonly #options: StreamableSessionOptions
  readonly #log: StreamLog<EventStream>
  readonly #answers = new OpenAnswers()
  readonly #pending = new PendingRequests<SessionRequest>()
  #opening: Opening | undefined
  #standalone: EventStream | undefined
  #connection: ServerConnection | undefined
  #revision = ''
  #isRefused = false
  #lastUsed: number
  #isOver = false

  constructor(options: StreamableSessionOptions) {
    this.id = options.id
    this.owner = options.owner
    this.#options = options
    this.#log = new StreamLog<EventStream>(options.memory)
    this.#lastUsed = options.clock.monotonic()
  }

  /** Connects the session to its server, and opens it there. Clients that wait for that use {@link attend}. */
  connect(connection: ServerConnection, initialize: ClientMessage, findRevisions: FindRevisions): void {
    this.#connection = connection
    if (this.#isOver) return connection.end()
    this.#opening = new Opening(initialize, {
      findRevisions,
      memory: this.#options.memory,
      onOpened: (protocolVersion) => {
        this.#touch()
        this.#revision = typeof protocolVersion === 'string' ? protocolVersion : ''
      },
      onRefused: () => {
        this.#touch()
        this.#isRefused = true
      },
      onFailed: () => this.end(),
    })
    this.#opening.send(connection, initialize)
  }

  get isOver(): boolean {
    return this.#isOver
  }

  /** Whether the server refused to open the session. */
  get isRefused(): boolean {
    return this.#isRefused
  }

  get isListening(): boolean {
    return this.#hasStandaloneClient || this.#answers.findAttached() !== undefined
  }

  /** Milliseconds since the session was used; 0 while it is in use. */
  idle(now: number): number {
    return this.#isBusy || this.#hasStandaloneClient ? 0 : now - this.#lastUsed
  }

  findSpare(now: number): Spare | undefined {
    if (this.#isBusy) return undefined
    return { key: this.owner.key, idle: now - this.#lastUsed, end: () => this.end() }
  }

  /**
   * Answers the client that opens the session. The answer carries the session's id, unless the server refuses.
   *
   * @param onGone - called when the client has given up before it learned the session's id
   */
  attend(call: Call, reply: Reply, message: ClientMessage, onGone: () => void): void {
    const opening = this.#opening
    if (!opening) throw new ProxyError('upstream_ended', { retryAfter: 1 })
    const headers = (): ReplyHeaders => (this.#isRefused ? {} : { 'mcp-session-id': this.id })
    const answer = this.#createAnswer(call, reply, [message], {
      headers,
      openAfterMs: INITIALIZE_OPEN_AFTER_MS,
      log: undefined,
      primes: false,
      statusOf: ({ error }) => (isObject(error) && error.code === UNSUPPORTED_VERSION ? 400 : 200),
      onGone: () => {
        opening.leave()
        onGone()
      },
    })
    opening.attend(message, this.#createSink(message, answer))
  }

  /** @throws ProxyError `upstream_busy`, `upstream_ended`, `message_invalid` */
  post(call: Call, reply: Reply, messages: readonly ClientMessage[]): void {
    this.#touch()
    const requests = messages.filter(({ kind }) => kind === 'request')
    if (new Set(requests.map(({ idKey }) => idKey)).size < requests.length)
      throw new ProxyError('message_invalid', { reason: 'id_invalid', cause: 'two requests of a batch have the same id' })
    const answer = requests.length > 0 ? this.#createResumable(call, reply, requests) : undefined
    for (const message of messages) {
      if (message.kind === 'request' && answer) this.#send(message, answer)
      else this.#tell(message)
    }
    if (!answer) sendStatus(reply, 202)
  }

  /** Opens the stream for what the server sends on its own, or resumes a stream. */
  get(reply: Reply, lastEventId: string | undefined): void {
    this.#touch()
    if (lastEventId === undefined) {
      this.#findStandalone().attach(reply)
      return
    }
    const found = this.#log.find(lastEventId)
    if (!found?.stream.attach(reply, {}, found.sequence))
      throw new ProxyError('message_invalid', {
        reason: 'events_gone',
        cause: 'the events behind Last-Event-ID are not kept any more',
      })
    this.#answers.resumed(found.stream)
  }

  message(message: ChildMessage): void {
    if (this.#isOver) return
    const answer = this.#findAnswer(message)
    if (answer) answer.related(message.text)
    else this.#findStandalone().send(message.text)
  }

  ended(_error: ProxyError): void {
    this.#finish()
  }

  end(): void {
    if (this.#isOver) return
    this.#finish()
    this.#connection?.end()
  }

  keepAlive(): void {
    this.#standalone?.keepAlive()
    this.#answers.keepAlive()
  }

  #touch(): void {
    this.#lastUsed = this.#options.clock.monotonic()
  }

  #finish(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#standalone?.end()
    this.#opening?.close()
    this.#log.close()
    this.#options.onOver()
  }

  #findStandalone(): EventStream {
    const onDetached = (): void => this.#touch()
    this.#standalone ??= new EventStream({ log: this.#log, flow: this.#connection?.flow, onDetached })
    return this.#standalone
  }

  /** The requests go on when their client has left, since it may come back. They keep their places in limits as long as they do. */
  #createResumable(call: Call, reply: Reply, requests: readonly ClientMessage[]): PostAnswer {
    const { promise, resolve } = Promise.withResolvers<void>()
    call.admission?.keepUntil(promise)
    return this.#createAnswer(call, reply, requests, { onOver: resolve })
  }

  /** @param more - in place of what is usual; `onOver` is called beside that */
  #createAnswer(call: Call, reply: Reply, requests: readonly ClientMessage[], more: Partial<PostAnswerOptions>): PostAnswer {
    const answer: PostAnswer = new PostAnswer({
      clock: this.#options.clock,
      reply,
      ids: requests.map(({ idKey }) => idKey),
      isBatch: call.isBatch,
      accepts: findAcceptedForms(call),
      headers: () => ({}),
      log: this.#log,
      flow: this.#connection?.flow,
      memory: this.#options.memory,
      primes: this.#revision >= REVISION_WITH_PRIMING,
      onGone: () => this.#cancelAll(answer),
      ...more,
      onOver: () => {
        this.#touch()
        this.#answers.delete(answer)
        more.onOver?.()
      },
    })
    this.#answers.add(answer)
    return answer
  }

  #createSink({ idKey }: ClientMessage, answer: PostAnswer): ResponseSink {
    return {
      kind: 'response',
      related: (text) => answer.related(text),
      response: (text, value) => answer.response(idKey, text, value),
      failed: (error) => answer.failed(idKey, error),
    }
  }

  #send(message: ClientMessage, answer: PostAnswer): void {
    const request: SessionRequest = { id: message.idKey, atServer: UNSENT, answer }
    const sink: RequestSink = whenOver(this.#createSink(message, answer), () => this.#pending.delete(request))
    this.#pending.add(request)
    try {
      request.atServer = this.#connectionOrThrow().request(message, sink)
    } catch (error) {
      sink.failed(toProxyError(error))
    }
  }

  #tell(message: ClientMessage): void {
    if (message.method !== 'notifications/cancelled') return this.#connectionOrThrow().tell(message)
    const { idKey, reason } = readCancellation(paramsOf(message))
    const request = this.#pending.findNewest(idKey)
    if (request && cancelPending(this.#pending, request, reason)) request.answer.cancelled(idKey)
  }

  #cancelAll(answer: PostAnswer): void {
    for (const request of this.#pending.list())
      if (request.answer === answer) cancelPending(this.#pending, request, 'the client has gone away')
  }

  #connectionOrThrow(): ServerConnection {
    if (!this.#connection) throw new ProxyError('upstream_ended')
    return this.#connection
  }

  get #isBusy(): boolean {
    return this.#answers.size > 0 || this.#opening?.isPending === true
  }

  get #hasStandaloneClient(): boolean {
    return this.#standalone?.isAttached === true
  }

  /** The answer that carries a message of the server. Those whose client is gone come last: it may not come back. */
  #findAnswer({ method }: ChildMessage): PostAnswer | undefined {
    if (!this.#hasStandaloneClient) return this.#answers.findAttached() ?? this.#answers.findStreamable()
    return UNRELATED_METHODS.test(method) ? undefined : this.#answers.findAttached()
  }
}

import type { Call } from '../../../core/call.ts'
import { ProxyError } from '../../../core/errors.ts'
import { isObject } from '../../../core/is-object.ts'
import type { Reply, ReplyHeaders } from '../../../core/reply.ts'
import { type RequestSink, type ServerConnection, type ServerEvents, whenOver } from '../channel/server-connection.ts'
import type { Spare } from '../process/places.ts'
import { EventStream } from '../stream/event-stream.ts'
import { PostAnswer, type PostAnswerOptions } from '../stream/post-response.ts'
import { StreamLog } from '../stream/replay-buffer.ts'
import { findAcceptedForms } from '../wire/accept-header.ts'
import type { ChildMessage } from '../wire/child-messages.ts'
import { type ClientMessage, paramsOf } from '../wire/client-messages.ts'
import type { MemoryShare } from '../wire/held-memory.ts'
import { sendStatus } from '../wire/json-responses.ts'
import { formatUnsupported, unsupportedCode } from '../wire/modern-envelope.ts'
import { explain, type FindRevisions, Opening } from './opening.ts'
import { type RunningRequest, RunningRequests, readCancellation } from './running-requests.ts'

/** The first revision whose clients understand an event without content (2025-11-25, basic/transports). */
const revisionWithPriming = '2025-11-25'
/** `initialize` tells by its status whether there is a session: its answer begins late. */
const initializeMilliseconds = 15_000

interface Running extends RunningRequest {
  readonly answer: PostAnswer
}

/** Messages that belong to no request, whatever runs at the time. */
const unrelated =
  /^notifications\/(?:(?:tools|prompts|resources)\/list_changed|resources\/updated|tasks\/status|elicitation\/complete)$/

/**
 * An MCP session over Streamable HTTP (2025-03-26 to 2025-11-25). Its answers take the way back of their request; what the server sends
 * by itself goes to a request that runs and whose client is there, since it is most likely about that, else to the stream that a GET
 * opened.
 */
export class StreamableSession implements ServerEvents {
  readonly id: string
  readonly principalKey: string
  readonly #log: StreamLog<EventStream>
  readonly #memory: MemoryShare
  readonly #answers = new Set<PostAnswer>()
  readonly #byStream = new Map<EventStream, PostAnswer>()
  readonly #running = new RunningRequests<Running>()
  readonly #onOver: () => void
  #opening: Opening | undefined
  #standalone: EventStream | undefined
  #connection: ServerConnection | undefined
  #revision = ''
  #isRefused = false
  #lastUsed = performance.now()
  #isOver = false

  /** @param id - unguessable; @param principalKey - whom it belongs to; @param onOver - called once */
  constructor(id: string, principalKey: string, memory: MemoryShare, onOver: () => void) {
    this.id = id
    this.principalKey = principalKey
    this.#onOver = onOver
    this.#memory = memory
    this.#log = new StreamLog<EventStream>(memory)
  }

  /** Gives the session its server, and opens it there. Who waits for that comes by {@link attend}. */
  connect(connection: ServerConnection, initialize: ClientMessage, findRevisions: FindRevisions): void {
    this.#connection = connection
    if (this.#isOver) return connection.end()
    const opening = new Opening(initialize, this.#memory)
    this.#opening = opening
    const { idKey } = initialize
    const { protocolVersion } = paramsOf(initialize)
    const refuse = (revisions: readonly string[]): void =>
      opening.sink.response(formatUnsupported(idKey, protocolVersion, revisions), { error: { code: unsupportedCode } })
    const sink = this.#watching(opening.sink, (tellRefusal) => explain(findRevisions, refuse, tellRefusal))
    try {
      opening.sent(connection.request(initialize, sink))
    } catch (error) {
      sink.failed(toProxyError(error))
    }
  }

  get isOver(): boolean {
    return this.#isOver
  }

  /** Whether the server refused to open it. */
  get isRefused(): boolean {
    return this.#isRefused
  }

  get isListening(): boolean {
    return this.#standalone?.isAttached === true || this.#findAttached() !== undefined
  }

  /** Milliseconds for which nobody has used the session; 0 while somebody does. */
  idle(now: number): number {
    const isUsed = this.#isAtWork || this.#standalone?.isAttached === true
    return isUsed ? 0 : now - this.#lastUsed
  }

  /** The session as one that may end so that another can begin; undefined while something runs in it. */
  findSpare(now: number): Spare | undefined {
    if (this.#isAtWork) return undefined
    return { key: this.principalKey, idle: now - this.#lastUsed, end: () => this.end() }
  }

  /**
   * Answers the client that opens the session: the answer carries its id, unless the server refuses.
   *
   * @param onGone - the client has given up; it doesn't know the session's id
   */
  attend(call: Call, reply: Reply, message: ClientMessage, onGone: () => void): void {
    const opening = this.#opening
    if (!opening) throw new ProxyError('upstream_ended', { retryAfter: 1 })
    const headers = (): ReplyHeaders => (this.#isRefused ? {} : { 'mcp-session-id': this.id })
    const answer = this.#createAnswer(call, reply, [message], {
      headers,
      openAfter: initializeMilliseconds,
      log: undefined,
      primes: false,
      statusOf: ({ error }) => (isObject(error) && error.code === unsupportedCode ? 400 : 200),
      onGone: () => {
        opening.leave()
        onGone()
      },
    })
    opening.attend(message, {
      related: (text) => answer.related(text),
      response: (text, value) => answer.response(message.idKey, text, value),
      failed: (error) => answer.failed(message.idKey, error),
    })
  }

  /** @throws ProxyError `upstream_busy`, `upstream_ended`, `message_invalid` */
  post(call: Call, reply: Reply, messages: readonly ClientMessage[]): void {
    this.#lastUsed = performance.now()
    const requests = messages.filter(({ kind }) => kind === 'request')
    if (new Set(requests.map(({ idKey }) => idKey)).size < requests.length)
      throw new ProxyError('message_invalid', { cause: 'two requests of a batch have the same id' })
    const answer = requests.length > 0 ? this.#createAnswer(call, reply, requests) : undefined
    for (const message of messages) {
      if (message.kind === 'request' && answer) this.#send(message, answer)
      else this.#tell(message)
    }
    if (!answer) sendStatus(reply, 202)
  }

  /** Opens the stream for what the server sends by itself, or takes up a stream that broke. */
  get(reply: Reply, lastEventId: string | undefined): void {
    this.#lastUsed = performance.now()
    if (lastEventId === undefined) {
      this.#findStandalone().attach(reply)
      return
    }
    const found = this.#log.find(lastEventId)
    if (!found?.stream.attach(reply, {}, found.sequence))
      throw new ProxyError('message_invalid', { cause: 'the events behind Last-Event-ID are not kept any more' })
    this.#byStream.get(found.stream)?.resumed()
  }

  message(message: ChildMessage): void {
    if (this.#isOver) return
    const answer = this.#findAnswer(message)
    if (!answer) return this.#findStandalone().send(message.text)
    answer.related(message.text)
    if (answer.stream) this.#byStream.set(answer.stream, answer)
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
    for (const answer of this.#answers) answer.stream?.keepAlive()
  }

  #finish(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#standalone?.end()
    this.#opening?.close()
    this.#log.close()
    this.#onOver()
  }

  #findStandalone(): EventStream {
    const onDetached = (): void => {
      this.#lastUsed = performance.now()
    }
    this.#standalone ??= new EventStream({ log: this.#log, flow: this.#connection?.flow, onDetached })
    return this.#standalone
  }

  #createAnswer(call: Call, reply: Reply, requests: readonly ClientMessage[], more: Partial<PostAnswerOptions> = {}): PostAnswer {
    const answer: PostAnswer = new PostAnswer({
      reply,
      ids: requests.map(({ idKey }) => idKey),
      isBatch: call.isBatch,
      accepts: findAcceptedForms(call),
      headers: () => ({}),
      log: this.#log,
      flow: this.#connection?.flow,
      memory: this.#memory,
      primes: this.#revision >= revisionWithPriming,
      onGone: () => this.#running.cancelWhere((running) => running.answer === answer, 'the client has gone away'),
      onOver: () => {
        this.#lastUsed = performance.now()
        this.#answers.delete(answer)
        if (answer.stream) this.#byStream.delete(answer.stream)
      },
      ...more,
    })
    this.#answers.add(answer)
    return answer
  }

  /** Learns from the answer to `initialize` what the session is. */
  #watching(sink: RequestSink, explainRefusal: (tellRefusal: () => void) => Promise<void>): RequestSink {
    const refuse = (tellRefusal: () => void): void => {
      this.#isRefused = true
      void explainRefusal(tellRefusal).finally(() => this.end())
    }
    return {
      ...sink,
      response: (text, value) => {
        this.#lastUsed = performance.now()
        if (value.result === undefined) return refuse(() => sink.response(text, value))
        const { protocolVersion } = value.result as { protocolVersion?: unknown }
        this.#revision = typeof protocolVersion === 'string' ? protocolVersion : ''
        sink.response(text, value)
      },
      failed: (error) => {
        if (error.code === 'upstream_invalid_response') return refuse(() => sink.failed(error))
        sink.failed(error)
        this.end()
      },
    }
  }

  #send(message: ClientMessage, answer: PostAnswer): void {
    const running: Running = { idKey: message.idKey, pending: undefined, answer }
    const sink: RequestSink = {
      related: (text) => {
        answer.related(text)
        if (answer.stream) this.#byStream.set(answer.stream, answer)
      },
      response: (text, value) => answer.response(message.idKey, text, value),
      failed: (error) => answer.failed(message.idKey, error),
    }
    const ended = whenOver(sink, () => this.#running.delete(running))
    this.#running.add(running)
    try {
      running.pending = this.#connectionOrThrow().request(message, ended)
    } catch (error) {
      ended.failed(toProxyError(error))
    }
  }

  #tell(message: ClientMessage): void {
    if (message.method !== 'notifications/cancelled') return this.#connectionOrThrow().tell(message)
    const { idKey, reason } = readCancellation(paramsOf(message))
    this.#running.cancelNewest(idKey, reason)?.answer.cancelled(idKey)
  }

  #connectionOrThrow(): ServerConnection {
    if (!this.#connection) throw new ProxyError('upstream_ended')
    return this.#connection
  }

  get #isAtWork(): boolean {
    return this.#answers.size > 0 || this.#opening?.isPending === true
  }

  /** The request that a message of the server is sent to the client with; one whose client may come back only if no other stream is there. */
  #findAnswer({ method }: ChildMessage): PostAnswer | undefined {
    const isAttached = this.#standalone?.isAttached === true
    if (isAttached && unrelated.test(method)) return undefined
    return this.#findAttached() ?? (isAttached ? undefined : this.#findNewest((answer) => answer.canStream))
  }

  #findAttached(): PostAnswer | undefined {
    return this.#findNewest((answer) => answer.canStream && answer.isAttached)
  }

  #findNewest(test: (answer: PostAnswer) => boolean): PostAnswer | undefined {
    return [...this.#answers].findLast(test)
  }
}

function toProxyError(error: unknown): ProxyError {
  return error instanceof ProxyError ? error : new ProxyError('internal_error', { cause: error })
}

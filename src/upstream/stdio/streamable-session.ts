import type { Call } from '../../core/call.ts'
import { ProxyError } from '../../core/errors.ts'
import type { Reply, ReplyHeaders } from '../../core/reply.ts'
import { findAcceptedForms } from './accepts.ts'
import { sendStatus } from './answers.ts'
import type { ChildMessage } from './child-messages.ts'
import { type ClientMessage, paramsOf } from './client-messages.ts'
import { EventStream } from './event-stream.ts'
import type { MemoryShare } from './held-memory.ts'
import type { Peer, PeerEvents, RequestSink } from './peer.ts'
import { PostAnswer } from './post-answer.ts'
import { StreamLog } from './stream-log.ts'

/** The first revision whose clients understand an event without content (2025-11-25, basic/transports). */
const revisionWithPriming = '2025-11-25'
/** `initialize` tells by its status whether there is a session: its answer begins late. */
const initializeMilliseconds = 15_000

/** Messages that belong to no request, whatever runs at the time. */
const unrelated =
  /^notifications\/(?:(?:tools|prompts|resources)\/list_changed|resources\/updated|tasks\/status|elicitation\/complete)$/

/**
 * An MCP session over Streamable HTTP (2025-03-26 to 2025-11-25). Its answers take the way back of their request; what the server sends
 * by itself goes to a request that runs, since it is most likely about that, else to the stream that a GET opened.
 */
export class StreamableSession implements PeerEvents {
  readonly id: string
  readonly principalKey: string
  readonly #log: StreamLog
  readonly #answers = new Set<PostAnswer>()
  readonly #byStream = new Map<EventStream, PostAnswer>()
  readonly #onOver: () => void
  #standalone: EventStream | undefined
  #peer: Peer | undefined
  #revision = ''
  #lastUsed = performance.now()
  #isOver = false

  /** @param id - unguessable; @param principalKey - whom it belongs to; @param onOver - called once */
  constructor(id: string, principalKey: string, memory: MemoryShare, onOver: () => void) {
    this.id = id
    this.principalKey = principalKey
    this.#onOver = onOver
    this.#log = new StreamLog(memory)
  }

  /** Gives the session its server; `initialize` is answered by it. */
  connect(peer: Peer): void {
    this.#peer = peer
    if (this.#isOver) peer.end()
  }

  get isOver(): boolean {
    return this.#isOver
  }

  /** Milliseconds for which nobody has used the session; 0 while somebody does. */
  idle(now: number): number {
    const isUsed = this.#answers.size > 0 || this.#standalone?.isAttached === true
    if (isUsed) this.#lastUsed = now
    return now - this.#lastUsed
  }

  /** Opens the session: the answer carries its id, unless the server refuses. */
  initialize(call: Call, reply: Reply, message: ClientMessage): void {
    let accepted = true
    const headers = (): ReplyHeaders => (accepted ? { 'mcp-session-id': this.id } : {})
    const onResponse = (value: Readonly<Record<string, unknown>>): void => {
      const result = value.result as { protocolVersion?: unknown } | undefined
      accepted = result !== undefined
      this.#revision = typeof result?.protocolVersion === 'string' ? result.protocolVersion : ''
    }
    const answer = this.#createAnswer(call, reply, [message], headers, initializeMilliseconds, () => {
      // Whoever gave up opening a session doesn't know its id, and never will.
      if (this.#revision === '') this.end()
    })
    this.#send(message, answer, onResponse)
  }

  /** @throws ProxyError `upstream_busy`, `upstream_ended`, `message_invalid` */
  post(call: Call, reply: Reply, messages: readonly ClientMessage[]): void {
    this.#lastUsed = performance.now()
    const requests = messages.filter(({ kind }) => kind === 'request')
    const answer = requests.length > 0 ? this.#createAnswer(call, reply, requests, () => ({})) : undefined
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
    const answer = unrelated.test(message.method) && this.#standalone?.isAttached ? undefined : this.#newestAnswer()
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
    this.#peer?.end()
  }

  keepAlive(): void {
    this.#standalone?.keepAlive()
    for (const answer of this.#answers) answer.stream?.keepAlive()
  }

  #finish(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#standalone?.end()
    this.#log.close()
    this.#onOver()
  }

  #findStandalone(): EventStream {
    this.#standalone ??= new EventStream({ log: this.#log, flow: this.#peer?.flow, onDetached: () => undefined })
    return this.#standalone
  }

  #createAnswer(
    call: Call,
    reply: Reply,
    requests: readonly ClientMessage[],
    headers: () => ReplyHeaders,
    openAfter?: number,
    onOver?: () => void,
  ): PostAnswer {
    const answer: PostAnswer = new PostAnswer({
      reply,
      ids: requests.map(({ idKey }) => idKey),
      isBatch: call.isBatch,
      accepts: findAcceptedForms(call),
      headers,
      log: this.#log,
      flow: this.#peer?.flow,
      primes: this.#revision >= revisionWithPriming,
      ...(openAfter === undefined ? {} : { openAfter }),
      onGone: (ids) => {
        for (const id of ids) this.#peer?.cancel(id, 'the client has gone away')
      },
      onOver: () => {
        this.#lastUsed = performance.now()
        this.#answers.delete(answer)
        if (answer.stream) this.#byStream.delete(answer.stream)
        onOver?.()
      },
    })
    this.#answers.add(answer)
    return answer
  }

  #send(message: ClientMessage, answer: PostAnswer, onResponse?: (value: Readonly<Record<string, unknown>>) => void): void {
    const sink: RequestSink = {
      related: (text) => {
        answer.related(text)
        if (answer.stream) this.#byStream.set(answer.stream, answer)
      },
      response: (text, value) => {
        onResponse?.(value)
        answer.response(message.idKey, text, value)
      },
      failed: (error) => answer.failed(message.idKey, error),
    }
    try {
      this.#peerOrThrow().request(message, sink)
    } catch (error) {
      answer.failed(message.idKey, error instanceof ProxyError ? error : new ProxyError('internal_error', { cause: error }))
    }
  }

  #tell(message: ClientMessage): void {
    this.#peerOrThrow().tell(message)
    if (message.method !== 'notifications/cancelled') return
    const id = JSON.stringify(paramsOf(message).requestId)
    for (const answer of this.#answers) answer.cancelled(id)
  }

  #peerOrThrow(): Peer {
    if (!this.#peer) throw new ProxyError('upstream_ended')
    return this.#peer
  }

  #newestAnswer(): PostAnswer | undefined {
    return [...this.#answers].reverse().find((answer) => answer.canStream)
  }
}

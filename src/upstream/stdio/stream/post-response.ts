import type { CancelTimer, Clock } from '../../../core/clock.ts'
import { ProxyError } from '../../../core/errors.ts'
import { type MemoryShare, PART_FOR_WAITING } from '../../../core/held-memory.ts'
import type { Reply, ReplyHeaders } from '../../../core/reply.ts'
import { formatRefusal, sendJson } from '../wire/json-responses.ts'
import { EventStream, type Flow } from './event-stream.ts'
import type { StreamLog } from './replay-buffer.ts'

/** When an incomplete answer begins as a stream: clients and proxies wait only so long for headers. */
const OPEN_AFTER_MS = 1000
/** The same for a stream that can be resumed. What is ready earlier is sent in one piece. */
const PRIME_AFTER_MS = 25
/** Time that a client has to resume a broken stream before its requests are cancelled. */
const RESUME_MS = 30_000

export interface PostAnswerOptions {
  readonly clock: Clock
  readonly reply: Reply
  /** Ids of the requests that are answered, in JSON. */
  readonly ids: readonly string[]
  readonly isBatch: boolean
  /** Whether the client reads event streams, and whether it reads nothing else. */
  readonly accepts: 'json' | 'stream' | 'both'
  /** Called for the headers when the answer begins. */
  readonly headers: () => ReplyHeaders
  /** Undefined where streams can't be resumed. */
  readonly log: StreamLog<EventStream> | undefined
  readonly flow: Flow | undefined
  /** The account for responses of a batch that wait for the others; undefined where there are no batches. */
  readonly memory?: MemoryShare
  /**
   * Whether the stream begins with an event without content, if the client reads streams. The client can then resume the stream wherever
   * the connection breaks.
   */
  readonly primes: boolean
  /** When an incomplete answer begins as a stream, if not at the usual time. */
  readonly openAfterMs?: number
  /** Called with the ids, in JSON, of the requests without a response when the client has given up. */
  readonly onGone: (ids: readonly string[]) => void
  /** Called when the answer is complete, or the client has given up. */
  readonly onOver: () => void
  /** The HTTP status of a single response; 200 unless the revision says otherwise. */
  readonly statusOf?: (value: Readonly<Record<string, unknown>>) => number
}

/**
 * The answer to one POST. It is JSON when it consists of responses that are ready soon, and otherwise an event stream (2025-11-25,
 * basic/transports, Sending Messages to the Server).
 */
export class PostAnswer {
  readonly #options: PostAnswerOptions
  readonly #open: Set<string>
  readonly #answers: string[] = []
  readonly #cancelOpening: CancelTimer | undefined
  #stream: EventStream | undefined
  #cancelGiveUp: CancelTimer | undefined
  #status = 200
  /** Bytes of the responses that wait. */
  #held = 0
  #isOver = false

  constructor(options: PostAnswerOptions) {
    this.#options = options
    this.#open = new Set(options.ids)
    if (options.accepts === 'both')
      this.#cancelOpening = options.clock.after(options.openAfterMs ?? (options.primes ? PRIME_AFTER_MS : OPEN_AFTER_MS), () =>
        this.#openStream(),
      )
    if (options.accepts === 'stream') this.#openStream()
    options.reply.onClose(() => {
      if (!this.#stream) this.#giveUp()
    })
  }

  /** Whether messages can be sent ahead of the responses. */
  get canStream(): boolean {
    return !this.#isOver && this.#options.accepts !== 'json'
  }

  /** Whether the client is connected. It may have lost a stream that it will resume. */
  get isAttached(): boolean {
    return this.#stream === undefined || this.#stream.isAttached
  }

  /** Undefined while the answer has not begun as a stream. */
  get stream(): EventStream | undefined {
    return this.#stream
  }

  /** Sends a message ahead of the responses. */
  related(text: string): void {
    if (this.canStream) this.#openStream().send(text)
  }

  response(id: string, text: string, value: Readonly<Record<string, unknown>>): void {
    if (!this.#open.delete(id)) return
    this.#status = this.#options.statusOf?.(value) ?? 200
    if (this.#stream) this.#stream.send(text)
    else this.#answers.push(this.#open.size === 0 ? text : this.#hold(id, text))
    if (this.#open.size === 0) this.#complete()
  }

  /** Fails one request. An answer that has not begun, and has no other request, becomes a refusal as a whole. */
  failed(id: string, error: ProxyError): void {
    if (!this.#open.has(id)) return
    if (this.#stream || this.#options.ids.length > 1) {
      this.#options.reply.report(error)
      return this.response(id, formatRefusal(id, error), {})
    }
    this.#open.delete(id)
    this.#finish()
    this.#options.reply.fail(error)
  }

  /** Ends a request that the client has cancelled. */
  cancelled(id: string): void {
    if (!this.#open.has(id)) return
    if (this.#stream) {
      this.#open.delete(id)
      if (this.#open.size === 0) this.#complete()
      return
    }
    this.response(id, formatRefusal(id, new ProxyError('client_gone')), {})
  }

  /** Has to be called when a client has resumed the stream. */
  resumed(): void {
    // It may have been lost again at once, for lack of memory.
    if (this.isAttached) this.#cancelGiveUp?.()
  }

  /** The response, or a refusal when there is no memory to keep it until the others are ready. */
  #hold(id: string, text: string): string {
    const bytes = 2 * text.length
    if (this.#options.memory?.take(bytes, PART_FOR_WAITING) === false) {
      const error = new ProxyError('upstream_busy', {
        reason: 'memory_full',
        cause: 'answers that wait take all memory',
        retryAfter: 5,
      })
      this.#options.reply.report(error)
      return formatRefusal(id, error)
    }
    this.#held += bytes
    return text
  }

  #takeAnswers(): readonly string[] {
    this.#options.memory?.give(this.#held)
    this.#held = 0
    return this.#answers.splice(0)
  }

  #openStream(): EventStream {
    if (this.#stream) return this.#stream
    const { log, reply, primes, headers } = this.#options
    this.#cancelOpening?.()
    this.#stream = this.#createStream()
    this.#stream.attach(reply, headers())
    if (primes && log) this.#stream.prime()
    for (const text of this.#takeAnswers()) this.#stream.send(text)
    return this.#stream
  }

  #createStream(): EventStream {
    const { log, flow } = this.#options
    return new EventStream({ log, flow, onDetached: () => this.#awaitReturn() })
  }

  #complete(): void {
    const { reply, isBatch, headers, primes, accepts } = this.#options
    this.#finish()
    if (this.#stream) return this.#stream.end()
    // The client may take long to read them. Their memory is given back before that.
    const answers = this.#takeAnswers()
    if (primes && accepts === 'both') return this.#createStream().deliver(reply, headers(), ['', ...answers])
    sendJson(reply, isBatch ? 200 : this.#status, isBatch ? `[${answers.join(',')}]` : (answers[0] ?? ''), headers())
  }

  #awaitReturn(): void {
    if (this.#isOver) return
    if (!this.#options.log) return this.#giveUp()
    this.#cancelGiveUp?.()
    this.#cancelGiveUp = this.#options.clock.after(RESUME_MS, () => this.#giveUp())
  }

  #giveUp(): void {
    if (this.#isOver) return
    const ids = [...this.#open]
    this.#open.clear()
    this.#takeAnswers()
    this.#finish()
    this.#stream?.end()
    this.#options.onGone(ids)
  }

  #finish(): void {
    this.#isOver = true
    this.#cancelOpening?.()
    this.#cancelGiveUp?.()
    this.#options.onOver()
  }
}

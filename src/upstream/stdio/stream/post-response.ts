import { ProxyError } from '../../../core/errors.ts'
import type { Reply, ReplyHeaders } from '../../../core/reply.ts'
import { type MemoryShare, partOfWaiting } from '../wire/held-memory.ts'
import { formatRefusal, sendJson } from '../wire/json-responses.ts'
import { EventStream, type Flow } from './event-stream.ts'
import type { StreamLog } from './replay-buffer.ts'

/** Milliseconds after which an answer that isn't there yet begins as a stream: clients and proxies wait only so long for headers. */
const openAfterMilliseconds = 1000
/** The same for a stream that can be resumed: what is there by then goes out in one piece. */
const primeAfterMilliseconds = 25
/** Milliseconds that a client has to come back for a stream that broke, before its requests are cancelled. */
const resumeMilliseconds = 30_000

export interface PostAnswerOptions {
  readonly reply: Reply
  /** Ids of the requests that are answered, in JSON. */
  readonly ids: readonly string[]
  readonly isBatch: boolean
  /** Whether the client reads event streams, and whether it reads nothing else. */
  readonly accepts: 'json' | 'stream' | 'both'
  /** Headers of the answer; asked for when it begins. */
  readonly headers: () => ReplyHeaders
  /** Undefined where streams can't be resumed. */
  readonly log: StreamLog<EventStream> | undefined
  readonly flow: Flow | undefined
  /** For answers of a batch that wait for the others; undefined where there are no batches. */
  readonly memory?: MemoryShare
  /**
   * Whether the answer is a stream that begins with an event without content, if the client reads streams: what it then loses with a
   * connection, it can come back for.
   */
  readonly primes: boolean
  /** Milliseconds instead of the usual ones until the answer begins as a stream. */
  readonly openAfter?: number
  /** Nobody waits for what has not been answered: ids in JSON. */
  readonly onGone: (ids: readonly string[]) => void
  /** Everything is answered, or nobody waits any more. */
  readonly onOver: () => void
  /** HTTP status of a single answer; 200 unless the revision says otherwise. */
  readonly statusOf?: (value: Readonly<Record<string, unknown>>) => number
}

/**
 * The answer to one POST: JSON when nothing but the answers is to be sent and they are there soon, else an event stream (2025-11-25,
 * basic/transports, Sending Messages to the Server).
 */
export class PostAnswer {
  readonly #options: PostAnswerOptions
  readonly #open: Set<string>
  readonly #answers: string[] = []
  readonly #timer: NodeJS.Timeout | undefined
  #stream: EventStream | undefined
  #resume: NodeJS.Timeout | undefined
  #status = 200
  /** Bytes of the answers that wait. */
  #held = 0
  #isOver = false

  constructor(options: PostAnswerOptions) {
    this.#options = options
    this.#open = new Set(options.ids)
    if (options.accepts === 'both')
      this.#timer = setTimeout(
        () => this.#openStream(),
        options.openAfter ?? (options.primes ? primeAfterMilliseconds : openAfterMilliseconds),
      )
    if (options.accepts === 'stream') this.#openStream()
    options.reply.onClose(() => {
      if (!this.#stream) this.#giveUp()
    })
  }

  /** Whether messages can be sent before the answer. */
  get canStream(): boolean {
    return !this.#isOver && this.#options.accepts !== 'json'
  }

  /** Whether the client is there: it may have lost a stream that it comes back for. */
  get isAttached(): boolean {
    return this.#stream === undefined || this.#stream.isAttached
  }

  /** The stream, once there is one. */
  get stream(): EventStream | undefined {
    return this.#stream
  }

  /** Sends a message that comes before the answers. */
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

  /** One request will not be answered. Where nothing has been sent and nothing else is awaited, all of it is a refusal. */
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

  /** The client has cancelled a request: nothing will come. */
  cancelled(id: string): void {
    if (!this.#open.has(id)) return
    if (this.#stream) {
      this.#open.delete(id)
      if (this.#open.size === 0) this.#complete()
      return
    }
    this.response(id, formatRefusal(id, new ProxyError('client_gone')), {})
  }

  /** Somebody has taken the stream up again. */
  resumed(): void {
    clearTimeout(this.#resume)
  }

  /** The answer, or a refusal where there is no memory for it until the others are there. */
  #hold(id: string, text: string): string {
    const bytes = 2 * text.length
    if (this.#options.memory?.take(bytes, partOfWaiting) === false) {
      const error = new ProxyError('upstream_busy', { cause: 'answers that wait take all memory', retryAfter: 5 })
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
    clearTimeout(this.#timer)
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
    // The client may take long to read them: they are not to be held here, too.
    const answers = this.#takeAnswers()
    if (primes && accepts === 'both') return this.#createStream().deliver(reply, headers(), ['', ...answers])
    sendJson(reply, isBatch ? 200 : this.#status, isBatch ? `[${answers.join(',')}]` : (answers[0] ?? ''), headers())
  }

  #awaitReturn(): void {
    if (this.#isOver) return
    if (!this.#options.log) return this.#giveUp()
    clearTimeout(this.#resume)
    this.#resume = setTimeout(() => this.#giveUp(), resumeMilliseconds)
    this.#resume.unref()
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
    clearTimeout(this.#timer)
    clearTimeout(this.#resume)
    this.#options.onOver()
  }
}

import { Buffer } from 'node:buffer'
import { ProxyError } from '../../../core/errors.ts'
import type { Reply, ReplyHeaders } from '../../../core/reply.ts'
import type { StreamLog } from './replay-buffer.ts'

/** What may be written to a slow client when its process can't be made to wait. */
const MAX_UNREAD_BYTES = 4 * 1024 * 1024

/** Tells clients when to reconnect. */
const RETRY_MS = 1000

/** The last header keeps nginx from buffering events (2026-07-28, streamable-http, Receiving Messages). */
const STREAM_HEADERS: ReplyHeaders = {
  'content-type': 'text/event-stream',
  'cache-control': 'no-cache, no-transform',
  'x-accel-buffering': 'no',
}

/** Makes the source of a stream wait for a slow client. */
export interface Flow {
  pause(): void
  resume(): void
}

export interface EventStreamOptions {
  /** Keeps events so that the stream can be resumed; undefined where it can't be. */
  readonly log: StreamLog<EventStream> | undefined
  /** Undefined when a slow client must not delay others. It is disconnected instead. */
  readonly flow: Flow | undefined
  /** Called when the client has disconnected before the end of the stream. */
  readonly onDetached: () => void
}

/** A stream of events. If it can be resumed, it outlives the connections over which it is sent. */
export class EventStream {
  readonly #options: EventStreamOptions
  readonly #key: string
  #reply: Reply | undefined
  #sequence = 0
  #unsentFrom = 1
  #isEnded = false
  #isBlocked = false
  #unreadBytes = 0

  constructor(options: EventStreamOptions) {
    this.#options = options
    this.#key = options.log?.register(this) ?? ''
  }

  get isAttached(): boolean {
    return this.#reply !== undefined
  }

  get isEnded(): boolean {
    return this.#isEnded
  }

  /**
   * Sends the stream to a client.
   *
   * @param headers - in addition to those of event streams
   * @param after - number of the last event that the client has; undefined to begin with the first that was never sent
   * @returns false when events after that one are not kept any more
   */
  attach(reply: Reply, headers: ReplyHeaders = {}, after?: number): boolean {
    const from = (after ?? this.#unsentFrom - 1) + 1
    const missed = this.#options.log?.after(this, from - 1) ?? []
    if (after !== undefined && missed.length < this.#sequence - after) return false
    this.#reply?.end()
    this.#detach()
    this.#reply = reply
    reply.start(200, { ...STREAM_HEADERS, ...headers })
    reply.onDrain(() => this.#reply === reply && this.#unblock())
    for (const { sequence, text } of missed) this.#write(this.#format(text, sequence))
    reply.onClose(() => this.#lose(reply))
    if (this.#isEnded) this.#finish()
    return true
  }

  /** Sends a complete stream in one piece. It can be resumed like any other. */
  deliver(reply: Reply, headers: ReplyHeaders, texts: readonly string[]): void {
    let body = ''
    for (const text of texts) {
      this.#options.log?.keep(this, ++this.#sequence, text)
      body += this.#format(text, this.#sequence)
    }
    this.#isEnded = true
    const bytes = Buffer.from(body)
    reply.start(200, { ...STREAM_HEADERS, ...headers, 'content-length': String(bytes.length) })
    reply.write(bytes)
    reply.end()
  }

  /** Sends an event without content, so that the client knows where to resume (2025-11-25, basic/transports). */
  prime(): void {
    this.#emit('')
  }

  /** Sends a message, or keeps it until a client is connected. */
  send(text: string): void {
    if (!this.#isEnded) this.#emit(text)
  }

  /** Sends an event that is not a message. It is not kept. */
  announce(name: string, data: string): void {
    this.#write(`event: ${name}\ndata: ${data}\n\n`)
  }

  /** Sends a comment, so that no proxy in between closes a silent stream. */
  keepAlive(): void {
    if (!this.#isBlocked) this.#reply?.write(COMMENT)
  }

  /** Ends the stream. */
  end(): void {
    if (this.#isEnded) return
    this.#isEnded = true
    this.#finish()
  }

  #emit(text: string): void {
    this.#sequence++
    this.#options.log?.keep(this, this.#sequence, text)
    if (this.#reply) this.#write(this.#format(text, this.#sequence))
  }

  #format(text: string, sequence: number): string {
    this.#unsentFrom = sequence + 1
    const id = this.#options.log ? `id: ${this.#key}_${sequence}\n` : ''
    // The first event says when to reconnect (2025-11-25, basic/transports, Sending Messages 6).
    const retry = id !== '' && sequence === 1 ? `retry: ${RETRY_MS}\n` : ''
    return text === '' ? `${id}${retry}data: \n\n` : `event: message\n${id}${retry}data: ${text}\n\n`
  }

  #write(frame: string): void {
    const bytes = Buffer.from(frame)
    if (this.#isBlocked) this.#unreadBytes += bytes.length
    if (this.#isBlocked && !this.#options.flow && this.#unreadBytes > MAX_UNREAD_BYTES) return this.#cut()
    if (this.#reply?.write(bytes) === false && this.#reply) this.#block()
  }

  #block(): void {
    if (this.#isBlocked) return
    this.#isBlocked = true
    this.#unreadBytes = 0
    this.#options.flow?.pause()
  }

  #unblock(): void {
    if (!this.#isBlocked) return
    this.#isBlocked = false
    this.#options.flow?.resume()
  }

  #cut(): void {
    this.#reply?.fail(new ProxyError('client_gone', { cause: 'the client does not read what the server sends' }))
  }

  #finish(): void {
    const reply = this.#reply
    this.#detach()
    reply?.end()
  }

  #lose(reply: Reply): void {
    if (this.#reply !== reply) return
    this.#detach()
    this.#options.onDetached()
  }

  #detach(): void {
    this.#reply = undefined
    this.#unblock()
  }
}

const COMMENT = Buffer.from(':\n\n')

import { randomBytes } from 'node:crypto'
import { ProxyError } from '../../../core/errors.ts'
import type { Channel } from '../channel/multiplexed-channel.ts'
import type { PendingRequest } from '../channel/pending-request.ts'
import type { RequestSink } from '../channel/server-connection.ts'
import type { ModernRequest } from '../modern/modern-request.ts'
import type { ChildMessage } from '../wire/child-messages.ts'
import { paramsOf } from '../wire/client-messages.ts'
import { type MemoryShare, partOfWaiting } from '../wire/held-memory.ts'
import { replaceResponseId } from '../wire/json-edits.ts'
import { formatError } from '../wire/json-responses.ts'
import {
  digestRequest,
  findMissingCapability,
  formatInputRequired,
  type InputRequest,
  readRetry,
  toInputRequest,
} from './translate-messages.ts'

/** Milliseconds for which a call waits for the client's input. */
const patienceMilliseconds = 5 * 60_000

/** Questions of one call that wait for the client at a time, and how long they may be together, in characters. */
const mostQuestions = 100
const mostQuestionCharacters = 1024 * 1024

/** Brings answers to a request into their modern form. */
export type Translate = (request: ModernRequest, sink: RequestSink) => RequestSink

/** Its value would take far more memory than its text. */
interface KeptAnswer {
  readonly bytes: number
  deliver(sink: RequestSink): void
}

interface Question {
  /** The child's id, in JSON. */
  readonly id: string
  readonly request: InputRequest
  readonly characters: number
}

/**
 * A call that may ask its client for something. A legacy server asks by requests of its own and goes on when they are answered; a modern
 * client is told that input is required and calls again with it (2026-07-28, patterns/mrtr). In between, the call waits in its child, and
 * the child is its own: there is nobody else whom a question could be for.
 */
export class RoundTrip {
  readonly #channel: Channel
  readonly #roundTrips: RoundTrips
  readonly #owner: string
  readonly #translate: Translate
  readonly #capabilities: Readonly<Record<string, unknown>>
  readonly #questions = new Map<string, Question>()
  #sink: RequestSink | undefined
  #idKey: string
  #pending: PendingRequest | undefined
  #state: string | undefined
  #timer: NodeJS.Timeout | undefined
  #asked = 0
  #isOver = false
  readonly #memory: MemoryShare
  /** An answer that came while nobody asked for it. */
  #kept: KeptAnswer | undefined

  /** @param owner - whose call it is, and which; see {@link ownerOf} */
  constructor(
    roundTrips: RoundTrips,
    channel: Channel,
    request: ModernRequest,
    owner: string,
    sink: RequestSink,
    translate: Translate,
  ) {
    const { message, envelope, memory } = request
    this.#memory = memory
    this.#translate = translate
    this.#roundTrips = roundTrips
    this.#channel = channel
    this.#owner = owner
    this.#capabilities = envelope.capabilities
    this.#sink = translate(request, sink)
    this.#idKey = message.idKey
  }

  /** Where the child's answer goes: to whoever asks at the time. */
  get sink(): RequestSink {
    return {
      related: (text) => this.#sink?.related(text),
      response: (text, value) => this.#finish((sink) => sink.response(text, value), text),
      failed: (error) => this.#finish((sink) => sink.failed(error)),
    }
  }

  get isOver(): boolean {
    return this.#isOver
  }

  start(pending: PendingRequest): PendingRequest {
    this.#pending = pending
    return this.#createPending()
  }

  /** The child asks something of the client. */
  ask(message: ChildMessage): void {
    const request = toInputRequest(message.method, paramsOf(message))
    const id = JSON.stringify(message.id)
    const missing = findMissingCapability(request, this.#capabilities)
    if (missing)
      return tell(this.#channel, formatError(id, -32601, `The client has not declared ${Object.keys(missing).join(', ')}`))
    const characters = message.text.length
    if (!this.#hasRoomFor(characters))
      return tell(this.#channel, formatError(id, -32603, 'Too many requests wait for the client'))
    this.#questions.set(String(++this.#asked), { id, request, characters })
    // Questions that come together are asked together.
    setImmediate(() => this.#requireInput())
  }

  /** A server that asks without end would be held whole: the client reads no more than it asks for. */
  #hasRoomFor(characters: number): boolean {
    const waiting = [...this.#questions.values()].reduce((sum, question) => sum + question.characters, 0)
    return this.#questions.size < mostQuestions && waiting + characters <= mostQuestionCharacters
  }

  /** Whether a retry continues this call. */
  accepts(request: ModernRequest): boolean {
    return ownerOf(request) === this.#owner
  }

  /** The client has called again. */
  resume(request: ModernRequest, sink: RequestSink): PendingRequest {
    const { message } = request
    const { inputResponses } = readRetry(message)
    this.#leaveWaiting()
    this.#sink = this.#translate(request, sink)
    this.#idKey = message.idKey
    this.#pending?.moveTo(message)
    for (const [key, question] of [...this.#questions]) this.#answer(key, question, inputResponses[key])
    const kept = this.#takeKept()
    if (kept) kept.deliver(this.#sink)
    else if (this.#questions.size > 0) this.#requireInput()
    return this.#createPending()
  }

  #answer(key: string, { id }: Question, response: unknown): void {
    if (response === undefined) return
    this.#questions.delete(key)
    tell(this.#channel, `{"jsonrpc":"2.0","id":${id},"result":${JSON.stringify(response)}}`)
  }

  #requireInput(): void {
    const sink = this.#sink
    if (!sink || this.#isOver || this.#questions.size === 0) return
    this.#sink = undefined
    this.#state = this.#roundTrips.wait(this)
    this.#timer = setTimeout(() => this.#abandon(), patienceMilliseconds)
    this.#timer.unref()
    const requests = Object.fromEntries([...this.#questions].map(([key, { request }]) => [key, request]))
    sink.response(formatInputRequired(this.#idKey, requests, this.#state), {})
  }

  #leaveWaiting(): void {
    clearTimeout(this.#timer)
    if (this.#state !== undefined) this.#roundTrips.forget(this.#state)
    this.#state = undefined
  }

  #createPending(): PendingRequest {
    return {
      // Once input is required, the request that said so is over: only the next one can be cancelled.
      cancel: (reason) => {
        if (this.#state === undefined) this.#cancel(reason)
      },
      moveTo: () => undefined,
    }
  }

  #abandon(): void {
    this.#cancel('the client has not come back')
    this.#takeKept()
    this.#leaveWaiting()
  }

  #cancel(reason: string): void {
    if (this.#isOver) return
    this.#pending?.cancel(reason)
    for (const { id } of this.#questions.values()) tell(this.#channel, formatError(id, -32603, reason))
    this.#finish(() => undefined)
  }

  /** @param text - of an answer, which may have to be kept */
  #finish(deliver: (sink: RequestSink) => void, text?: string): void {
    if (this.#isOver) return
    this.#isOver = true
    const sink = this.#sink
    if (sink) {
      this.#leaveWaiting()
      deliver(sink)
    } else this.#kept = text === undefined ? { bytes: 0, deliver } : this.#keep(text)
    this.#roundTrips.changed()
  }

  #keep(text: string): KeptAnswer {
    const bytes = 2 * text.length
    const answered = this.#idKey
    const deliver = (sink: RequestSink): void => {
      const value = JSON.parse(text) as Readonly<Record<string, unknown>>
      sink.response(replaceResponseId(text, answered, this.#idKey), value)
    }
    if (this.#memory.take(bytes, partOfWaiting)) return { bytes, deliver }
    const error = new ProxyError('upstream_busy', { cause: 'answers that wait for their client take all memory', retryAfter: 30 })
    return { bytes: 0, deliver: (sink) => sink.failed(error) }
  }

  #takeKept(): KeptAnswer | undefined {
    const kept = this.#kept
    this.#kept = undefined
    if (kept) this.#memory.give(kept.bytes)
    return kept
  }
}

/** Calls that wait for input, by the state that the client carries: unguessable, and good for one retry. */
export class RoundTrips {
  readonly #waiting = new Map<string, RoundTrip>()
  readonly #onChange: () => void

  /** @param onChange - a child may have become free */
  constructor(onChange: () => void) {
    this.#onChange = onChange
  }

  wait(roundTrip: RoundTrip): string {
    const state = randomBytes(24).toString('base64url')
    this.#waiting.set(state, roundTrip)
    return state
  }

  forget(state: string): void {
    this.#waiting.delete(state)
  }

  changed(): void {
    this.#onChange()
  }

  /** The call that a retry continues; undefined when there is none, or it is someone else's, or another one. */
  find(state: unknown, request: ModernRequest): RoundTrip | undefined {
    const roundTrip = typeof state === 'string' ? this.#waiting.get(state) : undefined
    return roundTrip?.accepts(request) ? roundTrip : undefined
  }
}

/** The same for a call and its retries by the same principal, and for nothing else. */
export function ownerOf({ principalKey, message }: ModernRequest): string {
  return `${principalKey} ${digestRequest(message)}`
}

export function tell(channel: Channel, text: string): void {
  try {
    channel.tell(text)
  } catch {
    // A child that is gone or doesn't read fails its calls by itself.
  }
}

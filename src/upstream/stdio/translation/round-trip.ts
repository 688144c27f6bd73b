import { ProxyError } from '../../../core/errors.ts'
import { type MemoryShare, PART_FOR_WAITING } from '../../../core/held-memory.ts'
import { tellQuietly } from '../channel/answer-server.ts'
import type { Channel } from '../channel/multiplexed-channel.ts'
import type { PendingRequest, TransferableRequest } from '../channel/pending-request.ts'
import type { RequestSink, ResponseSink } from '../channel/request-sink.ts'
import type { ModernRequest } from '../modern/modern-request.ts'
import type { ChildMessage } from '../wire/child-messages.ts'
import { paramsOf } from '../wire/client-messages.ts'
import { replaceResponseId } from '../wire/json-edits.ts'
import { formatError } from '../wire/json-responses.ts'
import { readResponseValue } from '../wire/sparse-response.ts'
import type { InputWait, InputWaits, WaitingCall } from './input-waits.ts'
import { findMissingCapability, formatInputRequired, type InputRequest, readRetry, toInputRequest } from './translate-messages.ts'

/** Questions of one call that wait for the client. */
const MAX_QUESTIONS = 100
const MAX_QUESTION_CHARACTERS = 1024 * 1024

export interface RoundTripOptions {
  readonly channel: Channel
  readonly waits: InputWaits
  readonly owner: string
  /** Translates the response to a request. */
  readonly translate: (request: ModernRequest, sink: RequestSink) => RequestSink
}

type State =
  /** The client waits for the response. */
  | { readonly kind: 'running'; readonly sink: RequestSink }
  /** The client was told that input is required. Its next request has the input. */
  | { readonly kind: 'input_required'; readonly wait: InputWait }
  /** The server has answered since. The next request gets that response. */
  | { readonly kind: 'answered'; readonly wait: InputWait; readonly kept: KeptResponse }
  | { readonly kind: 'over' }

/** A response as text, since a value takes far more memory. */
interface KeptResponse {
  readonly bytes: number
  deliver(sink: RequestSink): void
}

interface Question {
  /** The server's id, in JSON. */
  readonly id: string
  readonly request: InputRequest
  readonly characters: number
}

/**
 * A call during which a legacy server may ask its client for something. Such a server sends requests of its own, and goes on when they are
 * answered. A modern client gets a result that says which input is required, and repeats its request with that input (2026-07-28,
 * patterns/mrtr). Meanwhile the call stays pending in its process. No other call uses that process, so it is clear whom a question is for.
 */
export class RoundTrip implements WaitingCall {
  readonly owner: string
  readonly #options: RoundTripOptions
  readonly #capabilities: Readonly<Record<string, unknown>>
  readonly #memory: MemoryShare
  readonly #questions = new Map<string, Question>()
  readonly #request: TransferableRequest
  #asked = 0
  #idKey: string
  #state: State

  /**
   * @param send - sends the request to the server
   * @throws ProxyError of `send`
   */
  constructor(
    options: RoundTripOptions,
    request: ModernRequest,
    sink: RequestSink,
    send: (sink: ResponseSink) => TransferableRequest,
  ) {
    this.owner = options.owner
    this.#options = options
    this.#capabilities = request.envelope.capabilities
    this.#memory = request.memory
    this.#idKey = request.message.idKey
    this.#state = { kind: 'running', sink: options.translate(request, sink) }
    this.#request = send(this.#createSink())
  }

  /** Whether the server has answered, or the call was cancelled. */
  get isOver(): boolean {
    return this.#state.kind === 'answered' || this.#state.kind === 'over'
  }

  /** The client's part: its request can be cancelled while it waits for the response. */
  get pending(): PendingRequest {
    return { kind: 'sent', cancel: (reason) => this.#state.kind === 'running' && this.#cancel(reason) }
  }

  /** Passes on a request that the server sends to its client. */
  ask(message: ChildMessage): void {
    const request = toInputRequest(message.method, paramsOf(message))
    const id = JSON.stringify(message.id)
    const characters = message.text.length
    const missing = findMissingCapability(request, this.#capabilities)
    if (missing) return this.#refuse(id, -32601, `The client has not declared ${Object.keys(missing).join(', ')}`)
    if (!this.#hasRoomFor(characters)) return this.#refuse(id, -32603, 'Too many requests wait for the client')
    this.#questions.set(String(++this.#asked), { id, request, characters })
    // Questions of one tick are asked together.
    setImmediate(() => this.#requireInput())
  }

  /** Continues the call with the client's next request. */
  resume(request: ModernRequest, sink: RequestSink): PendingRequest {
    const before = this.#state
    this.#endWait()
    const translated = this.#options.translate(request, sink)
    this.#state = { kind: 'running', sink: translated }
    this.#idKey = request.message.idKey
    this.#request.transferTo(request.message)
    this.#answerQuestions(readRetry(request.message).inputResponses)
    if (before.kind === 'answered') this.#deliverKept(before.kept, translated)
    else if (this.#questions.size > 0) this.#requireInput()
    return this.pending
  }

  expire(): void {
    if (this.#state.kind === 'answered') this.#dropKept(this.#state.kept)
    else this.#cancel('the client has not come back')
  }

  #createSink(): ResponseSink {
    return {
      kind: 'response',
      related: (text) => this.#state.kind === 'running' && this.#state.sink.related(text),
      response: (text, value) => this.#finish((sink) => sink.response(text, value), text),
      failed: (error) => this.#finish((sink) => sink.failed(error)),
    }
  }

  /** The client reads no more questions than it asks for, so their number has to be bounded here. */
  #hasRoomFor(characters: number): boolean {
    const waiting = [...this.#questions.values()].reduce((sum, question) => sum + question.characters, 0)
    return this.#questions.size < MAX_QUESTIONS && waiting + characters <= MAX_QUESTION_CHARACTERS
  }

  #answerQuestions(responses: Readonly<Record<string, unknown>>): void {
    for (const [key, { id }] of [...this.#questions]) {
      if (responses[key] === undefined) continue
      this.#questions.delete(key)
      tellQuietly(this.#options.channel, `{"jsonrpc":"2.0","id":${id},"result":${JSON.stringify(responses[key])}}`)
    }
  }

  #requireInput(): void {
    if (this.#state.kind !== 'running' || this.#questions.size === 0) return
    const { sink } = this.#state
    const wait = this.#options.waits.begin(this)
    this.#state = { kind: 'input_required', wait }
    const requests = Object.fromEntries([...this.#questions].map(([key, { request }]) => [key, request]))
    sink.response(formatInputRequired(this.#idKey, requests, wait.requestState), {})
  }

  #cancel(reason: string): void {
    if (this.isOver) return
    this.#request.cancel(reason)
    for (const { id } of this.#questions.values()) this.#refuse(id, -32603, reason)
    this.#endWait()
    this.#state = { kind: 'over' }
  }

  #refuse(id: string, code: number, reason: string): void {
    tellQuietly(this.#options.channel, formatError(id, code, reason))
  }

  /** @param text - of a response, which has to be kept when no client waits for it */
  #finish(deliver: (sink: RequestSink) => void, text?: string): void {
    if (this.#state.kind === 'running') {
      const { sink } = this.#state
      this.#state = { kind: 'over' }
      deliver(sink)
    } else if (this.#state.kind === 'input_required') {
      const kept = text === undefined ? { bytes: 0, deliver } : this.#keep(text)
      this.#state = { kind: 'answered', wait: this.#state.wait, kept }
    }
  }

  #keep(text: string): KeptResponse {
    const bytes = 2 * text.length
    const id = this.#idKey
    const deliver = (sink: RequestSink): void => {
      sink.response(replaceResponseId(text, id, this.#idKey), readResponseValue(text))
    }
    if (this.#memory.take(bytes, PART_FOR_WAITING)) return { bytes, deliver }
    const error = new ProxyError('upstream_busy', {
      reason: 'memory_full',
      cause: 'answers that wait for their client take all memory',
      retryAfter: 30,
    })
    return { bytes: 0, deliver: (sink) => sink.failed(error) }
  }

  #deliverKept(kept: KeptResponse, sink: RequestSink): void {
    this.#state = { kind: 'over' }
    this.#memory.give(kept.bytes)
    kept.deliver(sink)
  }

  #dropKept(kept: KeptResponse): void {
    this.#endWait()
    this.#state = { kind: 'over' }
    this.#memory.give(kept.bytes)
  }

  #endWait(): void {
    if (this.#state.kind === 'input_required' || this.#state.kind === 'answered') this.#state.wait.end()
  }
}

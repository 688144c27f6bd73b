import { ProxyError, toProxyError } from '../../../core/errors.ts'
import { type MemoryShare, PART_FOR_WAITING } from '../../../core/held-memory.ts'
import { type PendingRequest, UNSENT } from '../channel/pending-request.ts'
import type { ResponseSink } from '../channel/request-sink.ts'
import type { ServerConnection } from '../channel/server-connection.ts'
import { type ClientMessage, paramsOf } from '../wire/client-messages.ts'
import { replaceResponseId } from '../wire/json-edits.ts'
import { formatUnsupported, UNSUPPORTED_VERSION } from '../wire/modern-envelope.ts'

/** The revisions of a server that speaks only modern ones; undefined for any other server. */
export type FindRevisions = () => Promise<readonly string[] | undefined>

export interface OpeningOptions {
  readonly findRevisions: FindRevisions
  /** The account for a response that has to be kept. */
  readonly memory: MemoryShare
  /** Called when the server has opened the session. */
  readonly onOpened: (protocolVersion: unknown) => void
  /** Called when the server has refused to open the session. */
  readonly onRefused: () => void
  /** Called when the session can't be used, after its client was told. */
  readonly onFailed: () => void
}

type Deliver = (client: ResponseSink, idKey: string) => void

type State =
  /** No client waits, since the one that sent `initialize` has given up. */
  | { readonly kind: 'unattended' }
  | { readonly kind: 'attended'; readonly client: ResponseSink }
  /** The server has answered while no client waited. */
  | { readonly kind: 'kept'; readonly bytes: number; readonly deliver: Deliver }
  | { readonly kind: 'over' }

/**
 * The `initialize` of a session. It goes on when its client gives up: a first start (of `npx`, for example) may take longer than clients wait.
 * The next client that sends the same gets the response.
 */
export class Opening {
  readonly #options: OpeningOptions
  readonly #protocolVersion: unknown
  #idKey: string
  #request: PendingRequest = UNSENT
  #state: State = { kind: 'unattended' }

  constructor(initialize: ClientMessage, options: OpeningOptions) {
    this.#options = options
    this.#idKey = initialize.idKey
    this.#protocolVersion = paramsOf(initialize).protocolVersion
  }

  /** Whether the server has not answered yet. */
  get isPending(): boolean {
    return this.#state.kind === 'unattended' || this.#state.kind === 'attended'
  }

  send(connection: ServerConnection, initialize: ClientMessage): void {
    const sink = this.#createSink()
    try {
      this.#request = connection.request(initialize, sink)
    } catch (error) {
      sink.failed(toProxyError(error))
    }
  }

  /** Gives the response to a client, now or when it comes. */
  attend(message: ClientMessage, client: ResponseSink): void {
    const before = this.#state
    if (before.kind === 'kept') {
      this.close()
      return before.deliver(client, message.idKey)
    }
    this.#idKey = message.idKey
    if (this.#request.kind === 'transferable') this.#request.transferTo(message)
    if (before.kind !== 'over') this.#state = { kind: 'attended', client }
  }

  /** The client has given up. */
  leave(): void {
    if (this.#state.kind === 'attended') this.#state = { kind: 'unattended' }
  }

  /** Gives back the memory of a kept response. */
  close(): void {
    if (this.#state.kind !== 'kept') return
    this.#options.memory.give(this.#state.bytes)
    this.#state = { kind: 'over' }
  }

  #createSink(): ResponseSink {
    return {
      kind: 'response',
      related: (text) => {
        if (this.#state.kind === 'attended') this.#state.client.related(text)
      },
      response: (text, value) => {
        if (value.result === undefined) return void this.#refuse(() => this.#respond(text, { error: readCode(value.error) }))
        this.#options.onOpened((value.result as { protocolVersion?: unknown }).protocolVersion)
        this.#respond(text, { result: {} })
      },
      failed: (error) => {
        if (error.code === 'upstream_invalid_response') return void this.#refuse(() => this.#fail(error))
        this.#fail(error)
        this.#options.onFailed()
      },
    }
  }

  /** Explains a refusal: "this message may be the only diagnostic they can surface" (2026-07-28, basic/versioning). */
  async #refuse(passOn: () => void): Promise<void> {
    this.#options.onRefused()
    const revisions = await this.#options.findRevisions().catch(() => undefined)
    if (revisions) {
      const text = formatUnsupported(this.#idKey, this.#protocolVersion, revisions)
      this.#respond(text, { error: { code: UNSUPPORTED_VERSION } })
    } else passOn()
    this.#options.onFailed()
  }

  /** @param outcome - no more of the response than has to be known: it takes more memory than the text, and may be kept */
  #respond(text: string, outcome: Readonly<Record<string, unknown>>): void {
    const id = this.#idKey
    this.#settle((client, idKey) => client.response(replaceResponseId(text, id, idKey), outcome), 2 * text.length)
  }

  #fail(error: ProxyError): void {
    this.#settle((client) => client.failed(error), 0)
  }

  /** @param bytes - that `deliver` holds */
  #settle(deliver: Deliver, bytes: number): void {
    const before = this.#state
    if (before.kind === 'attended') {
      this.#state = { kind: 'over' }
      deliver(before.client, this.#idKey)
    } else if (before.kind === 'unattended') this.#state = this.#keep(deliver, bytes)
  }

  #keep(deliver: Deliver, bytes: number): State {
    if (this.#options.memory.take(bytes, PART_FOR_WAITING)) return { kind: 'kept', bytes, deliver }
    const error = new ProxyError('upstream_busy', {
      reason: 'memory_full',
      cause: 'answers that wait for their client take all memory',
      retryAfter: 30,
    })
    return { kind: 'kept', bytes: 0, deliver: (client) => client.failed(error) }
  }
}

function readCode(error: unknown): { readonly code: unknown } {
  return { code: (error as { code?: unknown } | null)?.code }
}

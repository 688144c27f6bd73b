import type { Call } from '../../../core/call.ts'
import { ProxyError, toProxyError } from '../../../core/errors.ts'
import { type MemoryShare, PART_FOR_WAITING } from '../../../core/held-memory.ts'
import { formatPrincipalKey } from '../../../core/principal.ts'
import type { Reply } from '../../../core/reply.ts'
import { formatListenEnd } from '../../../mcp/listen-end.ts'
import type { SessionSeal } from '../../../mcp/session-seal.ts'
import { whileQueued } from '../channel/channel-pool.ts'
import { Channel } from '../channel/multiplexed-channel.ts'
import { cancelRequest, type PendingRequest, UNSENT } from '../channel/pending-request.ts'
import { probeRevision, type ServerProtocol } from '../channel/probe-revision.ts'
import type { RequestSink, ResponseSink } from '../channel/request-sink.ts'
import type { Spare } from '../process/places.ts'
import { findOwner, formatOwnerKey, type ProcessOwner } from '../process/process-owner.ts'
import type { ProcessSource } from '../process/server-process.ts'
import { PostAnswer } from '../stream/post-response.ts'
import { findAcceptedForms } from '../wire/accept-header.ts'
import { type ClientMessage, paramsOf, readClientMessages, releaseMessage } from '../wire/client-messages.ts'
import { formatError, sendJson, sendStatus } from '../wire/json-responses.ts'
import {
  BRIDGED_REVISIONS,
  type Envelope,
  formatUnsupported,
  MODERN_REVISION,
  readEnvelope,
  statusOfAnswer,
  UNSUPPORTED_VERSION,
} from '../wire/modern-envelope.ts'
import { measureFilter, readFilter } from '../wire/subscription-filter.ts'
import { type ModernRequest, type ModernServer, measureQueued, type StartChannel, type ToolsChanged } from './modern-request.ts'
import { createOwnedIds } from './owned-ids.ts'
import { ParamHeaders } from './param-headers.ts'
import { createPassThrough } from './pass-through.ts'

export interface ModernHttpOptions {
  readonly source: ProcessSource
  readonly isShared: boolean
  readonly startMs: number
  readonly seal: SessionSeal
  /** Creates what serves modern clients with a legacy server. */
  readonly createTranslation: (startChannel: StartChannel, toolsChanged: ToolsChanged) => ModernServer
  /** `params` of the `initialize` that a legacy server gets for a client. */
  readonly toInitializeParams: (envelope: Envelope) => object
  /** Opens the account for what is kept for a principal. */
  readonly openMemory: (principalKey: string) => MemoryShare
}

/** Whom processes are for that all share. */
const SHARED: ProcessOwner = { key: '' }
const NO_EVENTS = { message: () => undefined, ended: () => undefined }

/** Streamable HTTP of 2026-07-28. It has no sessions: all requests are independent. */
export class ModernHttp {
  readonly #options: ModernHttpOptions
  readonly #modern: ModernServer
  readonly #legacy: ModernServer
  readonly #answers = new Set<PostAnswer>()
  /** Processes that were probed and are not used yet, by whom they were started for. */
  readonly #probed = new Map<string, Channel>()
  readonly #paramHeaders: ParamHeaders
  #protocol: ServerProtocol | undefined
  /** Probes in progress, by whose process is probed: one that fails must not fail the requests of other users. */
  readonly #probing = new Map<string, Promise<ServerProtocol>>()

  constructor(options: ModernHttpOptions) {
    this.#options = options
    const { source, isShared, startMs, openMemory } = options
    this.#paramHeaders = new ParamHeaders(source.clock, openMemory)
    const toolsChanged = (poolKey: string): void => this.#paramHeaders.forget(poolKey)
    const startChannel: StartChannel = (owner) => this.#startChannel(owner)
    this.#modern = createPassThrough({ clock: source.clock, startChannel, startMs, isShared, toolsChanged })
    this.#legacy = options.createTranslation(startChannel, toolsChanged)
    source.onFull(() => [...this.#listProbed(), ...this.#modern.spares(), ...this.#legacy.spares()])
  }

  /** @throws ProxyError */
  async handle(call: Call, reply: Reply): Promise<void> {
    // "HTTP GET or DELETE to the MCP endpoint: respond with 405" (2026-07-28, streamable-http, Earlier Streamable HTTP Revisions).
    if (call.method !== 'POST') return sendStatus(reply, 405, { allow: 'POST' })
    const [message] = readClientMessages(call)
    // Clients have no notification but `notifications/cancelled`, "used only on the stdio transport" (streamable-http, Sending Messages).
    if (message?.kind !== 'request')
      throw new ProxyError('message_invalid', {
        reason: 'method_not_delivered',
        cause: `${message?.method} is not delivered to servers of standard streams`,
      })
    const envelope = readEnvelope(message)
    if (typeof envelope === 'string')
      return sendJson(reply, 400, formatError(message.idKey, -32602, `Invalid params: ${envelope}`))
    if (message.method === 'subscriptions/listen' && findAcceptedForms(call) === 'json')
      return sendJson(reply, 406, formatError(message.idKey, -31406, 'The client must accept text/event-stream'))
    await this.#serve(call, reply, message, envelope)
  }

  /** The revisions of a server that speaks 2026-07-28 or later; undefined for a legacy server. @throws ProxyError */
  async findRevisions(owner: ProcessOwner): Promise<readonly string[] | undefined> {
    const protocol = await this.#findProtocol(this.#options.isShared ? SHARED : owner)
    return protocol.kind === 'modern' ? protocol.revisions : undefined
  }

  sweep(idleMs: number): void {
    this.#modern.sweep(idleMs)
    this.#legacy.sweep(idleMs)
    for (const { idle, end } of this.#listProbed()) if (idle > idleMs) end()
  }

  keepAlive(): void {
    for (const answer of this.#answers) answer.stream?.keepAlive()
  }

  async #serve(call: Call, reply: Reply, message: ClientMessage, envelope: Envelope): Promise<void> {
    const request = this.#createRequest(call, message, envelope)
    const held = holdFilter(request)
    let pending: PendingRequest = UNSENT
    let isGone = false
    const onGone = (): void => {
      isGone = true
      cancelRequest(pending, 'the client has gone away')
    }
    const answer = this.#createAnswer(call, reply, message, onGone, () => request.memory.give(held))
    const sink = this.#createSink(request, answer)
    try {
      const protocol =
        this.#protocol ?? (await whileQueued(measureQueued(request), () => this.#findProtocol(request.owner, envelope)))
      const refusal = refuseRevision(protocol, request)
      if (refusal !== undefined) return answer.response(message.idKey, refusal, { error: { code: UNSUPPORTED_VERSION } })
      const server = protocol.kind === 'modern' ? this.#modern : this.#legacy
      if (message.method === 'tools/call') await this.#paramHeaders.check(call, request, server)
      if (isGone) return
      pending = await server.request(request, sink)
      releaseMessage(message)
      if (isGone) cancelRequest(pending, 'the client has gone away')
    } catch (error) {
      sink.failed(toProxyError(error))
    }
  }

  #createRequest(call: Call, message: ClientMessage, envelope: Envelope): ModernRequest {
    const { isShared, openMemory, seal } = this.#options
    const principalKey = formatPrincipalKey(call.principal)
    const owner = isShared ? SHARED : findOwner(call)
    const memory = openMemory(principalKey)
    return { message, envelope, principalKey, owner, poolKey: formatOwnerKey(owner), memory, ids: createOwnedIds(seal, call) }
  }

  #createSink(request: ModernRequest, answer: PostAnswer): RequestSink {
    const { idKey, method, value } = request.message
    const isFirstPage = paramsOf({ value }).cursor === undefined
    const events: Omit<ResponseSink, 'kind'> = {
      related: (text) => answer.related(text),
      response: (text, response) => {
        if (method === 'tools/list') this.#paramHeaders.learn(request, response, isFirstPage)
        answer.response(idKey, text, response)
      },
      failed: (error) => answer.failed(idKey, error),
    }
    if (method !== 'subscriptions/listen') return { kind: 'response', ...events }
    return { kind: 'subscription', ...events, closed: () => answer.response(idKey, formatListenEnd(idKey), {}) }
  }

  #createAnswer(call: Call, reply: Reply, message: ClientMessage, onGone: () => void, onOver: () => void): PostAnswer {
    const answer: PostAnswer = new PostAnswer({
      clock: this.#options.source.clock,
      reply,
      ids: [message.idKey],
      isBatch: false,
      accepts: findAcceptedForms(call),
      headers: () => ({}),
      log: undefined,
      flow: undefined,
      primes: false,
      statusOf: statusOfAnswer,
      onGone,
      onOver: () => {
        this.#answers.delete(answer)
        onOver()
      },
    })
    this.#answers.add(answer)
    return answer
  }

  async #findProtocol(owner: ProcessOwner, envelope?: Envelope): Promise<ServerProtocol> {
    const key = formatOwnerKey(owner)
    return this.#protocol ?? this.#probing.get(key) ?? this.#startProbe(key, owner, envelope)
  }

  #startProbe(key: string, owner: ProcessOwner, envelope: Envelope | undefined): Promise<ServerProtocol> {
    const probing = this.#probe(key, owner, envelope).finally(() => this.#probing.delete(key))
    this.#probing.set(key, probing)
    return probing
  }

  async #probe(key: string, owner: ProcessOwner, envelope: Envelope | undefined): Promise<ServerProtocol> {
    const { source, startMs, toInitializeParams } = this.#options
    const params = envelope && toInitializeParams(envelope)
    const { protocol, channel } = await probeRevision(source, owner, startMs, params)
    this.#protocol = protocol
    if (channel) this.#probed.set(key, channel)
    return protocol
  }

  #listProbed(): Spare[] {
    const now = this.#options.source.clock.monotonic()
    const running = [...this.#probed.values()].filter((channel) => !channel.isOver)
    return running.map((channel) => ({ key: channel.owner.key, idle: channel.idle(now), end: () => channel.end() }))
  }

  async #startChannel(owner: ProcessOwner): Promise<Channel> {
    const key = formatOwnerKey(owner)
    const probed = this.#probed.get(key)
    this.#probed.delete(key)
    return probed?.isOver === false ? probed : Channel.start(this.#options.source, owner, NO_EVENTS)
  }
}

/** Takes the memory for a subscription's filter, which is kept for as long as the subscription. @throws ProxyError `upstream_busy` */
function holdFilter({ message, memory }: ModernRequest): number {
  const bytes = message.method === 'subscriptions/listen' ? measureFilter(readFilter(message)) : 0
  if (bytes > 0 && !memory.take(bytes, PART_FOR_WAITING))
    throw new ProxyError('upstream_busy', {
      reason: 'memory_full',
      cause: 'subscriptions take all memory of this user',
      retryAfter: 30,
    })
  return bytes
}

/** The error for a revision that is not served; undefined for one that is. */
function refuseRevision(protocol: ServerProtocol, { message, envelope }: ModernRequest): string | undefined {
  const { protocolVersion } = envelope
  const served = protocol.kind === 'modern' ? protocol.revisions : [MODERN_REVISION]
  if (served.includes(protocolVersion)) return undefined
  return formatUnsupported(message.idKey, protocolVersion, protocol.kind === 'modern' ? served : BRIDGED_REVISIONS)
}

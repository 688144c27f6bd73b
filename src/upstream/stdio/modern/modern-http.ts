import type { Call } from '../../../core/call.ts'
import { ProxyError } from '../../../core/errors.ts'
import { formatPrincipalKey } from '../../../core/principal.ts'
import type { Reply } from '../../../core/reply.ts'
import { formatListenEnd } from '../../../mcp/listen-end.ts'
import type { SessionSeal } from '../../../mcp/session-seal.ts'
import { Channel } from '../channel/multiplexed-channel.ts'
import type { PendingRequest } from '../channel/pending-request.ts'
import { type Found, probeEra } from '../channel/probe-revision.ts'
import type { RequestSink } from '../channel/server-connection.ts'
import type { Spare } from '../process/places.ts'
import type { Spawner } from '../process/spawner.ts'
import { PostAnswer } from '../stream/post-response.ts'
import { findAcceptedForms } from '../wire/accept-header.ts'
import { type ClientMessage, letGoOfMessage, paramsOf, readClientMessages } from '../wire/client-messages.ts'
import { type MemoryShare, partOfWaiting } from '../wire/held-memory.ts'
import { formatError, sendJson, sendStatus } from '../wire/json-responses.ts'
import {
  bridgedRevisions,
  type Envelope,
  formatUnsupported,
  modernRevision,
  readEnvelope,
  statusOfAnswer,
} from '../wire/modern-envelope.ts'
import { measureFilter, readFilter } from '../wire/subscription-filter.ts'
import type { ModernRequest, ModernServer, StartChannel, ToolsChanged } from './modern-request.ts'
import { createOwnedIds } from './owned-ids.ts'
import { ParamHeaders } from './param-headers.ts'
import { createPassThrough } from './pass-through.ts'

export interface ModernHttpOptions {
  readonly spawner: Spawner
  readonly isShared: boolean
  readonly startMilliseconds: number
  readonly seal: SessionSeal
  /** Serves modern clients when the children are legacy. */
  readonly createTranslation: (startChannel: StartChannel, toolsChanged: ToolsChanged) => ModernServer
  /** For what is remembered for a principal. */
  readonly openMemory: (principalKey: string) => MemoryShare
}

const silent = { message: () => undefined, ended: () => undefined }

/** Streamable HTTP of 2026-07-28: no sessions, every request for itself. */
export class ModernHttp {
  readonly #options: ModernHttpOptions
  readonly #modern: ModernServer
  readonly #legacy: ModernServer
  readonly #answers = new Set<PostAnswer>()
  /** Children that the era was found out with, until somebody needs one. */
  readonly #spares = new Map<string, Channel>()
  readonly #paramHeaders: ParamHeaders
  #found: Found | undefined
  /** Questions that are under way, by whose child is asked: what befalls one says nothing of the others. */
  readonly #probing = new Map<string, Promise<Found>>()

  constructor(options: ModernHttpOptions) {
    this.#options = options
    this.#paramHeaders = new ParamHeaders(options.openMemory)
    const toolsChanged = (poolKey: string): void => this.#paramHeaders.forget(poolKey)
    this.#modern = createPassThrough((key) => this.#startChannel(key), options.isShared, toolsChanged)
    this.#legacy = options.createTranslation((key) => this.#startChannel(key), toolsChanged)
    options.spawner.onFull(() => [...this.#listUntouched(), ...this.#modern.spares(), ...this.#legacy.spares()])
  }

  /** @throws ProxyError */
  async handle(call: Call, reply: Reply): Promise<void> {
    // "HTTP GET or DELETE to the MCP endpoint: respond with 405" (2026-07-28, streamable-http, Earlier Streamable HTTP Revisions).
    if (call.method !== 'POST') return sendStatus(reply, 405, { allow: 'POST' })
    const [message] = readClientMessages(call)
    // Clients have no notification but `notifications/cancelled`, "used only on the stdio transport" (streamable-http, Sending Messages).
    if (message?.kind !== 'request')
      throw new ProxyError('message_invalid', { cause: `${message?.method} is not delivered to servers of standard streams` })
    const envelope = readEnvelope(message)
    if (typeof envelope === 'string')
      return sendJson(reply, 400, formatError(message.idKey, -32602, `Invalid params: ${envelope}`))
    if (message.method === 'subscriptions/listen' && findAcceptedForms(call) === 'json')
      return sendJson(reply, 406, formatError(message.idKey, -31406, 'The client must accept text/event-stream'))
    await this.#serve(call, reply, message, envelope)
  }

  /** The revisions of a server that speaks 2026-07-28 or later; undefined where it doesn't. @throws ProxyError */
  async findRevisions(principalKey: string): Promise<readonly string[] | undefined> {
    const { era, revisions = [modernRevision] } = this.#found ?? (await this.#find(this.#options.isShared ? '' : principalKey))
    return era === 'modern' ? revisions : undefined
  }

  sweep(idleMilliseconds: number): void {
    this.#modern.sweep(idleMilliseconds)
    this.#legacy.sweep(idleMilliseconds)
    for (const { idle, end } of this.#listUntouched()) if (idle > idleMilliseconds) end()
  }

  keepAlive(): void {
    for (const answer of this.#answers) answer.stream?.keepAlive()
  }

  async #serve(call: Call, reply: Reply, message: ClientMessage, envelope: Envelope): Promise<void> {
    const principalKey = formatPrincipalKey(call.principal)
    const poolKey = this.#options.isShared ? '' : principalKey
    const memory = this.#options.openMemory(principalKey)
    const ids = createOwnedIds(this.#options.seal, call)
    const request: ModernRequest = { message, envelope, principalKey, poolKey, memory, ids }
    const held = message.method === 'subscriptions/listen' ? measureFilter(readFilter(message)) : 0
    if (held > 0 && !memory.take(held, partOfWaiting))
      throw new ProxyError('upstream_busy', { cause: 'subscriptions take all memory of this user', retryAfter: 30 })
    let pending: PendingRequest | undefined
    let isGone = false
    const onGone = (): void => {
      isGone = true
      pending?.cancel('the client has gone away')
    }
    const answer = this.#createAnswer(call, reply, message, onGone, () => memory.give(held))
    const isFirstPage = paramsOf(message).cursor === undefined
    const sink: RequestSink = {
      related: (text) => answer.related(text),
      response: (text, value) => {
        if (message.method === 'tools/list') this.#paramHeaders.learn(request, value, isFirstPage)
        answer.response(message.idKey, text, value)
      },
      failed: (error) => answer.failed(message.idKey, error),
      closed: () => answer.response(message.idKey, formatListenEnd(message.idKey), {}),
    }
    try {
      const { era, revisions = [modernRevision] } = this.#found ?? (await this.#find(poolKey))
      if (!revisions.includes(envelope.protocolVersion)) {
        const supported = era === 'modern' ? revisions : bridgedRevisions
        return answer.response(message.idKey, formatUnsupported(message.idKey, envelope.protocolVersion, supported), {
          error: { code: -32022 },
        })
      }
      const server = era === 'modern' ? this.#modern : this.#legacy
      if (message.method === 'tools/call') await this.#paramHeaders.check(call, request, server)
      if (isGone) return
      pending = await server.request(request, sink)
      letGoOfMessage(message)
      if (isGone) pending.cancel('the client has gone away')
    } catch (error) {
      sink.failed(error instanceof ProxyError ? error : new ProxyError('internal_error', { cause: error }))
    }
  }

  #createAnswer(call: Call, reply: Reply, message: ClientMessage, onGone: () => void, onOver: () => void): PostAnswer {
    const answer: PostAnswer = new PostAnswer({
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

  #find(key: string): Promise<Found> {
    const running = this.#probing.get(key)
    if (running) return running
    const probing = this.#probe(key).finally(() => this.#probing.delete(key))
    this.#probing.set(key, probing)
    return probing
  }

  async #probe(key: string): Promise<Found> {
    const { channel, ...found } = await probeEra(this.#options.spawner, key, this.#options.startMilliseconds)
    this.#found = found
    if (channel) this.#spares.set(key, channel)
    return found
  }

  #listUntouched(): Spare[] {
    const now = performance.now()
    const there = [...this.#spares].filter(([, channel]) => !channel.isOver)
    return there.map(([key, channel]) => ({ key, idle: channel.idle(now), end: () => channel.end() }))
  }

  async #startChannel(key: string): Promise<Channel> {
    const spare = this.#spares.get(key)
    this.#spares.delete(key)
    return spare?.isOver === false ? spare : Channel.start(this.#options.spawner, key, silent)
  }
}

import type { Call } from '../../../core/call.ts'
import { ProxyError } from '../../../core/errors.ts'
import { formatPrincipalKey } from '../../../core/principal.ts'
import type { Reply } from '../../../core/reply.ts'
import type { SessionSeal } from '../../../mcp/session-seal.ts'
import { Channel } from '../channel/multiplexed-channel.ts'
import { type Found, probeEra } from '../channel/probe-revision.ts'
import type { RequestSink } from '../channel/server-connection.ts'
import type { Ticket } from '../channel/ticket.ts'
import type { Spare } from '../process/places.ts'
import type { Spawner } from '../process/spawner.ts'
import { PostAnswer } from '../stream/post-response.ts'
import { findAcceptedForms } from '../wire/accept-header.ts'
import { type ClientMessage, letGoOfMessage, readClientMessages } from '../wire/client-messages.ts'
import { formatError, sendJson, sendStatus } from '../wire/json-responses.ts'
import { type Envelope, modernRevision, readEnvelope, statusOfAnswer } from '../wire/modern-envelope.ts'
import type { ModernRequest, ModernServer, StartChannel } from './modern-request.ts'
import { createOwnedIds } from './owned-ids.ts'
import { ParamHeaders } from './param-headers.ts'
import { createPassThrough } from './pass-through.ts'

export interface ModernHttpOptions {
  readonly spawner: Spawner
  readonly isShared: boolean
  readonly startMilliseconds: number
  readonly seal: SessionSeal
  /** Serves modern clients when the children are legacy. */
  readonly createTranslation: (startChannel: StartChannel) => ModernServer
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
  readonly #paramHeaders = new ParamHeaders()
  #found: Found | undefined
  #probing: Promise<Found> | undefined

  constructor(options: ModernHttpOptions) {
    this.#options = options
    this.#modern = createPassThrough((key) => this.#startChannel(key), options.isShared)
    this.#legacy = options.createTranslation((key) => this.#startChannel(key))
    options.spawner.onFull(() => [...this.#listUntouched(), ...this.#modern.spares(), ...this.#legacy.spares()])
  }

  /** @throws ProxyError */
  async handle(call: Call, reply: Reply): Promise<void> {
    // "HTTP GET or DELETE to the MCP endpoint: respond with 405" (2026-07-28, streamable-http, Earlier Streamable HTTP Revisions).
    if (call.method !== 'POST') return sendStatus(reply, 405, { allow: 'POST' })
    const [message] = readClientMessages(call)
    if (message?.kind !== 'request') return sendStatus(reply, 202)
    const envelope = readEnvelope(message)
    if (typeof envelope === 'string')
      return sendJson(reply, 400, formatError(message.idKey, -32602, `Invalid params: ${envelope}`))
    if (message.method === 'subscriptions/listen' && findAcceptedForms(call) === 'json')
      return sendJson(reply, 406, formatError(message.idKey, -31406, 'The client must accept text/event-stream'))
    await this.#serve(call, reply, message, envelope)
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
    const request: ModernRequest = { message, envelope, principalKey, poolKey, ids: createOwnedIds(this.#options.seal, call) }
    let ticket: Ticket | undefined
    let isGone = false
    const answer = this.#createAnswer(call, reply, message, () => {
      isGone = true
      ticket?.cancel('the client has gone away')
    })
    const sink: RequestSink = {
      related: (text) => answer.related(text),
      response: (text, value) => answer.response(message.idKey, text, value),
      failed: (error) => answer.failed(message.idKey, error),
      closed: () => answer.cancelled(message.idKey),
    }
    try {
      const { era, revisions = [modernRevision] } = this.#found ?? (await this.#find(poolKey))
      if (!revisions.includes(envelope.protocolVersion))
        return answer.response(message.idKey, formatUnsupported(message.idKey, envelope, revisions), { error: { code: -32022 } })
      const server = era === 'modern' ? this.#modern : this.#legacy
      if (message.method === 'tools/call') await this.#paramHeaders.check(call, request, server)
      if (isGone) return
      ticket = await server.request(request, sink)
      letGoOfMessage(message)
      if (isGone) ticket.cancel('the client has gone away')
    } catch (error) {
      sink.failed(error instanceof ProxyError ? error : new ProxyError('internal_error', { cause: error }))
    }
  }

  #createAnswer(call: Call, reply: Reply, message: ClientMessage, onGone: () => void): PostAnswer {
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
      onOver: () => this.#answers.delete(answer),
    })
    this.#answers.add(answer)
    return answer
  }

  #find(key: string): Promise<Found> {
    this.#probing ??= this.#probe(key).finally(() => {
      this.#probing = undefined
    })
    return this.#probing
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

function formatUnsupported(id: string, { protocolVersion }: Envelope, supported: readonly string[]): string {
  return formatError(id, -32022, 'Unsupported protocol version', { supported, requested: protocolVersion })
}

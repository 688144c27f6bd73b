import { createHash } from 'node:crypto'
import type { Clock } from '../../../core/clock.ts'
import { ProxyError } from '../../../core/errors.ts'
import { isObject } from '../../../core/is-object.ts'
import { answerServerRequest } from '../channel/answer-server.ts'
import { answerWithin } from '../channel/answer-timeout.ts'
import { Pool, type PoolKey, type PoolMember } from '../channel/channel-pool.ts'
import { initialize, initializeParams, readInitializeResult } from '../channel/initialize.ts'
import type { Channel } from '../channel/multiplexed-channel.ts'
import type { PendingRequest } from '../channel/pending-request.ts'
import { answered, type RequestSink } from '../channel/request-sink.ts'
import {
  type ModernRequest,
  type ModernServer,
  measureQueued,
  type StartChannel,
  type ToolsChanged,
} from '../modern/modern-request.ts'
import type { Spare } from '../process/places.ts'
import type { ProcessOwner } from '../process/process-owner.ts'
import type { ChildMessage } from '../wire/child-messages.ts'
import { formatError } from '../wire/json-responses.ts'
import type { Envelope } from '../wire/modern-envelope.ts'
import { TOOLS_LIST_CHANGED } from '../wire/subscription-filter.ts'
import { formatOwner, InputWaits } from './input-waits.ts'
import { RoundTrip } from './round-trip.ts'
import { Listeners } from './subscriptions.ts'
import {
  formatDiscovery,
  readRetry,
  readUrlElicitations,
  toLegacyCapabilities,
  toLegacyRequest,
  toModernAnswer,
} from './translate-messages.ts'
import { UrlElicitations } from './url-elicitations.ts'

/** Methods that 2026-07-28 does not have, and those of features that are not translated. */
const UNKNOWN_METHODS = /^(?:initialize|ping|logging\/setLevel|resources\/(?:un)?subscribe|tasks\/.*)$/
/** Methods during which a server may require input (2026-07-28, patterns/mrtr, Supported Requests). */
const ASKING_METHODS = new Set(['tools/call', 'prompts/get', 'resources/read'])
/** Capabilities without which there is nothing that a client can be asked for. */
const ASKING_CAPABILITIES = ['elicitation', 'sampling', 'roots']
/** Longer keys are hashed: they are kept for as long as their process. */
const MAX_KEY_LENGTH = 512

/** A legacy process, initialized for one principal with the capabilities of one client. */
interface Member extends PoolMember {
  readonly channel: Channel
  /** `result` of `initialize`. */
  readonly initialized: Readonly<Record<string, unknown>>
  roundTrip: RoundTrip | undefined
  logLevel: string | undefined
}

export interface TranslationOptions {
  readonly clock: Clock
  readonly startChannel: StartChannel
  readonly startMs: number
  /** Whether principals share processes. Then no client can be asked for anything. */
  readonly isShared: boolean
  readonly toolsChanged: ToolsChanged
}

/** What a process is told of the client that it serves. */
interface ServedClient extends PoolKey {
  readonly owner: ProcessOwner
  readonly poolKey: string
  readonly capabilities: Readonly<Record<string, unknown>>
  readonly clientInfo: unknown
}

interface Initializing {
  readonly channel: Channel
  readonly response: Promise<Readonly<Record<string, unknown>>>
}

/** Serves modern clients with a legacy server, request by request. */
export class Translation implements ModernServer {
  readonly #options: TranslationOptions
  readonly #pool: Pool<Member, ServedClient>
  readonly #waits: InputWaits
  readonly #urlElicitations = new UrlElicitations()
  readonly #listeners = new Listeners()

  constructor(options: TranslationOptions) {
    this.#options = options
    this.#waits = new InputWaits(options.clock)
    this.#pool = new Pool(options.clock, (client) => this.#startMember(client))
  }

  async request(request: ModernRequest, sink: RequestSink): Promise<PendingRequest> {
    const { message } = request
    if (UNKNOWN_METHODS.test(message.method))
      return answered(sink, formatError(message.idKey, -32601, `Method not found: ${message.method}`), -32601)
    const { requestState } = readRetry(message)
    const continues = requestState !== undefined && !this.#urlElicitations.takeRetry(requestState, request)
    if (continues) return this.#resume(requestState, request, sink)
    const client = this.#findClient(request)
    const isFree = (member: Member): boolean => this.#canServe(member, request)
    return this.#pool.use(client, isFree, measureQueued(request), (member) => this.#send(client.id, member, request, sink))
  }

  sweep(idleMs: number): void {
    this.#pool.sweep(idleMs)
  }

  spares(): Spare[] {
    return this.#pool.spares()
  }

  /** Clients with different capabilities get different processes: a legacy server is told once, by `initialize`. */
  #findClient({ owner, poolKey, envelope }: ModernRequest): ServedClient {
    const { capabilities, clientInfo } = findTold(envelope, this.#options.isShared)
    const key = JSON.stringify([poolKey, capabilities, clientInfo])
    const id = key.length <= MAX_KEY_LENGTH ? key : createHash('sha256').update(key).digest('base64url')
    return { id, owner, poolKey, capabilities, clientInfo }
  }

  /** Neither a log message nor a question of the server says which request it belongs to: such requests don't share a process. */
  #canServe({ channel, roundTrip }: Member, request: ModernRequest): boolean {
    if (!channel.isExclusiveFree) return false
    const isAsking = roundTrip?.isOver === false
    if (this.#wantsLog(request)) return !isAsking && channel.load === 0
    return !isAsking || !this.#mayAsk(request)
  }

  /** Whether the server may ask the client for something before it answers. */
  #mayAsk(request: ModernRequest): boolean {
    return !this.#options.isShared && ASKING_METHODS.has(request.message.method) && canBeAsked(request)
  }

  #wantsLog({ envelope }: ModernRequest): boolean {
    return !this.#options.isShared && envelope.logLevel !== undefined
  }

  #send(clientId: string, member: Member, request: ModernRequest, sink: RequestSink): PendingRequest {
    const { message, envelope } = request
    const { channel, initialized } = member
    if (message.method === 'server/discover') return answered(sink, formatDiscovery(message.idKey, initialized))
    if (message.method === 'subscriptions/listen')
      return this.#listeners.open(clientId, channel, initialized.capabilities, message, sink)
    if (this.#wantsLog(request)) setLogLevel(member, envelope.logLevel)
    const roundTrip = this.#createRoundTrip(member, request, sink)
    if (this.#mayAsk(request)) member.roundTrip = roundTrip
    return roundTrip.pending
  }

  #createRoundTrip({ channel, initialized }: Member, request: ModernRequest, sink: RequestSink): RoundTrip {
    // The message is released when it has been sent. Its retries are recognized by this.
    const owner = canBeAsked(request) ? formatOwner(request) : ''
    const translate = (one: ModernRequest, to: RequestSink) => this.#translating(one, owner, initialized.serverInfo, to)
    return new RoundTrip({ channel, waits: this.#waits, owner, translate }, request, sink, (ours) =>
      channel.request(toLegacyRequest(request.message), ours, this.#wantsLog(request)),
    )
  }

  #resume(requestState: unknown, request: ModernRequest, sink: RequestSink): PendingRequest {
    const call = this.#waits.find(requestState, request)
    if (call) return call.resume(request, sink)
    const reason = 'Invalid params: requestState is unknown, expired, or belongs to another request'
    return answered(sink, formatError(request.message.idKey, -32602, reason), -32602)
  }

  /** A sink that translates the response. */
  #translating(request: ModernRequest, owner: string, serverInfo: unknown, sink: RequestSink): RequestSink {
    return {
      kind: 'response',
      related: (text) => sink.related(text),
      failed: (error) => sink.failed(error),
      response: (text, value) => {
        const elicitations = readUrlElicitations(value)
        if (elicitations) return this.#urlElicitations.require(request, owner, elicitations, sink)
        try {
          const modern = toModernAnswer(request.message.method, text, value, serverInfo)
          sink.response(modern.text, modern.value)
        } catch (error) {
          sink.failed(new ProxyError('upstream_invalid_response', { reason: 'message_unreadable', cause: error }))
        }
      },
    }
  }

  async #startMember(client: ServedClient): Promise<Member> {
    const { clock, startMs } = this.#options
    const { channel, response } = await this.#startInitializing(client)
    try {
      const result = readInitializeResult(await answerWithin(clock, startMs, response))
      channel.tell('{"jsonrpc":"2.0","method":"notifications/initialized"}')
      return this.#createMember(client, channel, result)
    } catch (error) {
      channel.giveUp(error)
      throw error
    }
  }

  async #startInitializing({ owner, capabilities, clientInfo }: ServedClient): Promise<Initializing> {
    const params = initializeParams(capabilities, clientInfo ?? undefined)
    const channel = await this.#options.startChannel(owner)
    const response = initialize(channel, params)
    if (response) return { channel, response }
    channel.end()
    const fresh = await this.#options.startChannel(owner)
    return { channel: fresh, response: fresh.ask('initialize', params) }
  }

  #createMember(client: ServedClient, channel: Channel, initialized: Readonly<Record<string, unknown>>): Member {
    const isHeld = (): boolean => this.#listeners.isUsed(channel)
    const member: Member = { channel, initialized, roundTrip: undefined, logLevel: undefined, isHeld }
    channel.listen({
      message: (message) => this.#receive(client, member, message),
      ended: (error) => this.#listeners.ended(channel, (sink) => sink.failed(error)),
    })
    return member
  }

  #receive(client: ServedClient, { channel, roundTrip }: Member, message: ChildMessage): void {
    if (message.method === TOOLS_LIST_CHANGED) this.#options.toolsChanged(client.poolKey)
    if (message.kind === 'notification') return this.#listeners.hear(client.id, message)
    if (roundTrip && !roundTrip.isOver && message.method !== 'ping') roundTrip.ask(message)
    else answerServerRequest(channel, message)
  }
}

/** `params` of the `initialize` for a client. */
export function toInitializeParams(envelope: Envelope, isShared: boolean): object {
  const { capabilities, clientInfo } = findTold(envelope, isShared)
  return initializeParams(capabilities, clientInfo ?? undefined)
}

/** What a process is told of a client: nothing where others use it, too. */
function findTold(envelope: Envelope, isShared: boolean): Pick<ServedClient, 'capabilities' | 'clientInfo'> {
  if (isShared) return { capabilities: {}, clientInfo: undefined }
  return { capabilities: toLegacyCapabilities(envelope.capabilities), clientInfo: envelope.clientInfo }
}

/** The level is one for the whole process. A request that asks for log messages has the process to itself. */
function setLogLevel(member: Member, level: string | undefined): void {
  if (level === undefined || level === member.logLevel) return
  const { capabilities } = member.initialized
  if (!isObject(capabilities) || !isObject(capabilities.logging)) return
  member.logLevel = level
  member.channel.ask('logging/setLevel', { level }).catch(() => undefined)
}

function canBeAsked({ envelope }: ModernRequest): boolean {
  return ASKING_CAPABILITIES.some((name) => isObject(envelope.capabilities[name]))
}

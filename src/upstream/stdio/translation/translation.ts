import { createHash, randomBytes } from 'node:crypto'
import { BoundedMap } from '../../../core/bounded-map.ts'
import { ProxyError } from '../../../core/errors.ts'
import { isObject } from '../../../core/is-object.ts'
import { Pool, type PoolKey, type PoolMember } from '../channel/channel-pool.ts'
import type { Channel } from '../channel/multiplexed-channel.ts'
import type { PendingRequest } from '../channel/pending-request.ts'
import { initializeParams, readInitialized, within } from '../channel/probe-revision.ts'
import { refuseServerRequest } from '../channel/refuse-server-request.ts'
import type { RequestSink } from '../channel/server-connection.ts'
import { answered } from '../channel/server-connection.ts'
import {
  type ModernRequest,
  type ModernServer,
  measureQueued,
  type StartChannel,
  type ToolsChanged,
} from '../modern/modern-request.ts'
import type { Spare } from '../process/places.ts'
import type { ChildMessage } from '../wire/child-messages.ts'
import { formatError } from '../wire/json-responses.ts'
import { toolsListChanged } from '../wire/subscription-filter.ts'
import { ownerOf, RoundTrip, RoundTrips, type Translate } from './multi-round-trips.ts'
import { Listeners } from './subscriptions.ts'
import {
  findMissingCapability,
  formatDiscovery,
  formatInputRequired,
  readRetry,
  readUrlElicitations,
  toLegacyCapabilities,
  toLegacyRequest,
  toModernAnswer,
} from './translate-messages.ts'

/** Methods that 2026-07-28 doesn't have, and those of features that aren't carried over. */
const unknownMethods = /^(?:initialize|ping|logging\/setLevel|resources\/(?:un)?subscribe|tasks\/.*)$/
/** Methods during which a server may require input (2026-07-28, patterns/mrtr, Supported Requests). */
const askingMethods = new Set(['tools/call', 'prompts/get', 'resources/read'])
/** Calls that may be made again after something was done at a URL. */
const mostReruns = 1000
/** In characters. */
const longestKey = 512

/** A legacy child, initialized for one principal with the capabilities of one client. */
interface Member extends PoolMember {
  readonly channel: Channel
  /** `result` of `initialize`. */
  readonly initialized: Readonly<Record<string, unknown>>
  roundTrip: RoundTrip | undefined
  level: string | undefined
}

export interface TranslationOptions {
  readonly startChannel: StartChannel
  readonly startMilliseconds: number
  /** Whether children are shared by principals: then no client can be asked for anything. */
  readonly isShared: boolean
  readonly toolsChanged: ToolsChanged
}

/** What a child is told of whom it serves. */
interface Served extends PoolKey {
  readonly poolKey: string
  readonly capabilities: Readonly<Record<string, unknown>>
  readonly clientInfo: unknown
}

/** Serves modern clients with a legacy server, request by request. */
export class Translation implements ModernServer {
  readonly #options: TranslationOptions
  readonly #pool: Pool<Member, Served>
  readonly #roundTrips = new RoundTrips(() => this.#pool.changed())
  readonly #listeners = new Listeners()
  /** States of calls that begin anew when they are made again: whose, and which. */
  readonly #reruns = new BoundedMap<string, string>(mostReruns)

  constructor(options: TranslationOptions) {
    this.#options = options
    this.#pool = new Pool((key) => this.#startMember(key))
  }

  async request(request: ModernRequest, sink: RequestSink): Promise<PendingRequest> {
    const { message } = request
    if (unknownMethods.test(message.method))
      return answered(sink, formatError(message.idKey, -32601, `Method not found: ${message.method}`), -32601)
    const { requestState } = readRetry(message)
    if (requestState !== undefined && !this.#takeRerun(requestState, request)) return this.#resume(requestState, request, sink)
    const key = this.#keyOf(request)
    const isAlone = this.#needsChildAlone(request)
    const isFree = ({ channel, roundTrip }: Member): boolean =>
      channel.isExclusiveFree && (!isAlone || (roundTrip?.isOver !== false && (!this.#wantsLog(request) || channel.load === 0)))
    return this.#pool.use(key, isFree, measureQueued(request), (member) => this.#send(key.id, member, request, sink))
  }

  sweep(idleMilliseconds: number): void {
    this.#pool.sweep(idleMilliseconds)
  }

  spares(): Spare[] {
    return this.#pool.spares()
  }

  /** Clients that can do different things are served by different children: a legacy server is told once. */
  #keyOf({ poolKey, envelope }: ModernRequest): Served {
    const capabilities = this.#options.isShared ? {} : toLegacyCapabilities(envelope.capabilities)
    const clientInfo = this.#options.isShared ? undefined : envelope.clientInfo
    const id = JSON.stringify([poolKey, capabilities, clientInfo])
    // A long one would be kept for as long as the child.
    return {
      id: id.length <= longestKey ? id : createHash('sha256').update(id).digest('base64url'),
      poolKey,
      capabilities,
      clientInfo,
    }
  }

  /** A question, like a log message, doesn't say which call it belongs to. */
  #needsChildAlone(request: ModernRequest): boolean {
    return this.#wantsLog(request) || this.#mayAsk(request)
  }

  /** Whether the server may ask the client for something meanwhile. */
  #mayAsk(request: ModernRequest): boolean {
    return !this.#options.isShared && askingMethods.has(request.message.method) && canBeAsked(request)
  }

  #wantsLog({ envelope }: ModernRequest): boolean {
    return !this.#options.isShared && envelope.logLevel !== undefined
  }

  #send(key: string, member: Member, request: ModernRequest, sink: RequestSink): PendingRequest {
    const { message, envelope } = request
    const { channel, initialized } = member
    if (message.method === 'server/discover') return answered(sink, formatDiscovery(message.idKey, initialized))
    if (message.method === 'subscriptions/listen')
      return this.#listeners.open(key, channel, initialized.capabilities, message, sink)
    if (this.#wantsLog(request)) this.#setLevel(member, envelope.logLevel)
    // The call is let go of when it is sent, and known again by this.
    const owner = canBeAsked(request) ? ownerOf(request) : ''
    const translate: Translate = (one, to) => this.#translating(one, owner, initialized.serverInfo, to)
    const roundTrip = new RoundTrip(this.#roundTrips, channel, request, owner, sink, translate)
    if (this.#mayAsk(request)) member.roundTrip = roundTrip
    return roundTrip.start(channel.request(toLegacyRequest(message), roundTrip.sink, this.#wantsLog(request)))
  }

  #resume(state: unknown, request: ModernRequest, sink: RequestSink): PendingRequest {
    const roundTrip = this.#roundTrips.find(state, request)
    const { message } = request
    if (roundTrip) return roundTrip.resume(request, sink)
    const reason = 'Invalid params: requestState is unknown, expired, or belongs to another request'
    return answered(sink, formatError(message.idKey, -32602, reason), -32602)
  }

  /** Brings answers into their modern form. */
  #translating(request: ModernRequest, owner: string, serverInfo: unknown, sink: RequestSink): RequestSink {
    const { message } = request
    return {
      related: (text) => sink.related(text),
      failed: (error) => sink.failed(error),
      response: (text, value) => {
        const elicitations = readUrlElicitations(value)
        if (elicitations) return this.#requireVisit(request, owner, elicitations, sink)
        try {
          const modern = toModernAnswer(message.method, text, value, serverInfo)
          sink.response(modern.text, modern.value)
        } catch (error) {
          sink.failed(new ProxyError('upstream_invalid_response', { cause: error }))
        }
      },
    }
  }

  /** The server's error -32042 says where the user must go first; the call is then made again as a whole. */
  #requireVisit(
    request: ModernRequest,
    owner: string,
    elicitations: ReturnType<typeof readUrlElicitations> & object,
    sink: RequestSink,
  ): void {
    const { idKey } = request.message
    const missing = elicitations.map((each) => findMissingCapability(each, request.envelope.capabilities)).find((each) => each)
    if (missing) {
      const text = formatError(idKey, -32021, 'Missing required client capability', { requiredCapabilities: missing })
      return sink.response(text, { error: { code: -32021 } })
    }
    const state = randomBytes(24).toString('base64url')
    this.#reruns.set(state, owner)
    const requests = Object.fromEntries(elicitations.map((each, index) => [String(index + 1), each]))
    sink.response(formatInputRequired(idKey, requests, state), {})
  }

  #takeRerun(state: unknown, request: ModernRequest): boolean {
    if (typeof state !== 'string' || this.#reruns.get(state) !== ownerOf(request)) return false
    return this.#reruns.delete(state)
  }

  /** The level is the child's, and so is the request's while it has the child alone. */
  #setLevel(member: Member, level: string | undefined): void {
    if (level === undefined || level === member.level) return
    const { capabilities } = member.initialized
    if (!isObject(capabilities) || !isObject(capabilities.logging)) return
    member.level = level
    member.channel.ask('logging/setLevel', { level }).catch(() => undefined)
  }

  async #startMember(key: Served): Promise<Member> {
    const { poolKey, capabilities, clientInfo } = key
    const channel = await this.#options.startChannel(poolKey)
    try {
      const asked = channel.ask('initialize', initializeParams(capabilities, clientInfo ?? undefined))
      const result = readInitialized(await within(this.#options.startMilliseconds, asked))
      channel.tell('{"jsonrpc":"2.0","method":"notifications/initialized"}')
      return this.#createMember(key, channel, result)
    } catch (error) {
      channel.giveUp(error)
      throw error
    }
  }

  #createMember(key: Served, channel: Channel, initialized: Readonly<Record<string, unknown>>): Member {
    const isHeld = (): boolean => this.#listeners.isUsed(channel)
    const member: Member = { channel, initialized, roundTrip: undefined, level: undefined, isHeld }
    channel.listen({
      message: (message) => this.#receive(key, member, message),
      ended: (error) => {
        this.#listeners.ended(channel, (sink) => sink.failed(error))
        this.#pool.changed()
      },
    })
    return member
  }

  #receive(key: Served, { channel, roundTrip }: Member, message: ChildMessage): void {
    if (message.method === toolsListChanged) this.#options.toolsChanged(key.poolKey)
    if (message.kind === 'notification') return this.#listeners.hear(key.id, message)
    if (roundTrip && !roundTrip.isOver && message.method !== 'ping') roundTrip.ask(message)
    else refuseServerRequest(channel, message)
  }
}

function canBeAsked({ envelope }: ModernRequest): boolean {
  return ['elicitation', 'sampling', 'roots'].some((name) => isObject(envelope.capabilities[name]))
}

import { ProxyError, toProxyError } from '../../../core/errors.ts'
import type { MemoryShare } from '../../../core/held-memory.ts'
import { isModernRevision } from '../../../mcp/revision.ts'
import { tellQuietly } from '../channel/answer-server.ts'
import type { Channel } from '../channel/multiplexed-channel.ts'
import { type PendingRequest, UNSENT } from '../channel/pending-request.ts'
import { type ClientRequest, cancelPending, PendingRequests } from '../channel/pending-requests.ts'
import { type RequestSink, whenOver } from '../channel/request-sink.ts'
import type { ServerConnection, ServerEvents } from '../channel/server-connection.ts'
import type { ChildMessage } from '../wire/child-messages.ts'
import { type ClientMessage, paramsOf, readParam } from '../wire/client-messages.ts'
import { formatNotShared } from '../wire/json-responses.ts'

/** What a client gets that asks for an unknown revision. */
const NEWEST_LEGACY_REVISION = '2025-11-25'
/** Methods about something that belongs to one client, in a process that can't tell clients apart. */
const OWNED_METHODS = /^(?:logging\/setLevel|tasks\/.*)$/
/** Notifications about the client: the process was told once, without one. */
const DROPPED_NOTIFICATIONS = /^notifications\/(?:initialized|roots\/list_changed)$/
/** Subscriptions of one session. They all end with it, in one go. */
const MAX_SUBSCRIPTIONS = 10_000

export interface SharedProcess {
  readonly channel: Channel
  /** `result` of `initialize`, as every session gets it. */
  readonly result: Readonly<Record<string, unknown>>
}

/** What a connection needs of its server. */
export interface SharedProcesses {
  /** The process for a revision. @throws ProxyError when it can't be started */
  find(revision: string): Promise<SharedProcess>
  /** Whether any session is subscribed to a resource. */
  isSubscribed(uri: string): boolean
  countSubscriber(uri: string, by: 1 | -1): void
}

export interface SharedConnectionOptions {
  readonly server: SharedProcesses
  readonly events: ServerEvents
  readonly memory: MemoryShare
  readonly onOver: () => void
}

/** The connection of one MCP session to a process that others use, too. */
export class SharedConnection implements ServerConnection {
  readonly flow = undefined
  readonly #options: SharedConnectionOptions
  readonly #pending = new PendingRequests<ClientRequest>()
  readonly #subscriptions = new Set<string>()
  #revision = '2024-11-05'

  constructor(options: SharedConnectionOptions) {
    this.#options = options
  }

  get revision(): string {
    return this.#revision
  }

  isSubscribed(uri: string): boolean {
    return this.#subscriptions.has(uri)
  }

  /** Passes a message of the server to the session. */
  receive(message: ChildMessage): void {
    this.#options.events.message(message)
  }

  request(message: ClientMessage, sink: RequestSink): PendingRequest {
    if (message.method === 'initialize') this.#revision = readRevision(message)
    const request: ClientRequest = { id: message.idKey, atServer: UNSENT }
    this.#pending.add(request)
    const watched = whenOver(sink, () => this.#pending.delete(request))
    // The request may be cancelled before the process has started.
    this.#options.server.find(this.#revision).then(
      (process) => this.#pending.has(request) && this.#send(request, process, message, watched),
      (error: unknown) => this.#pending.has(request) && watched.failed(toProxyError(error)),
    )
    return { kind: 'sent', cancel: (reason) => cancelPending(this.#pending, request, reason) }
  }

  tell(message: ClientMessage): void {
    if (message.kind === 'response' || DROPPED_NOTIFICATIONS.test(message.method)) return
    this.#options.server.find(this.#revision).then(({ channel }) => tellQuietly(channel, message.text), ignore)
  }

  end(): void {
    for (const request of this.#pending.list()) cancelPending(this.#pending, request, 'the session is over')
    this.#options.onOver()
    for (const uri of [...this.#subscriptions]) {
      this.#forget(uri)
      this.#unsubscribe(uri)
    }
  }

  #send(request: ClientRequest, { channel, result }: SharedProcess, message: ClientMessage, sink: RequestSink): void {
    const { idKey, method } = message
    if (method === 'initialize') return answer(sink, idKey, result)
    if (OWNED_METHODS.test(method)) return sink.response(formatNotShared(message), { error: {} })
    if (method === 'resources/unsubscribe' && !this.#isLastSubscriber(message)) return answer(sink, idKey, {})
    try {
      request.atServer = channel.request(message, method === 'resources/subscribe' ? this.#subscribe(message, sink) : sink)
    } catch (error) {
      sink.failed(toProxyError(error))
    }
  }

  /**
   * Whether the process has to hear of an unsubscription. Some servers know one resource under several spellings, so a client that has not
   * subscribed must not end the subscription of another.
   */
  #isLastSubscriber(message: ClientMessage): boolean {
    const uri = readParam(message, 'uri')
    return typeof uri !== 'string' || (this.#forget(uri) && !this.#options.server.isSubscribed(uri))
  }

  /**
   * Remembers a subscription; one that the server refuses is forgotten.
   *
   * @throws ProxyError `upstream_busy`
   */
  #subscribe(message: ClientMessage, sink: RequestSink): RequestSink {
    const uri = readParam(message, 'uri')
    if (typeof uri !== 'string' || this.#subscriptions.has(uri)) return sink
    if (this.#subscriptions.size >= MAX_SUBSCRIPTIONS || !this.#options.memory.take(measure(uri)))
      throw new ProxyError('upstream_busy', {
        reason: 'subscriptions_limit',
        cause: 'no more subscriptions are kept for this user',
        retryAfter: 30,
      })
    this.#subscriptions.add(uri)
    this.#options.server.countSubscriber(uri, 1)
    return {
      kind: 'response',
      related: (text, related) => sink.related(text, related),
      response: (text, value) => {
        if ('error' in value) this.#forget(uri)
        sink.response(text, value)
      },
      failed: (error) => {
        this.#forget(uri)
        sink.failed(error)
      },
    }
  }

  /** @returns false when the session was not subscribed */
  #forget(uri: string): boolean {
    if (!this.#subscriptions.delete(uri)) return false
    this.#options.server.countSubscriber(uri, -1)
    this.#options.memory.give(measure(uri))
    return true
  }

  #unsubscribe(uri: string): void {
    const { server } = this.#options
    if (server.isSubscribed(uri)) return
    server.find(this.#revision).then(({ channel }) => channel.ask('resources/unsubscribe', { uri }).catch(ignore), ignore)
  }
}

/** Bytes of a subscription, with its place in the set. */
function measure(uri: string): number {
  return 2 * uri.length + 100
}

const ignore = (): void => undefined

function readRevision(message: ClientMessage): string {
  const { protocolVersion } = paramsOf(message)
  return typeof protocolVersion === 'string' && !isModernRevision(protocolVersion) ? protocolVersion : NEWEST_LEGACY_REVISION
}

function answer(sink: RequestSink, id: string, result: Readonly<Record<string, unknown>>): void {
  sink.response(`{"jsonrpc":"2.0","id":${id},"result":${JSON.stringify(result)}}`, { result })
}

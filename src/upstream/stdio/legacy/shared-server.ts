import { ProxyError } from '../../../core/errors.ts'
import { isObject } from '../../../core/is-object.ts'
import { isModernRevision } from '../../../mcp/revision.ts'
import { Channel } from '../channel/multiplexed-channel.ts'
import type { PendingRequest } from '../channel/pending-request.ts'
import { initializeParams, readInitialized, within } from '../channel/probe-revision.ts'
import { refuseServerRequest } from '../channel/refuse-server-request.ts'
import { type RequestSink, type ServerConnection, type ServerEvents, whenOver } from '../channel/server-connection.ts'
import type { Spare } from '../process/places.ts'
import type { Spawner } from '../process/spawner.ts'
import type { ChildMessage } from '../wire/child-messages.ts'
import { type ClientMessage, paramsOf, readParam } from '../wire/client-messages.ts'
import type { MemoryShare } from '../wire/held-memory.ts'
import { formatError } from '../wire/json-responses.ts'
import type { RunningRequest } from './running-requests.ts'

/** What a client that asks for something unknown is offered. */
const newestLegacyRevision = '2025-11-25'

/** Changes that say nothing about anybody: every session may hear of them. */
const broadcast = /^notifications\/(?:tools|prompts|resources)\/list_changed$/

/** What belongs to one client, where the child can't tell clients apart. */
const ownedMethods = /^(?:logging\/setLevel|tasks\/.*)$/

const subscribing = /^resources\/(?:un)?subscribe$/
/** Subscriptions of one session: all of them end with it, in one piece of work. */
const mostSubscriptions = 10_000

interface Running {
  readonly channel: Channel
  /** `result` of `initialize`, as every session is told it. */
  readonly result: Readonly<Record<string, unknown>>
}

/**
 * One child for all sessions of a revision, for servers that keep nothing between two requests. It is initialized once and for
 * everybody, without client capabilities: a request of its own could not be traced to the session that it is for, and is refused. Log
 * messages can't either, and go nowhere.
 */
export class SharedServer {
  readonly #spawner: Spawner
  readonly #startMilliseconds: number
  readonly #running = new Map<string, Promise<Running>>()
  readonly #channels = new Map<Channel, string>()
  readonly #connections = new Set<SharedConnection>()
  /** How many sessions want to hear of each resource. */
  readonly #subscribers = new Map<string, number>()

  constructor(spawner: Spawner, startMilliseconds: number) {
    this.#spawner = spawner
    this.#startMilliseconds = startMilliseconds
  }

  /** Ends children that nobody needs: the next request starts another. */
  sweep(idleMilliseconds: number): void {
    const now = performance.now()
    for (const channel of this.#listSpare()) if (channel.idle(now) > idleMilliseconds) this.#retire(channel)
  }

  /** Children that can be spared. */
  spares(): Spare[] {
    const now = performance.now()
    return this.#listSpare().map((channel) => ({
      key: channel.key,
      idle: channel.idle(now),
      end: () => this.#retire(channel),
    }))
  }

  /** @param memory - for what is kept for the session */
  connect(events: ServerEvents, memory: MemoryShare): ServerConnection {
    const connection: SharedConnection = new SharedConnection(this, events, memory, () => this.#connections.delete(connection))
    this.#connections.add(connection)
    return connection
  }

  /** The child for a revision. @throws ProxyError when there can be none */
  find(revision: string): Promise<Running> {
    const known = this.#running.get(revision)
    if (known) return known
    const starting: Promise<Running> = this.#start(revision, () => this.#forget(revision, starting))
    this.#running.set(revision, starting)
    starting.then(
      (running) => (running.channel.isOver ? this.#forget(revision, starting) : this.#channels.set(running.channel, revision)),
      () => this.#forget(revision, starting),
    )
    return starting
  }

  /** Ends a child; whoever comes while it does gets another. */
  #retire(channel: Channel): void {
    const revision = this.#channels.get(channel)
    if (revision !== undefined) this.#running.delete(revision)
    channel.end()
  }

  /** Children without sessions and requests. */
  #listSpare(): Channel[] {
    const used = new Set([...this.#connections].map(({ revision }) => revision))
    for (const channel of this.#channels.keys()) if (channel.isOver) this.#channels.delete(channel)
    const unused = [...this.#channels].filter(([channel, revision]) => !used.has(revision) && channel.load === 0)
    return unused.map(([channel]) => channel)
  }

  /** Whether a session wants to hear of a resource. */
  isSubscribed(uri: string): boolean {
    return this.#subscribers.has(uri)
  }

  /** @param by - 1 where a session begins to want that, -1 where it does no more */
  countSubscriber(uri: string, by: 1 | -1): void {
    const count = (this.#subscribers.get(uri) ?? 0) + by
    if (count > 0) this.#subscribers.set(uri, count)
    else this.#subscribers.delete(uri)
  }

  async #start(revision: string, onEnded: () => void): Promise<Running> {
    const channel = await Channel.start(this.#spawner, `shared ${revision}`, {
      message: (message) => this.#receive(channel, message),
      ended: onEnded,
    })
    const asked = channel.ask('initialize', initializeParams({}, undefined, revision))
    const result = await within(this.#startMilliseconds, asked)
      .then(readInitialized)
      .catch((error: unknown) => {
        channel.giveUp(error)
        throw error
      })
    channel.tell('{"jsonrpc":"2.0","method":"notifications/initialized"}')
    for (const uri of this.#subscribers.keys()) channel.ask('resources/subscribe', { uri }).catch(() => undefined)
    return { channel, result: withoutOwned(result) }
  }

  #forget(revision: string, starting: Promise<Running>): void {
    if (this.#running.get(revision) === starting) this.#running.delete(revision)
  }

  #receive(channel: Channel, message: ChildMessage): void {
    if (message.kind === 'request') return refuseServerRequest(channel, message)
    const uri = paramsOf(message).uri
    const isUpdate = message.method === 'notifications/resources/updated' && typeof uri === 'string'
    for (const connection of this.#connections)
      if (broadcast.test(message.method) || (isUpdate && connection.subscriptions.has(uri))) connection.hear(message)
  }
}

/**
 * The level of log messages is one for the whole child, and nobody hears of them. Tasks would be everybody's: "receivers MUST bind tasks"
 * to whoever asked for them (2025-11-25, basic/utilities/tasks, Task Isolation and Access Control), whom the child doesn't know.
 */
function withoutOwned(result: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  if (!isObject(result.capabilities)) return result
  const { logging: _logging, tasks: _tasks, ...capabilities } = result.capabilities
  return { ...result, capabilities }
}

/** A session's share of the child. */
class SharedConnection implements ServerConnection {
  readonly flow = undefined
  readonly subscriptions = new Set<string>()
  readonly #server: SharedServer
  readonly #events: ServerEvents
  readonly #memory: MemoryShare
  readonly #onOver: () => void
  readonly #running = new Set<RunningRequest>()
  #revision = '2024-11-05'

  constructor(server: SharedServer, events: ServerEvents, memory: MemoryShare, onOver: () => void) {
    this.#server = server
    this.#events = events
    this.#memory = memory
    this.#onOver = onOver
  }

  get revision(): string {
    return this.#revision
  }

  hear(message: ChildMessage): void {
    this.#events.message(message)
  }

  request(message: ClientMessage, sink: RequestSink): PendingRequest {
    if (message.method === 'initialize') this.#revision = readRevision(message)
    const request: RunningRequest = { idKey: message.idKey, pending: undefined }
    this.#running.add(request)
    const ended = whenOver(sink, () => this.#running.delete(request))
    this.#server.find(this.#revision).then(
      // Unless it was cancelled meanwhile.
      (running) => this.#running.has(request) && this.#send(request, running, message, ended),
      (error: unknown) => this.#running.has(request) && ended.failed(error as ProxyError),
    )
    return { cancel: (reason) => this.#cancel(request, reason), moveTo: () => undefined }
  }

  tell(message: ClientMessage): void {
    // What the child has been told once for all, or never asked.
    if (message.kind === 'response' || /^notifications\/(?:initialized|roots\/list_changed)$/.test(message.method)) return
    this.#server.find(this.#revision).then(({ channel }) => tellQuietly(channel, message.text), ignore)
  }

  end(): void {
    for (const request of [...this.#running]) this.#cancel(request, 'the session is over')
    this.#onOver()
    for (const uri of [...this.subscriptions]) {
      this.#forget(uri)
      this.#unsubscribe(uri)
    }
  }

  #cancel(request: RunningRequest, reason: string): void {
    if (this.#running.delete(request)) request.pending?.cancel(reason)
  }

  #send(request: RunningRequest, { channel, result }: Running, message: ClientMessage, sink: RequestSink): void {
    const { idKey, method } = message
    const uri = subscribing.test(method) ? readParam(message, 'uri') : undefined
    if (method === 'initialize') return answer(sink, idKey, result)
    if (ownedMethods.test(method)) return refuse(sink, idKey, method)
    if (method === 'resources/unsubscribe' && typeof uri === 'string') {
      // Some servers know one resource by several spellings: whoever has not subscribed must not end what another has.
      if (!this.#forget(uri) || this.#server.isSubscribed(uri)) return answer(sink, idKey, {})
    }
    try {
      const isSubscription = method === 'resources/subscribe' && typeof uri === 'string'
      request.pending = channel.request(message, isSubscription ? this.#subscribing(uri, sink) : sink)
    } catch (error) {
      sink.failed(error as ProxyError)
    }
  }

  /** What is refused is no subscription, and would be kept for as long as the session lasts. */
  #subscribing(uri: string, sink: RequestSink): RequestSink {
    if (this.subscriptions.has(uri)) return sink
    if (this.subscriptions.size >= mostSubscriptions || !this.#memory.take(sizeOf(uri)))
      throw new ProxyError('upstream_busy', { cause: 'no more subscriptions are kept for this user', retryAfter: 30 })
    this.subscriptions.add(uri)
    this.#server.countSubscriber(uri, 1)
    return {
      related: (text, message) => sink.related(text, message),
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

  /** @returns false when it was no subscription */
  #forget(uri: string): boolean {
    if (!this.subscriptions.delete(uri)) return false
    this.#server.countSubscriber(uri, -1)
    this.#memory.give(sizeOf(uri))
    return true
  }

  #unsubscribe(uri: string): void {
    if (this.#server.isSubscribed(uri)) return
    this.#server.find(this.#revision).then(({ channel }) => channel.ask('resources/unsubscribe', { uri }).catch(ignore), ignore)
  }
}

/** Bytes, with what the list of them takes. */
function sizeOf(uri: string): number {
  return 2 * uri.length + 100
}

const ignore = (): void => undefined

function readRevision(message: ClientMessage): string {
  const { protocolVersion } = paramsOf(message)
  return typeof protocolVersion === 'string' && !isModernRevision(protocolVersion) ? protocolVersion : newestLegacyRevision
}

function tellQuietly(channel: Channel, text: string): void {
  try {
    channel.tell(text)
  } catch {
    // A notification is no promise.
  }
}

function answer(sink: RequestSink, id: string, result: Readonly<Record<string, unknown>>): void {
  sink.response(`{"jsonrpc":"2.0","id":${id},"result":${JSON.stringify(result)}}`, { result })
}

function refuse(sink: RequestSink, id: string, method: string): void {
  sink.response(formatError(id, -32601, `Method not found: ${method} cannot be had from a server that all clients share`), {
    error: {},
  })
}

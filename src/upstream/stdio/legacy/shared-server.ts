import type { MemoryShare } from '../../../core/held-memory.ts'
import { isObject } from '../../../core/is-object.ts'
import { answerServerRequest } from '../channel/answer-server.ts'
import { answerWithin } from '../channel/answer-timeout.ts'
import { initializeParams, readInitializeResult } from '../channel/initialize.ts'
import { Channel } from '../channel/multiplexed-channel.ts'
import type { ServerConnection, ServerEvents } from '../channel/server-connection.ts'
import type { Spare } from '../process/places.ts'
import type { ProcessSource } from '../process/server-process.ts'
import type { ChildMessage } from '../wire/child-messages.ts'
import { paramsOf } from '../wire/client-messages.ts'
import { SharedConnection, type SharedProcess } from './shared-connection.ts'

/** Changes that say nothing about any client: every session may receive them. */
const BROADCAST_METHODS = /^notifications\/(?:tools|prompts|resources)\/list_changed$/

/**
 * One process for all sessions of a revision, for servers that keep nothing between two requests. It is initialized once, without client
 * capabilities. Requests of the server are refused, since nothing tells which session they are for. Log messages are dropped for the same
 * reason.
 */
export class SharedServer {
  readonly #source: ProcessSource
  readonly #startMs: number
  readonly #byRevision = new Map<string, Promise<SharedProcess>>()
  /** The revision of each process. */
  readonly #channels = new Map<Channel, string>()
  readonly #connections = new Set<SharedConnection>()
  /** How many sessions are subscribed to each resource. */
  readonly #subscribers = new Map<string, number>()

  constructor(source: ProcessSource, startMs: number) {
    this.#source = source
    this.#startMs = startMs
  }

  /** Ends processes that have not been used for a while. The next request starts another. */
  sweep(idleMs: number): void {
    const now = this.#source.clock.monotonic()
    for (const channel of this.#listUnused()) if (channel.idle(now) > idleMs) this.#retire(channel)
  }

  /** Processes that may end so that others can start. */
  spares(): Spare[] {
    const now = this.#source.clock.monotonic()
    return this.#listUnused().map((channel) => ({
      key: channel.owner.key,
      idle: channel.idle(now),
      end: () => this.#retire(channel),
    }))
  }

  /** @param memory - the account for what is kept for the session */
  connect(events: ServerEvents, memory: MemoryShare): ServerConnection {
    const connection: SharedConnection = new SharedConnection({
      server: this,
      events,
      memory,
      onOver: () => this.#connections.delete(connection),
    })
    this.#connections.add(connection)
    return connection
  }

  /** The process for a revision. @throws ProxyError when it can't be started */
  find(revision: string): Promise<SharedProcess> {
    const known = this.#byRevision.get(revision)
    if (known) return known
    const starting: Promise<SharedProcess> = this.#start(revision, () => this.#forget(revision, starting))
    this.#byRevision.set(revision, starting)
    starting.then(
      ({ channel }) => (channel.isOver ? this.#forget(revision, starting) : this.#channels.set(channel, revision)),
      () => this.#forget(revision, starting),
    )
    return starting
  }

  /** Whether any session is subscribed to a resource. */
  isSubscribed(uri: string): boolean {
    return this.#subscribers.has(uri)
  }

  /** @param by - 1 for a session that has subscribed, -1 for one that has unsubscribed */
  countSubscriber(uri: string, by: 1 | -1): void {
    const count = (this.#subscribers.get(uri) ?? 0) + by
    if (count > 0) this.#subscribers.set(uri, count)
    else this.#subscribers.delete(uri)
  }

  /** Ends a process. Requests that arrive meanwhile get another. */
  #retire(channel: Channel): void {
    const revision = this.#channels.get(channel)
    if (revision !== undefined) this.#byRevision.delete(revision)
    channel.end()
  }

  /** Processes without sessions and requests. */
  #listUnused(): Channel[] {
    const used = new Set([...this.#connections].map(({ revision }) => revision))
    for (const channel of this.#channels.keys()) if (channel.isOver) this.#channels.delete(channel)
    const unused = [...this.#channels].filter(([channel, revision]) => !used.has(revision) && channel.load === 0)
    return unused.map(([channel]) => channel)
  }

  async #start(revision: string, onEnded: () => void): Promise<SharedProcess> {
    const channel = await Channel.start(
      this.#source,
      { key: `shared ${revision}` },
      {
        message: (message) => this.#receive(channel, message),
        ended: onEnded,
      },
    )
    const asked = channel.ask('initialize', initializeParams({}, undefined, revision))
    const result = await answerWithin(this.#source.clock, this.#startMs, asked)
      .then(readInitializeResult)
      .catch((error: unknown) => {
        channel.giveUp(error)
        throw error
      })
    channel.tell('{"jsonrpc":"2.0","method":"notifications/initialized"}')
    for (const uri of this.#subscribers.keys()) channel.ask('resources/subscribe', { uri }).catch(() => undefined)
    return { channel, result: withoutOwned(result) }
  }

  #forget(revision: string, starting: Promise<SharedProcess>): void {
    if (this.#byRevision.get(revision) === starting) this.#byRevision.delete(revision)
  }

  #receive(channel: Channel, message: ChildMessage): void {
    if (message.kind === 'request') return answerServerRequest(channel, message)
    const uri = paramsOf(message).uri
    const isUpdate = message.method === 'notifications/resources/updated' && typeof uri === 'string'
    for (const connection of this.#connections)
      if (BROADCAST_METHODS.test(message.method) || (isUpdate && connection.isSubscribed(uri))) connection.receive(message)
  }
}

/**
 * Removes the capabilities whose use belongs to one client. The log level is one for the whole process, and no client gets log messages.
 * Tasks would belong to all clients: "receivers MUST bind tasks" to the requestor (2025-11-25, basic/utilities/tasks, Task Isolation and
 * Access Control), whom the process doesn't know.
 */
function withoutOwned(result: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  if (!isObject(result.capabilities)) return result
  const { logging: _logging, tasks: _tasks, ...capabilities } = result.capabilities
  return { ...result, capabilities }
}

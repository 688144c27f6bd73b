import { isObject } from '../../../core/is-object.ts'
import { formatListenEnd } from '../../../mcp/listen-end.ts'
import type { Channel } from '../channel/multiplexed-channel.ts'
import type { PendingRequest } from '../channel/pending-request.ts'
import type { RequestSink } from '../channel/server-connection.ts'
import type { ChildMessage } from '../wire/child-messages.ts'
import { type ClientMessage, metaOf, paramsOf, readParam } from '../wire/client-messages.ts'
import { metaKeys } from '../wire/modern-envelope.ts'
import { type Filter, kinds, readStrings, wants } from '../wire/subscription-filter.ts'

interface Listener {
  readonly key: string
  readonly id: string
  readonly filter: Filter
  readonly sink: RequestSink
  readonly channel: Channel
}

/** What is listened to at one child. */
interface Audience {
  readonly listeners: Set<Listener>
  /** How many of them want to hear of each resource. */
  readonly subscribers: Map<string, number>
}

/** `subscriptions/listen` (2026-07-28, patterns/subscriptions), served from the notifications of legacy children. */
export class Listeners {
  readonly #byKey = new Map<string, Set<Listener>>()
  readonly #byChannel = new Map<Channel, Audience>()

  /** Opens a stream; it is acknowledged with what the server can tell of. */
  open(key: string, channel: Channel, capabilities: unknown, message: ClientMessage, sink: RequestSink): PendingRequest {
    const filter = honour(readParam(message, 'notifications'), isObject(capabilities) ? capabilities : {})
    const listener: Listener = { key, id: message.idKey, filter, sink, channel }
    sink.related(
      formatNotification(listener, 'notifications/subscriptions/acknowledged', { notifications: formatFilter(filter) }),
    )
    if (Object.keys(filter).length === 0) {
      sink.response(formatListenEnd(listener.id), {})
      return { cancel: () => undefined, moveTo: () => undefined }
    }
    for (const uri of this.#add(listener)) channel.ask('resources/subscribe', { uri }).catch(() => undefined)
    return { cancel: () => this.#close(listener), moveTo: () => undefined }
  }

  /** Whether somebody listens to a child. */
  isUsed(channel: Channel): boolean {
    return this.#byChannel.has(channel)
  }

  /** Passes a change on to the listeners of a key that asked for it. */
  hear(key: string, message: ChildMessage): void {
    for (const listener of this.#byKey.get(key) ?? []) {
      if (!wants(listener.filter, message)) continue
      listener.sink.related(formatNotification(listener, message.method, { ...paramsOf(message), _meta: metaOf(message) }))
    }
  }

  /** A child is gone, and with it what it would have told. */
  ended(channel: Channel, fail: (sink: RequestSink) => void): void {
    for (const listener of [...(this.#byChannel.get(channel)?.listeners ?? [])]) {
      this.#remove(listener)
      fail(listener.sink)
    }
  }

  #close(listener: Listener): void {
    const { channel } = listener
    for (const uri of this.#remove(listener)) channel.ask('resources/unsubscribe', { uri }).catch(() => undefined)
  }

  /** @returns the resources that nobody at the child has wanted to hear of before */
  #add(listener: Listener): string[] {
    const { key, channel, filter } = listener
    const own = this.#byKey.get(key) ?? new Set()
    const audience = this.#byChannel.get(channel) ?? { listeners: new Set(), subscribers: new Map() }
    this.#byKey.set(key, own.add(listener))
    this.#byChannel.set(channel, audience)
    audience.listeners.add(listener)
    return countEach(audience.subscribers, filter.resourceSubscriptions, 1).filter((uri) => audience.subscribers.get(uri) === 1)
  }

  /** @returns the resources that nobody at the child wants to hear of any more */
  #remove(listener: Listener): string[] {
    const { key, channel, filter } = listener
    const audience = this.#byChannel.get(channel)
    if (!audience?.listeners.delete(listener)) return []
    const own = this.#byKey.get(key)
    own?.delete(listener)
    if (own?.size === 0) this.#byKey.delete(key)
    if (audience.listeners.size === 0) this.#byChannel.delete(channel)
    return countEach(audience.subscribers, filter.resourceSubscriptions, -1).filter((uri) => !audience.subscribers.has(uri))
  }
}

function countEach(counts: Map<string, number>, uris: Iterable<string> = [], by: number): string[] {
  const counted = [...uris]
  for (const uri of counted) {
    const count = (counts.get(uri) ?? 0) + by
    if (count > 0) counts.set(uri, count)
    else counts.delete(uri)
  }
  return counted
}

/** What of a filter the server can tell of. */
function honour(requested: unknown, capabilities: Readonly<Record<string, unknown>>): Filter {
  if (!isObject(requested)) return {}
  const can = (name: string, flag: string): boolean => isObject(capabilities[name]) && capabilities[name][flag] === true
  const honoured: Record<string, unknown> = {}
  for (const { filter, capability } of kinds)
    if (requested[filter] === true && can(capability, 'listChanged')) honoured[filter] = true
  const uris = readStrings(Array.isArray(requested.resourceSubscriptions) ? requested.resourceSubscriptions : [])
  if (uris.size > 0 && can('resources', 'subscribe')) honoured.resourceSubscriptions = uris
  return honoured
}

function formatFilter({ resourceSubscriptions, taskIds: _none, ...lists }: Filter): Readonly<Record<string, unknown>> {
  return resourceSubscriptions ? { ...lists, resourceSubscriptions: [...resourceSubscriptions] } : lists
}

function formatNotification({ id }: Listener, method: string, params: Record<string, unknown>): string {
  const meta = { ...(isObject(params._meta) ? params._meta : {}), [metaKeys.subscriptionId]: JSON.parse(id) as unknown }
  return JSON.stringify({ jsonrpc: '2.0', method, params: { ...params, _meta: meta } })
}

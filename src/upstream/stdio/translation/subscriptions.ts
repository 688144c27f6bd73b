import { isObject } from '../../../core/is-object.ts'
import { formatListenEnd } from '../../../mcp/listen-end.ts'
import type { Channel } from '../channel/multiplexed-channel.ts'
import { type PendingRequest, UNSENT } from '../channel/pending-request.ts'
import type { RequestSink } from '../channel/request-sink.ts'
import type { ChildMessage } from '../wire/child-messages.ts'
import { type ClientMessage, metaOf, paramsOf, readParam } from '../wire/client-messages.ts'
import { META_KEYS } from '../wire/modern-envelope.ts'
import { CHANGE_KINDS, type Filter, readStrings, wants } from '../wire/subscription-filter.ts'

interface Listener {
  readonly key: string
  readonly id: string
  readonly filter: Filter
  readonly sink: RequestSink
  readonly channel: Channel
}

/** The subscriptions at one process. */
interface Audience {
  readonly listeners: Set<Listener>
  /** How many of them include each resource. */
  readonly subscribers: Map<string, number>
}

/** `subscriptions/listen` (2026-07-28, patterns/subscriptions), served from the notifications of legacy servers. */
export class Listeners {
  readonly #byKey = new Map<string, Set<Listener>>()
  readonly #byChannel = new Map<Channel, Audience>()

  /** Opens a subscription. It is acknowledged with the part of its filter that the server can notify of. */
  open(key: string, channel: Channel, capabilities: unknown, message: ClientMessage, sink: RequestSink): PendingRequest {
    const filter = findSupported(readParam(message, 'notifications'), isObject(capabilities) ? capabilities : {})
    const listener: Listener = { key, id: message.idKey, filter, sink, channel }
    sink.related(
      formatNotification(listener, 'notifications/subscriptions/acknowledged', { notifications: formatFilter(filter) }),
    )
    if (Object.keys(filter).length === 0) {
      sink.response(formatListenEnd(listener.id), {})
      return UNSENT
    }
    for (const uri of this.#add(listener)) channel.ask('resources/subscribe', { uri }).catch(() => undefined)
    return { kind: 'sent', cancel: () => this.#close(listener) }
  }

  /** Whether a process has subscriptions. */
  isUsed(channel: Channel): boolean {
    return this.#byChannel.has(channel)
  }

  /** Passes a change on to the subscriptions of a key that include it. */
  hear(key: string, message: ChildMessage): void {
    for (const listener of this.#byKey.get(key) ?? []) {
      if (!wants(listener.filter, message)) continue
      listener.sink.related(formatNotification(listener, message.method, { ...paramsOf(message), _meta: metaOf(message) }))
    }
  }

  /** Ends the subscriptions at a process that is gone. */
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

  /** @returns the resources to which the process has to be subscribed */
  #add(listener: Listener): string[] {
    const { key, channel, filter } = listener
    const own = this.#byKey.get(key) ?? new Set()
    const audience = this.#byChannel.get(channel) ?? { listeners: new Set(), subscribers: new Map() }
    this.#byKey.set(key, own.add(listener))
    this.#byChannel.set(channel, audience)
    audience.listeners.add(listener)
    return changeCounts(audience.subscribers, filter.resourceSubscriptions, 1).filter(
      (uri) => audience.subscribers.get(uri) === 1,
    )
  }

  /** @returns the resources to which no subscription at the process is left */
  #remove(listener: Listener): string[] {
    const { key, channel, filter } = listener
    const audience = this.#byChannel.get(channel)
    if (!audience?.listeners.delete(listener)) return []
    const own = this.#byKey.get(key)
    own?.delete(listener)
    if (own?.size === 0) this.#byKey.delete(key)
    if (audience.listeners.size === 0) this.#byChannel.delete(channel)
    return changeCounts(audience.subscribers, filter.resourceSubscriptions, -1).filter((uri) => !audience.subscribers.has(uri))
  }
}

function changeCounts(counts: Map<string, number>, uris: Iterable<string> = [], by: number): string[] {
  const counted = [...uris]
  for (const uri of counted) {
    const count = (counts.get(uri) ?? 0) + by
    if (count > 0) counts.set(uri, count)
    else counts.delete(uri)
  }
  return counted
}

/** The part of a filter that the server can notify of. */
function findSupported(requested: unknown, capabilities: Readonly<Record<string, unknown>>): Filter {
  if (!isObject(requested)) return {}
  const can = (name: string, flag: string): boolean => isObject(capabilities[name]) && capabilities[name][flag] === true
  const supported: Record<string, unknown> = {}
  for (const { filter, capability } of CHANGE_KINDS)
    if (requested[filter] === true && can(capability, 'listChanged')) supported[filter] = true
  const uris = readStrings(Array.isArray(requested.resourceSubscriptions) ? requested.resourceSubscriptions : [])
  if (uris.size > 0 && can('resources', 'subscribe')) supported.resourceSubscriptions = uris
  return supported
}

function formatFilter({ resourceSubscriptions, taskIds: _none, ...lists }: Filter): Readonly<Record<string, unknown>> {
  return resourceSubscriptions ? { ...lists, resourceSubscriptions: [...resourceSubscriptions] } : lists
}

function formatNotification({ id }: Listener, method: string, params: Record<string, unknown>): string {
  const meta = { ...(isObject(params._meta) ? params._meta : {}), [META_KEYS.subscriptionId]: JSON.parse(id) as unknown }
  return JSON.stringify({ jsonrpc: '2.0', method, params: { ...params, _meta: meta } })
}

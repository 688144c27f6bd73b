import type { Channel } from '../channel/multiplexed-channel.ts'
import type { RequestSink } from '../channel/server-connection.ts'
import type { Ticket } from '../channel/ticket.ts'
import type { ChildMessage } from '../wire/child-messages.ts'
import { type ClientMessage, metaOf, paramsOf, readParam } from '../wire/client-messages.ts'
import { isObject, metaKeys } from '../wire/modern-envelope.ts'
import { type Filter, kinds, wants } from '../wire/subscription-filter.ts'

interface Listener {
  readonly key: string
  readonly id: string
  readonly filter: Filter
  readonly sink: RequestSink
  readonly channel: Channel
}

/** `subscriptions/listen` (2026-07-28, patterns/subscriptions), served from the notifications of legacy children. */
export class Listeners {
  readonly #listeners = new Set<Listener>()

  /** Opens a stream; it is acknowledged with what the server can tell of. */
  open(key: string, channel: Channel, capabilities: unknown, message: ClientMessage, sink: RequestSink): Ticket {
    const filter = honour(readParam(message, 'notifications'), isObject(capabilities) ? capabilities : {})
    const listener: Listener = { key, id: message.idKey, filter, sink, channel }
    sink.related(formatNotification(listener, 'notifications/subscriptions/acknowledged', { notifications: filter }))
    if (Object.keys(filter).length === 0) {
      sink.response(formatEnd(listener), {})
      return { cancel: () => undefined, moveTo: () => undefined }
    }
    const added = (filter.resourceSubscriptions ?? []).filter((uri) => !this.#isSubscribed(channel, uri))
    this.#listeners.add(listener)
    for (const uri of added) channel.ask('resources/subscribe', { uri }).catch(() => undefined)
    return { cancel: () => this.#close(listener), moveTo: () => undefined }
  }

  /** Whether somebody listens to a child. */
  isUsed(channel: Channel): boolean {
    return [...this.#listeners].some((listener) => listener.channel === channel)
  }

  /** Passes a change on to whoever asked for it. */
  hear(key: string, message: ChildMessage): void {
    for (const listener of this.#listeners) {
      if (listener.key !== key || !wants(listener.filter, message)) continue
      listener.sink.related(formatNotification(listener, message.method, { ...paramsOf(message), _meta: metaOf(message) }))
    }
  }

  /** A child is gone, and with it what it would have told. */
  ended(channel: Channel, fail: (sink: RequestSink) => void): void {
    for (const listener of [...this.#listeners].filter((candidate) => candidate.channel === channel)) {
      this.#listeners.delete(listener)
      fail(listener.sink)
    }
  }

  #close(listener: Listener): void {
    if (!this.#listeners.delete(listener)) return
    const { channel, filter } = listener
    for (const uri of filter.resourceSubscriptions ?? [])
      if (!this.#isSubscribed(channel, uri)) channel.ask('resources/unsubscribe', { uri }).catch(() => undefined)
  }

  #isSubscribed(channel: Channel, uri: string): boolean {
    return [...this.#listeners].some((other) => other.channel === channel && other.filter.resourceSubscriptions?.includes(uri))
  }
}

/** What of a filter the server can tell of. */
function honour(requested: unknown, capabilities: Readonly<Record<string, unknown>>): Filter {
  if (!isObject(requested)) return {}
  const can = (name: string, flag: string): boolean => isObject(capabilities[name]) && capabilities[name][flag] === true
  const honoured: Record<string, unknown> = {}
  for (const { filter, capability } of kinds)
    if (requested[filter] === true && can(capability, 'listChanged')) honoured[filter] = true
  const uris = Array.isArray(requested.resourceSubscriptions) ? requested.resourceSubscriptions : []
  const strings = uris.filter((uri) => typeof uri === 'string')
  if (strings.length > 0 && can('resources', 'subscribe')) honoured.resourceSubscriptions = strings
  return honoured
}

function formatNotification({ id }: Listener, method: string, params: Record<string, unknown>): string {
  const meta = { ...(isObject(params._meta) ? params._meta : {}), [metaKeys.subscriptionId]: JSON.parse(id) as unknown }
  return JSON.stringify({ jsonrpc: '2.0', method, params: { ...params, _meta: meta } })
}

function formatEnd({ id }: Listener): string {
  const result = { resultType: 'complete', _meta: { [metaKeys.subscriptionId]: JSON.parse(id) as unknown } }
  return `{"jsonrpc":"2.0","id":${id},"result":${JSON.stringify(result)}}`
}

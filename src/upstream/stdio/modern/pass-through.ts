import { ProxyError } from '../../../core/errors.ts'
import { Pool } from '../channel/channel-pool.ts'
import type { Channel } from '../channel/multiplexed-channel.ts'
import type { PendingRequest } from '../channel/pending-request.ts'
import { answered, type RequestSink, whenOver } from '../channel/server-connection.ts'
import type { ChildMessage } from '../wire/child-messages.ts'
import type { ClientMessage } from '../wire/client-messages.ts'
import { formatError } from '../wire/json-responses.ts'
import { readFilter, toolsListChanged, wants } from '../wire/subscription-filter.ts'
import { type ModernServer, measureQueued, type StartChannel, type ToolsChanged } from './modern-request.ts'
import { type OwnedIds, openOwnedIds, sealAnswer, sealNotification } from './owned-ids.ts'

/** What a server may send before an answer; everything else belongs to subscriptions (2026-07-28, stdio, Receiving Messages). */
const relatedMethods = new Set(['notifications/progress', 'notifications/message'])
const acknowledged = 'notifications/subscriptions/acknowledged'

/** Modern children: what the client says is what they get, but for the ids. */
export function createPassThrough(startChannel: StartChannel, isShared: boolean, toolsChanged: ToolsChanged): ModernServer {
  const pool = new Pool(async ({ id }) => ({ channel: await startChannel(id) }))
  return {
    async request(request, sink) {
      const { message, envelope, poolKey, ids } = request
      const opened = openOwnedIds(message, ids)
      if (!opened) return answered(sink, formatUnknown(message), -32602)
      // Log messages don't say which request they belong to: a request that wants them has its child's for itself. Where principals
      // share the child, nobody gets them.
      const exclusive = !isShared && envelope.logLevel !== undefined
      const isFree = (member: { channel: Channel }): boolean => !exclusive || member.channel.isExclusiveFree
      const owned = owning(opened, ids, sink, () => toolsChanged(poolKey))
      const watched = exclusive ? whenOver(owned, () => pool.changed()) : owned
      const send = ({ channel }: { channel: Channel }): PendingRequest => channel.request(opened, watched, exclusive)
      return pool.use({ id: poolKey }, isFree, measureQueued(request), send)
    },
    sweep: (idleMilliseconds) => pool.sweep(idleMilliseconds),
    spares: () => pool.spares(),
  }
}

/** The same whether the id was never given to anybody or belongs to someone else. */
function formatUnknown({ idKey }: ClientMessage): string {
  return formatError(idKey, -32602, 'Invalid params: the task or requestState is unknown')
}

/** A sink that gets what belongs to its request and nothing else, with ids that only its owner can use. */
function owning(request: ClientMessage, ids: OwnedIds, sink: RequestSink, toolsChanged: () => void): RequestSink {
  const isListening = request.method === 'subscriptions/listen'
  const filter = readFilter(request)
  const belongs = (message: ChildMessage): boolean =>
    isListening ? message.method === acknowledged || wants(filter, message) : relatedMethods.has(message.method)
  return {
    failed: (error) => sink.failed(error),
    // Servers cancel subscriptions and nothing else (2026-07-28, patterns/cancellation).
    ...(isListening && { closed: () => sink.closed?.() }),
    related(text, message) {
      if (message?.method === toolsListChanged) toolsChanged()
      if (message && belongs(message)) sink.related(sealNotification(message, text, ids), message)
    },
    response(text, value) {
      try {
        sink.response(sealAnswer(request.method, text, value, ids), value)
      } catch (error) {
        sink.failed(new ProxyError('upstream_invalid_response', { cause: error }))
      }
    },
  }
}

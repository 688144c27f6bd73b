import type { Clock } from '../../../core/clock.ts'
import { ProxyError } from '../../../core/errors.ts'
import { Pool, type PoolKey, type PoolMember } from '../channel/channel-pool.ts'
import type { Channel } from '../channel/multiplexed-channel.ts'
import type { PendingRequest } from '../channel/pending-request.ts'
import { awaitStart } from '../channel/probe-revision.ts'
import { answered, type RequestSink, type ResponseSink } from '../channel/request-sink.ts'
import type { ProcessOwner } from '../process/process-owner.ts'
import type { ChildMessage } from '../wire/child-messages.ts'
import type { ClientMessage } from '../wire/client-messages.ts'
import { formatError, formatNotShared } from '../wire/json-responses.ts'
import { readFilter, TOOLS_LIST_CHANGED, wants } from '../wire/subscription-filter.ts'
import { type ModernServer, measureQueued, type StartChannel, type ToolsChanged } from './modern-request.ts'
import { type OwnedIds, openOwnedIds, sealAnswer, sealNotification } from './owned-ids.ts'

/** Notifications that may precede a response. All others belong to subscriptions (2026-07-28, stdio, Receiving Messages). */
const RELATED_METHODS = new Set(['notifications/progress', 'notifications/message'])
const ACKNOWLEDGED = 'notifications/subscriptions/acknowledged'
/**
 * Requests of earlier revisions that hold for a whole process. 2026-07-28 has removed them (changelog, 2 to 5), but servers of both eras
 * obey them: one user would decide for all who share the process.
 */
const SETS_PROCESS = /^(?:initialize|logging\/setLevel|resources\/(?:un)?subscribe)$/

export interface PassThroughOptions {
  readonly clock: Clock
  readonly startChannel: StartChannel
  /** Time that a process has to answer its first request. */
  readonly startMs: number
  /** Whether principals share processes. */
  readonly isShared: boolean
  readonly toolsChanged: ToolsChanged
}

interface ServedOwner extends PoolKey {
  readonly owner: ProcessOwner
}

/** Passes modern requests to modern servers. Only ids are replaced. */
export function createPassThrough({ clock, startChannel, startMs, isShared, toolsChanged }: PassThroughOptions): ModernServer {
  const pool = new Pool<PoolMember, ServedOwner>(clock, async ({ owner }) => {
    const channel = await startChannel(owner)
    await awaitStart(clock, channel, startMs)
    return { channel }
  })
  return {
    async request(request, sink) {
      const { message, envelope, owner, poolKey, ids } = request
      if (isShared && SETS_PROCESS.test(message.method)) return answered(sink, formatNotShared(message), -32601)
      const opened = openOwnedIds(message, ids)
      if (!opened) return answered(sink, formatUnknown(message), -32602)
      // Log messages don't say which request they belong to. So a request with a log level gets all those of its process, and none where
      // principals share the process.
      const exclusive = !isShared && envelope.logLevel !== undefined
      const isFree = (member: { channel: Channel }): boolean => !exclusive || member.channel.isExclusiveFree
      const owned = owning(opened, ids, sink, () => toolsChanged(poolKey))
      const send = ({ channel }: { channel: Channel }): PendingRequest => channel.request(opened, owned, exclusive)
      return pool.use({ id: poolKey, owner }, isFree, measureQueued(request), send)
    },
    sweep: (idleMs) => pool.sweep(idleMs),
    spares: () => pool.spares(),
  }
}

/** The same for an id that does not exist and for one of another user. */
function formatUnknown({ idKey }: ClientMessage): string {
  return formatError(idKey, -32602, 'Invalid params: the task or requestState is unknown')
}

/** A sink that receives only what belongs to its request, with ids that only their owner can use. */
function owning(request: ClientMessage, ids: OwnedIds, sink: RequestSink, toolsChanged: () => void): RequestSink {
  const filter = readFilter(request)
  const belongs = (message: ChildMessage): boolean =>
    sink.kind === 'subscription' ? message.method === ACKNOWLEDGED || wants(filter, message) : RELATED_METHODS.has(message.method)
  const events: Omit<ResponseSink, 'kind'> = {
    related(text, message) {
      if (message?.method === TOOLS_LIST_CHANGED) toolsChanged()
      if (message && belongs(message)) sink.related(sealNotification(message, text, ids), message)
    },
    response(text, value) {
      try {
        sink.response(sealAnswer(request.method, text, value, ids), value)
      } catch (error) {
        sink.failed(new ProxyError('upstream_invalid_response', { reason: 'message_unreadable', cause: error }))
      }
    },
    failed: (error) => sink.failed(error),
  }
  // Servers cancel subscriptions and nothing else (2026-07-28, patterns/cancellation).
  if (sink.kind === 'subscription') return { kind: 'subscription', ...events, closed: () => sink.closed() }
  return { kind: 'response', ...events }
}

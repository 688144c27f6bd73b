import type { MemoryShare } from '../../../core/held-memory.ts'
import type { QueuedRequest } from '../channel/channel-pool.ts'
import type { Channel } from '../channel/multiplexed-channel.ts'
import type { PendingRequest } from '../channel/pending-request.ts'
import type { RequestSink } from '../channel/request-sink.ts'
import type { Spare } from '../process/places.ts'
import type { ProcessOwner } from '../process/process-owner.ts'
import type { ClientMessage } from '../wire/client-messages.ts'
import type { Envelope } from '../wire/modern-envelope.ts'
import type { OwnedIds } from './owned-ids.ts'

/** One request of a modern client. */
export interface ModernRequest {
  readonly message: ClientMessage
  readonly envelope: Envelope
  readonly principalKey: string
  /** Whom its process is for. */
  readonly owner: ProcessOwner
  /** The same for all requests that may share a process. */
  readonly poolKey: string
  /** The account for what is held for the principal. */
  readonly memory: MemoryShare
  /** Ids that belong to the principal. */
  readonly ids: OwnedIds
}

/** Answers modern requests: with a modern server, or with a legacy one through a translation. */
export interface ModernServer {
  /** Answers a request. @throws ProxyError */
  request(request: ModernRequest, sink: RequestSink): Promise<PendingRequest>
  sweep(idleMs: number): void
  /** Processes that may end so that others can start. */
  spares(): Spare[]
}

/** A character takes two bytes at most. The constant is for everything else that belongs to a request. */
export function measureQueued({ message, memory }: ModernRequest): QueuedRequest {
  return { memory, bytes: 2 * message.text.length + 2000 }
}

/** Called when the tools of the processes of a pool have changed. */
export type ToolsChanged = (poolKey: string) => void

/** Starts a process. */
export type StartChannel = (owner: ProcessOwner) => Promise<Channel>

import type { QueuedRequest } from '../channel/channel-pool.ts'
import type { Channel } from '../channel/multiplexed-channel.ts'
import type { PendingRequest } from '../channel/pending-request.ts'
import type { RequestSink } from '../channel/server-connection.ts'
import type { Spare } from '../process/places.ts'
import type { ClientMessage } from '../wire/client-messages.ts'
import type { MemoryShare } from '../wire/held-memory.ts'
import type { Envelope } from '../wire/modern-envelope.ts'
import type { OwnedIds } from './owned-ids.ts'

/** One request of a modern client. */
export interface ModernRequest {
  readonly message: ClientMessage
  readonly envelope: Envelope
  readonly principalKey: string
  /** Which child it may share. */
  readonly poolKey: string
  /** For what is held for the principal. */
  readonly memory: MemoryShare
  /** Ids that belong to the principal. */
  readonly ids: OwnedIds
}

/** Whoever answers modern requests: modern children, or legacy ones through a translation. */
export interface ModernServer {
  /** Answers a request. @throws ProxyError */
  request(request: ModernRequest, sink: RequestSink): Promise<PendingRequest>
  sweep(idleMilliseconds: number): void
  /** Children that can be spared. */
  spares(): Spare[]
}

/** Characters are two bytes at most; the rest is what a request takes besides. */
export function measureQueued({ message, memory }: ModernRequest): QueuedRequest {
  return { memory, bytes: 2 * message.text.length + 2000 }
}

/** Hears that the tools of the children of a pool have changed. */
export type ToolsChanged = (poolKey: string) => void

/** Starts a child for somebody. */
export type StartChannel = (principalKey: string) => Promise<Channel>

import type { Channel } from '../channel/multiplexed-channel.ts'
import type { RequestSink } from '../channel/server-connection.ts'
import type { Ticket } from '../channel/ticket.ts'
import type { Spare } from '../process/places.ts'
import type { ClientMessage } from '../wire/client-messages.ts'
import type { Envelope } from '../wire/modern-envelope.ts'
import type { OwnedIds } from './owned-ids.ts'

/** One request of a modern client. */
export interface ModernRequest {
  readonly message: ClientMessage
  readonly envelope: Envelope
  readonly principalKey: string
  /** Which child it may share. */
  readonly poolKey: string
  /** Ids that belong to the principal. */
  readonly ids: OwnedIds
}

/** Whoever answers modern requests: modern children, or legacy ones through a translation. */
export interface ModernServer {
  /** Answers a request. @throws ProxyError */
  request(request: ModernRequest, sink: RequestSink): Promise<Ticket>
  sweep(idleMilliseconds: number): void
  /** Children that can be spared. */
  spares(): Spare[]
}

/** Starts a child for somebody. */
export type StartChannel = (principalKey: string) => Promise<Channel>

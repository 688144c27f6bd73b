import type { ClientMessage } from '../wire/client-messages.ts'

/** What a server has of a client's request. */
export type PendingRequest = UnsentRequest | SentRequest | TransferableRequest

/** Nothing: the request was answered here, or its server is still starting. */
interface UnsentRequest {
  readonly kind: 'unsent'
}

/** The server works on it. */
interface SentRequest {
  readonly kind: 'sent'
  /** Tells the server that the answer is not needed. Whatever it still sends for the request is dropped. */
  cancel(reason: string): void
}

/** The server works on it, and the answer can go to a later request of the same client. */
export interface TransferableRequest {
  readonly kind: 'transferable'
  cancel(reason: string): void
  /** From now on, the id and progress token of this message count. */
  transferTo(message: ClientMessage): void
}

export const UNSENT: PendingRequest = { kind: 'unsent' }

export function cancelRequest(request: PendingRequest, reason: string): void {
  if (request.kind !== 'unsent') request.cancel(reason)
}

import type { ClientMessage } from '../wire/client-messages.ts'

/** One request on its way. */
export interface PendingRequest {
  /** Nobody wants the answer any more: the child is told, and what it still sends goes nowhere. */
  cancel(reason: string): void
  /** Another request of the client has taken this one's place: its id and progress token count from now on. */
  moveTo(message: ClientMessage): void
}

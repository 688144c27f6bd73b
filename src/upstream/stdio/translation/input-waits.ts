import { randomBytes } from 'node:crypto'
import type { Clock } from '../../../core/clock.ts'
import type { PendingRequest } from '../channel/pending-request.ts'
import type { RequestSink } from '../channel/request-sink.ts'
import type { ModernRequest } from '../modern/modern-request.ts'
import { digestRequest } from './translate-messages.ts'

/** How long a call waits for the client's input. */
const INPUT_PATIENCE_MS = 5 * 60_000

/** A call that waits for input. */
export interface WaitingCall {
  /** Identifies the call and its retries, see {@link formatOwner}. */
  readonly owner: string
  resume(request: ModernRequest, sink: RequestSink): PendingRequest
  /** Called when the client did not come back in time. */
  expire(): void
}

export interface InputWait {
  readonly requestState: string
  end(): void
}

/** Calls that wait for input, by the `requestState` of their client: unguessable, and single-use. */
export class InputWaits {
  readonly #clock: Clock
  readonly #calls = new Map<string, WaitingCall>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  begin(call: WaitingCall): InputWait {
    const requestState = randomBytes(24).toString('base64url')
    const cancel = this.#clock.after(INPUT_PATIENCE_MS, () => call.expire())
    this.#calls.set(requestState, call)
    const end = (): void => {
      cancel()
      this.#calls.delete(requestState)
    }
    return { requestState, end }
  }

  /** The call that a retry continues; undefined when there is none, or it has another owner. */
  find(requestState: unknown, request: ModernRequest): WaitingCall | undefined {
    const call = typeof requestState === 'string' ? this.#calls.get(requestState) : undefined
    return call?.owner === formatOwner(request) ? call : undefined
  }
}

/** The same for a request and its retries by the same principal, who may still use its process, and different for every other request. */
export function formatOwner({ principalKey, poolKey, message }: ModernRequest): string {
  return `${principalKey} ${poolKey} ${digestRequest(message)}`
}

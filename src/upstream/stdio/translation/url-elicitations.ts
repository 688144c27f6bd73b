import { randomBytes } from 'node:crypto'
import { BoundedMap } from '../../../core/bounded-map.ts'
import type { RequestSink } from '../channel/request-sink.ts'
import type { ModernRequest } from '../modern/modern-request.ts'
import { formatError } from '../wire/json-responses.ts'
import { formatOwner } from './input-waits.ts'
import { findMissingCapability, formatInputRequired, type InputRequest } from './translate-messages.ts'

const MAX_RERUNS = 1000
const MISSING_CAPABILITY = -32021

/**
 * Calls that the server refused until the user has visited a URL (error -32042). The client repeats such a call with the `requestState` that
 * it gets here, and the call is then sent to the server once more.
 */
export class UrlElicitations {
  /** The owner of each call, by its request state. */
  readonly #owners = new BoundedMap<string, string>(MAX_RERUNS)

  /** Tells the client which URLs have to be visited before it repeats the request. */
  require(request: ModernRequest, owner: string, elicitations: readonly InputRequest[], sink: RequestSink): void {
    const { idKey } = request.message
    const missing = elicitations.map((each) => findMissingCapability(each, request.envelope.capabilities)).find((each) => each)
    if (missing) {
      const text = formatError(idKey, MISSING_CAPABILITY, 'Missing required client capability', { requiredCapabilities: missing })
      return sink.response(text, { error: { code: MISSING_CAPABILITY } })
    }
    const requests = Object.fromEntries(elicitations.map((each, index) => [String(index + 1), each]))
    sink.response(formatInputRequired(idKey, requests, this.#remember(owner)), {})
  }

  /** Whether a request repeats a call of this kind. Its request state can't be used again. */
  takeRetry(requestState: unknown, request: ModernRequest): boolean {
    if (typeof requestState !== 'string' || this.#owners.get(requestState) !== formatOwner(request)) return false
    return this.#owners.delete(requestState)
  }

  #remember(owner: string): string {
    const requestState = randomBytes(24).toString('base64url')
    this.#owners.set(requestState, owner)
    return requestState
  }
}

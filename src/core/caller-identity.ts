import type { Call } from './call.ts'
import type { Principal } from './principal.ts'

/** Tells an upstream who calls. */
export interface CallerIdentity {
  /** Names of header fields that only we may send, lower case. */
  readonly ownNames: ReadonlySet<string>
  /** The fields for a call, alternating names and values. */
  formatHeaders(call: Call): readonly string[]
  /** What each request of a body is to say of the caller, in JSON on one line. Left out where bodies stay as they are. */
  describe?(principal: Principal): string
}

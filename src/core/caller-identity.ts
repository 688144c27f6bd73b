import type { Call } from './call.ts'
import type { CallerVariables } from './caller-variables.ts'
import type { Principal } from './principal.ts'

/** Tells an upstream who calls. */
export interface CallerIdentity {
  /** Names of header fields that only we may send, lower case. */
  readonly ownNames: ReadonlySet<string>
  /** The fields for a call, alternating names and values. */
  formatHeaders(call: Call): readonly string[]
  /** What a process that serves the caller finds in its environment. Left out where processes are told nothing there. */
  listVariables?(principal: Principal): CallerVariables
  /** What each request of a body is to say of the caller, in JSON on one line. Left out where bodies stay as they are. */
  describe?(principal: Principal): string
}

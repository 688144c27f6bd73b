import type { Call } from './call.ts'

/** Tells an upstream who calls. */
export interface CallerIdentity {
  /** Names of header fields that only we may send, lower case. */
  readonly ownNames: ReadonlySet<string>
  /** The fields for a call, alternating names and values. */
  formatHeaders(call: Call): readonly string[]
}

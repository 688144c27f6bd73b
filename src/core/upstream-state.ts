import type { Failure } from './failure.ts'

/** How an MCP server does, as seen from here. */
export interface UpstreamState {
  /** Where it is, for people. */
  readonly address: string
  readonly circuit: CircuitPosition
  /** The last connection that could not be opened; undefined where all could. */
  readonly lastFailure: Failure | undefined
}

/** `open`: calls are refused at once, since nothing could be reached. `half_open`: one call is on its way to find out. */
export type CircuitPosition = 'closed' | 'open' | 'half_open'

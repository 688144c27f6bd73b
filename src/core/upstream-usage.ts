import type { Failure } from './failure.ts'

/** What an MCP server that this process starts itself uses, now. */
export interface UpstreamUsage {
  /** MCP sessions that are open. */
  readonly sessions: number
  /** Processes that run or are about to end. */
  readonly processes: number
  /** The most that may run at the same time. */
  readonly maxProcesses: number
}

/** The processes of an MCP server, and what became of the last one that failed. */
export interface ProcessList {
  readonly running: readonly { readonly pid: number; readonly ageMs: number }[]
  readonly lastFailure: Failure | undefined
}

/** A process was started (or at least tried), or is gone: ended by us, by itself, or never there. */
export type ProcessChange = 'started' | 'ended' | 'crashed' | 'start_failed'

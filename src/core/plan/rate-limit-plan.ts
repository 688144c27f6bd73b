/** What a limit counts by. */
export type RateLimitSubject = 'principal' | 'client' | 'server' | 'tool'

/** How much may be done, and by what it is counted. At least one bound is there. */
export interface RateLimitPlan {
  /** Where it stands: `servers[0].rate_limits[1]`. Names it in the log. */
  readonly label: string
  /** Names it in counters, beside what it counts by: not by the place of its server in the file, so that another one before it changes nothing. */
  readonly countedAs: string
  /** Each combination of these has a count of its own. */
  readonly per: readonly RateLimitSubject[]
  /** Patterns of tool names: only their calls count. Undefined: everything counts. */
  readonly tools: readonly string[] | undefined
  /** Tokens that a bucket gains in a minute; each operation takes one. */
  readonly callsPerMinute: number | undefined
  /** Tokens that a bucket holds at most. */
  readonly burst: number
  /** Calls that run at a time. */
  readonly concurrentCalls: number | undefined
  /** Event streams without an end of their own that are open at a time. */
  readonly streams: number | undefined
  /** MCP sessions that are open at a time. */
  readonly sessions: number | undefined
}

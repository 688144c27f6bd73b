import type { Call, KeptPlaces } from './call.ts'

/** Bounds how much a server is used. */
export interface RateLimits {
  /**
   * Counts a call, also one that is refused.
   *
   * @throws ProxyError `rate_limited` when a limit has no room for the whole of it: then nothing was counted. `batch_too_large` when one
   *   never has: then it was counted as one operation
   */
  admit(call: Call): Admission | Promise<Admission>
}

/** A call that was counted. */
export interface Admission extends KeptPlaces {
  /** The answer names this MCP session, by the id that the MCP server knows: it may just have been opened. */
  useSession(id: string): void
  /**
   * Gives back what the call had while it ran. Called once, when its answer is over.
   *
   * @param status - of the answer; 0 when there was none
   */
  close(status: number): void
}

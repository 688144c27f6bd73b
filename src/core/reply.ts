import type { ProxyError } from './errors.ts'

/** Response headers by lower-case name. */
export type ReplyHeaders = Record<string, string | string[]>

/**
 * Where an upstream writes its answer: a small push sink in the shape of an undici handler. What must change on the way back is a
 * Reply that wraps a Reply.
 */
export interface Reply {
  /** Sends status and headers at once. Called at most once, before `write`. */
  start(status: number, headers: ReplyHeaders): void
  /**
   * Sends a piece of the body, at the end of this turn of the event loop at the latest.
   *
   * @param release - called when the system has the bytes, and with them all that was written before. Who keeps them, or cannot tell,
   * leaves it out
   * @returns false when the client is slower than the upstream: wait for `onDrain`
   */
  write(chunk: Uint8Array, release?: () => void): boolean
  /** The answer is complete. Called at once after the last byte: a short answer of known length is sent with its end. */
  end(): void
  /** The answer cannot be completed. Before `start` it becomes a refusal, after it the connection is cut, never ended cleanly. */
  fail(error: ProxyError): void
  /** What is sent next is a failure, within an answer that has begun: for the log. */
  report(error: ProxyError): void
  /** Called each time the client has caught up. */
  onDrain(listener: () => void): void
  /** Called once when nothing is left to send: all of the answer has gone out, or the client has; at once if that was before. */
  onDone(listener: () => void): void
  /** Called once if the client goes away before the answer is complete; at once if it already has. */
  onClose(listener: () => void): void
}

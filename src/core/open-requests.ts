import type { ProxyError } from './errors.ts'
import type { Operation } from './operation.ts'
import type { Upstream } from './ports.ts'
import type { Principal } from './principal.ts'

/** A request whose answer is not complete: a stream, or a call that takes longer than most. */
export interface OpenRequest {
  readonly requestId: string
  readonly server: string
  readonly path: string
  /** Where its answer comes from. */
  readonly upstream: Upstream
  /** As its token was verified last. */
  readonly principal: Principal
  /** What the request asked for: empty for the event stream of a GET. */
  readonly operations: readonly Operation[]
  /** Whether it has no end of its own (GET, `subscriptions/listen`). Nothing is lost when it ends. */
  readonly lasts: boolean
  /** Whether its answer is an event stream that has begun. */
  readonly isStream: boolean
  /** Milliseconds of the monotonic clock. */
  readonly openedAt: number
  /** Ends the answer: cleanly where it lasts, by a refusal where it has not begun, or else by cutting it. */
  end(reason: ProxyError): void
  /** Verifies its token and asks policy again, by what is in force now. Ends a stream that is no longer permitted; never rejects. */
  decideAnew(): Promise<void>
}

/**
 * The open requests of the process, on all servers. Streams are in it from the moment they are permitted, calls after a second: most are over
 * by then.
 */
export interface OpenRequests extends Iterable<OpenRequest> {
  /** Counts the changes of what is permitted. What was permitted before the last of them is decided anew. */
  readonly era: number
  readonly size: number
  /** How many have left since the start. */
  readonly removed: number
  add(request: OpenRequest): void
  remove(request: OpenRequest): void
  /** Ends what lasts, for a shutdown. */
  endLasting(reason: ProxyError): void
  /**
   * Ends those of which it is true. Requests that are not in here yet have their tokens verified anew when they are.
   *
   * @returns how many
   */
  end(isEnded: (request: OpenRequest) => boolean, reason: ProxyError): number
  /** Decides all of them anew. Called when something else than before is in force. */
  decideAnew(): Promise<void>
}

export function createOpenRequests(): OpenRequests {
  const open = new Set<OpenRequest>()
  let era = 0
  let removed = 0
  const endAll = (isEnded: (request: OpenRequest) => boolean, reason: ProxyError): number => {
    const ended = [...open].filter(isEnded)
    for (const request of ended) request.end(reason)
    return ended.length
  }
  return {
    get era() {
      return era
    },
    get size() {
      return open.size
    },
    get removed() {
      return removed
    },
    [Symbol.iterator]: () => open.values(),
    add: (request) => void open.add(request),
    remove(request) {
      if (open.delete(request)) removed += 1
    },
    endLasting: (reason) => void endAll(({ lasts }) => lasts, reason),
    end(isEnded, reason) {
      era += 1
      return endAll(isEnded, reason)
    },
    async decideAnew() {
      era += 1
      await Promise.all([...open].map((request) => request.decideAnew()))
    },
  }
}

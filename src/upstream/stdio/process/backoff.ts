import { BoundedMap } from '../../../core/bounded-map.ts'

/** Milliseconds before the second try; doubled with each further failure. */
const firstDelay = 100
const longestDelay = 30_000
/** A child that has lived this long was no failed start. */
const stableAfter = 10_000
const mostKeys = 10_000

interface Failures {
  count: number
  until: number
}

/**
 * When a child may be started again after others have failed. Kept by whoever they were started for: what one client can make fail must
 * not keep others out.
 */
export class Backoff {
  readonly #failures = new BoundedMap<string, Failures>(mostKeys)

  /** Milliseconds to wait before the next start. */
  delay(key: string, now: number = performance.now()): number {
    const failures = this.#failures.get(key)
    return failures ? Math.max(0, failures.until - now) : 0
  }

  /** @param lifetime - milliseconds for which the child that failed had lived */
  failed(key: string, lifetime: number, now: number = performance.now()): void {
    const count = lifetime >= stableAfter ? 1 : (this.#failures.get(key)?.count ?? 0) + 1
    this.#failures.set(key, { count, until: now + Math.min(longestDelay, firstDelay * 2 ** (count - 1)) })
  }

  /** A child has done what it was for. */
  succeeded(key: string): void {
    this.#failures.delete(key)
  }
}

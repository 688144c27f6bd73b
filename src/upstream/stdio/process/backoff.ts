import { BoundedMap } from '../../../core/bounded-map.ts'

/** Doubled with each further failure. */
const FIRST_DELAY_MS = 100
const MAX_DELAY_MS = 30_000
/** The start of a process that has lived this long was successful. */
const STABLE_AFTER_MS = 10_000
const MAX_KEYS = 10_000

interface Failures {
  count: number
  until: number
}

/**
 * Delays the next start after failures. Each key, which is whom a process is for, has its own delay: a client that makes its processes fail
 * must not delay those of others.
 */
export class Backoff {
  readonly #failures = new BoundedMap<string, Failures>(MAX_KEYS)

  /** Milliseconds until the next start. */
  delay(key: string, now: number): number {
    const failures = this.#failures.get(key)
    return failures ? Math.max(0, failures.until - now) : 0
  }

  /** @param lifetime - milliseconds for which the process had lived */
  failed(key: string, lifetime: number, now: number): void {
    const count = lifetime >= STABLE_AFTER_MS ? 1 : (this.#failures.get(key)?.count ?? 0) + 1
    this.#failures.set(key, { count, until: now + Math.min(MAX_DELAY_MS, FIRST_DELAY_MS * 2 ** (count - 1)) })
  }

  /** A process has ended as it should. */
  succeeded(key: string): void {
    this.#failures.delete(key)
  }
}

import type { Clock } from '../../core/clock.ts'

/** Keeps away for a while from what has just failed, twice as long each time. */
export interface BackOff {
  /**
   * Does something, unless it failed a moment ago: then that failure is told again.
   *
   * @param counts - whether a failure is one to keep away for
   */
  guard<T>(work: () => Promise<T>, counts: (error: unknown) => boolean): Promise<T>
  /** Milliseconds until it makes sense to try again. */
  readonly delay: number
}

const FIRST_MS = 1000
const MAX_MS = 60_000

export function createBackOff(clock: Clock): BackOff {
  let failures = 0
  let last: { readonly error: unknown; readonly until: number } | undefined
  const findDelay = () => Math.max(0, (last?.until ?? 0) - clock.monotonic())
  return {
    get delay() {
      return findDelay()
    },
    async guard(work, counts) {
      if (last !== undefined && findDelay() > 0) throw last.error
      try {
        const result = await work()
        failures = 0
        last = undefined
        return result
      } catch (error) {
        if (counts(error)) {
          last = { error, until: clock.monotonic() + Math.min(MAX_MS, FIRST_MS * 2 ** failures) }
          failures = Math.min(failures + 1, 10)
        }
        throw error
      }
    },
  }
}

import type { CancelTimer, Clock } from '../core/clock.ts'
import type { Extent } from '../core/collect-garbage.ts'

const INTERVAL_MS = 5000
/** Of fewer, the garbage is not worth a pause of all requests. */
const MIN_ENDED = 250
/** Share of the time in which something was done. With more, what is allocated has V8 collect soon, and a pause would be noticed. */
const MAX_UTILIZATION = 0.1

export interface RestOptions {
  readonly clock: Clock
  /** How many streams, and calls that took long, have ended since the start. */
  countEnded(): number
  /** How many of them are open. */
  countOpen(): number
  /** The share of the time since the last call in which the process did something. */
  measureUtilization(): number
  collect(extent: Extent): void
}

/**
 * Collects garbage at once, since what a start leaves would lie among what the first calls need, then when there is little to do after the
 * start, or after many streams have ended. V8 collects when something is allocated; a process at rest would keep what thousands of streams
 * have left for as long as it rests. At rest there is time to move what is left together: little of it on many pages keeps them all. Where
 * more streams are open than have ended, that would take long and free little.
 */
export function collectAtRest({ clock, countEnded, countOpen, measureUtilization, collect }: RestOptions): CancelTimer {
  collect('major')
  // What was loaded since then is worth a pause, too, but not a long one where thousands of streams have come back at once.
  let collectedAt = -MIN_ENDED
  return clock.every(INTERVAL_MS, () => {
    const utilization = measureUtilization()
    const ended = countEnded()
    const endedSince = ended - collectedAt
    if (endedSince < MIN_ENDED || utilization > MAX_UTILIZATION) return
    collectedAt = ended
    collect(endedSince > countOpen() ? 'compacting' : 'major')
  })
}

/** @returns measures since its last call */
export function createUtilization(): () => number {
  let before = performance.eventLoopUtilization()
  return () => {
    const now = performance.eventLoopUtilization()
    const { utilization } = performance.eventLoopUtilization(now, before)
    before = now
    return utilization
  }
}

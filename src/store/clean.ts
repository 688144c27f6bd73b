import type { CancelTimer, Clock } from '../core/clock.ts'

const CLEAN_EVERY_MS = 60_000

/**
 * Removes expired entries every minute, also where nothing is written any more.
 *
 * @returns stops the cleaning
 */
export function cleanPeriodically(clean: () => void, clock: Clock): CancelTimer {
  return clock.every(CLEAN_EVERY_MS, () => {
    try {
      clean()
    } catch {
      // Another process holds the file. The next round follows in a minute; requests report failures of the store themselves.
    }
  })
}

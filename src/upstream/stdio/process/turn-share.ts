import type { Clock } from '../../../core/clock.ts'

/**
 * Milliseconds of one turn of the event loop for the lines of all processes together. Lines that are no JSON take the longest: 64 KiB of
 * short ones would keep all other requests waiting for half a second.
 */
const MAX_TURN_MS = 5

/** Those who have lines left for the next turn. Of the process, as its event loop is. */
let waiting = 0

/** How long the lines of one process may be read now: all that have lines left get the same. */
export function findTurnMs(): number {
  return MAX_TURN_MS / (waiting + 1)
}

/** Begins to read lines. @returns tells whether that has taken long enough */
export function beginTurn(clock: Pick<Clock, 'monotonic'>): () => boolean {
  const until = clock.monotonic() + findTurnMs()
  return () => clock.monotonic() >= until
}

/** @param go - called in the next turn */
export function waitForTurn(go: () => void): void {
  waiting++
  setImmediate(() => {
    waiting--
    go()
  })
}

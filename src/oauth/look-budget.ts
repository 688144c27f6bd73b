import type { Clock } from '../core/clock.ts'
import { listNetworks } from './networks.ts'

/**
 * Bounds how often tokens that no key verifies have an issuer asked for its keys. Askers are named by their addresses; all of one subscriber's
 * network are one.
 */
export interface LookBudget {
  /** Reserves a fetch for an asker; false where it has to wait. */
  take(address: string): boolean
  /** Reserves a further fetch, one in 30 s for all askers, where a token is newer than what the last look found. */
  takeSecond(): boolean
  /** Whether the asker itself had a look within the last 30 s, rather than others all that there are. */
  hasLooked(address: string): boolean
  /** When the asker may look again, monotonic. */
  nextAt(address: string): number
  /** Whether there was a fetch within the last 30 s. */
  isRecent(): boolean
}

export const LOOK_INTERVAL_MS = 30_000
/** For all askers together. One network can only use up its own. */
const MAX_LOOKS = 8

/** Gives each asker one look in 30 s, and all together eight. */
export function createLookBudget(clock: Clock): LookBudget {
  // Oldest first, as maps keep the order of insertion.
  const looks = new Map<string, number>()
  let secondAt = Number.NEGATIVE_INFINITY
  const prune = () => {
    const now = clock.monotonic()
    for (const [asker, at] of looks) if (now - at >= LOOK_INTERVAL_MS) looks.delete(asker)
  }
  return {
    take(address) {
      prune()
      const [asker] = listNetworks(address)
      if (looks.has(asker) || looks.size >= MAX_LOOKS) return false
      looks.set(asker, clock.monotonic())
      return true
    },
    takeSecond() {
      const now = clock.monotonic()
      if (now - secondAt < LOOK_INTERVAL_MS) return false
      secondAt = now
      return true
    },
    hasLooked(address) {
      prune()
      return looks.has(listNetworks(address)[0])
    },
    nextAt(address) {
      prune()
      const [asker] = listNetworks(address)
      const oldest = looks.size < MAX_LOOKS ? undefined : [...looks.values()][0]
      return (looks.get(asker) ?? oldest ?? Number.NEGATIVE_INFINITY) + LOOK_INTERVAL_MS
    },
    isRecent() {
      prune()
      return looks.size > 0
    },
  }
}

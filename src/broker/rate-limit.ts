import type { Clock } from '../oauth/clock.ts'

/** Counts what strangers do, by address, so that nobody can fill the store. */
export interface RateLimit {
  /** Counts one more. Returns the seconds after which another try makes sense; undefined when this one may take place. */
  count(address: string): number | undefined
}

const MINUTE_MS = 60_000
const MOST_ADDRESSES = 10_000
/** What all addresses together may do, as a multiple of what one may do. */
const ALL_ADDRESSES = 30
const EVERYBODY = '*'

interface Count {
  readonly since: number
  times: number
}

/** @param perMinute - times that one address may do it within a minute */
export function createRateLimit(perMinute: number, clock: Clock): RateLimit {
  const counts = new Map<string, Count>()
  const countFor = (address: string, most: number): number | undefined => {
    const now = clock.monotonic()
    const known = counts.get(address)
    const count = known !== undefined && now < known.since + MINUTE_MS ? known : { since: now, times: 0 }
    counts.delete(address)
    counts.set(address, count)
    count.times += 1
    return count.times > most ? Math.ceil((count.since + MINUTE_MS - now) / 1000) : undefined
  }
  return {
    count(address) {
      const wait = countFor(address, perMinute) ?? countFor(EVERYBODY, perMinute * ALL_ADDRESSES)
      const [oldest] = counts.keys()
      if (counts.size > MOST_ADDRESSES && oldest !== undefined) counts.delete(oldest)
      return wait
    },
  }
}

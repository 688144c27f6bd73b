import { BoundedMap } from '../../core/bounded-map.ts'
import type { Clock } from '../../core/clock.ts'
import { listNetworks } from '../../oauth/networks.ts'

/** Limits how often an address may do something, so that no client can fill the store. */
export interface RateLimit {
  /** Counts one more. Returns the seconds after which another try makes sense; undefined when this one may take place. */
  count(address: string): number | undefined
  /** As {@link RateLimit.count}, but counts nothing: whether one more would be too many for that address. */
  check(address: string): number | undefined
}

const MINUTE_MS = 60_000
const MAX_COUNTS = 20_000
/**
 * What a network may do, as a multiple of what one address may do: the address, networks around it, all addresses. Several subscribers share
 * a network, but the owner of a large one must not use up the limit of all others.
 */
const TIMES = [1, 4, 10] as const
const TIMES_ALL = 30
const EVERYBODY = '*'

interface Count {
  readonly since: number
  times: number
}

/**
 * Counts what stays with us. All addresses together have a bound, too.
 *
 * @param perMinute - times that one address may do it within a minute
 */
export function createRateLimit(perMinute: number, clock: Clock): RateLimit {
  return createLimit(perMinute, TIMES_ALL, clock)
}

/**
 * Counts what is processed at once and not stored. There is no limit for all addresses together: a few clients could lock out all others.
 *
 * @param perMinute - times that one address may do it within a minute
 */
export function createAddressLimit(perMinute: number, clock: Clock): RateLimit {
  return createLimit(perMinute, Number.POSITIVE_INFINITY, clock)
}

/** A network, and how often it may do it within a minute. */
interface Bound {
  readonly network: string
  readonly most: number
}

function createLimit(perMinute: number, timesAll: number, clock: Clock): RateLimit {
  const counts = new BoundedMap<string, Count>(MAX_COUNTS)
  const listBounds = (address: string): Bound[] => [
    ...listNetworks(address).map((network, index) => ({ network, most: perMinute * (TIMES[index] ?? 1) })),
    { network: EVERYBODY, most: perMinute * timesAll },
  ]
  const findWait = ({ since }: Count): number => Math.ceil((since + MINUTE_MS - clock.monotonic()) / 1000)
  const countFor = ({ network, most }: Bound): number | undefined => {
    const now = clock.monotonic()
    const known = counts.get(network)
    const count = known !== undefined && now < known.since + MINUTE_MS ? known : { since: now, times: 0 }
    counts.set(network, count)
    count.times += 1
    return count.times > most ? findWait(count) : undefined
  }
  const checkFor = ({ network, most }: Bound): number | undefined => {
    const count = counts.get(network)
    const wait = count === undefined || count.times < most ? 0 : findWait(count)
    return wait > 0 ? wait : undefined
  }
  return {
    check: (address) => findFirst(listBounds(address), checkFor),
    // The narrowest first: what is refused there is not counted for others.
    count: (address) => findFirst(listBounds(address), countFor),
  }
}

function findFirst(bounds: readonly Bound[], look: (bound: Bound) => number | undefined): number | undefined {
  for (const bound of bounds) {
    const wait = look(bound)
    if (wait !== undefined) return wait
  }
  return undefined
}

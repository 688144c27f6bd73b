import type { Clock } from '../oauth/clock.ts'

/** Counts what strangers do, by address, so that nobody can fill the store. */
export interface RateLimit {
  /** Counts one more. Returns the seconds after which another try makes sense; undefined when this one may take place. */
  count(address: string): number | undefined
  /** As {@link RateLimit.count}, but counts nothing: whether one more would be too many for that address. */
  check(address: string): number | undefined
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

/**
 * Counts what stays with us. All addresses together have a bound, too.
 *
 * @param perMinute - times that one address may do it within a minute
 */
export function createRateLimit(perMinute: number, clock: Clock): RateLimit {
  return createLimit(perMinute, ALL_ADDRESSES, clock)
}

/**
 * Counts what costs us a moment: with a bound for all together, a few strangers could shut everybody out.
 *
 * @param perMinute - times that one address may do it within a minute
 */
export function createAddressLimit(perMinute: number, clock: Clock): RateLimit {
  return createLimit(perMinute, Number.POSITIVE_INFINITY, clock)
}

function createLimit(perMinute: number, mostAddresses: number, clock: Clock): RateLimit {
  const counts = new Map<string, Count>()
  const findWait = ({ since }: Count): number => Math.ceil((since + MINUTE_MS - clock.monotonic()) / 1000)
  const countFor = (address: string, most: number): number | undefined => {
    const now = clock.monotonic()
    const known = counts.get(address)
    const count = known !== undefined && now < known.since + MINUTE_MS ? known : { since: now, times: 0 }
    counts.delete(address)
    counts.set(address, count)
    count.times += 1
    return count.times > most ? findWait(count) : undefined
  }
  return {
    check(address) {
      const count = counts.get(findNetwork(address))
      if (count === undefined || count.times < perMinute) return undefined
      const wait = findWait(count)
      return wait > 0 ? wait : undefined
    },
    count(address) {
      const from = findNetwork(address)
      const wait = countFor(from, perMinute) ?? countFor(EVERYBODY, perMinute * mostAddresses)
      const [oldest] = counts.keys()
      if (counts.size > MOST_ADDRESSES && oldest !== undefined) counts.delete(oldest)
      return wait
    },
  }
}

/** Whoever has one IPv6 address has 2^64 of them: those with the same first half count as one (RFC 4291 §2.5.4). */
function findNetwork(address: string): string {
  const written = URL.parse(`http://[${address}]`)?.hostname.slice(1, -1)
  if (written === undefined) return address
  const [head = '', tail] = written.split('::')
  const first = head === '' ? [] : head.split(':')
  const last = tail === undefined || tail === '' ? [] : tail.split(':')
  const zeros = Array.from({ length: 8 - first.length - last.length }, () => '0')
  const network = [...first, ...(tail === undefined ? [] : zeros), ...last].slice(0, 4).join(':')
  // Loopback, and IPv4 addresses as IPv6 writes them.
  return network === '0:0:0:0' ? address : `${network}::/64`
}

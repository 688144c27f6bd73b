import { BoundedMap } from '../core/bounded-map.ts'
import type { Clock } from '../core/clock.ts'
import type { BucketDemand, Counters, Demand, PlaceDemand, Shortage } from '../core/counters.ts'
import { portion } from './portion.ts'

/** Counts of either kind. With more, the one that was not used for longest is forgotten: a full bucket, as a rule. */
const MAX_COUNTS = 100_000

/** Holder → milliseconds of the monotonic clock at which the place is free again. */
type Places = Map<string, number>

/**
 * Counts in the memory of this process.
 *
 * @param share - the part of each limit that is this process's own: 3 where three processes divide it
 */
export function createLocalCounters(clock: Clock, share = 1): Counters {
  const buckets = new BoundedMap<string, number>(MAX_COUNTS)
  const places = new BoundedMap<string, Places>(MAX_COUNTS)
  const findShortage = (demand: Demand, index: number, now: number): Shortage | undefined => {
    if (demand.kind === 'bucket') return findDrought(ofShare(demand, share), index, buckets.get(demand.key), now)
    const taken = countLive(places.get(demand.key), now)
    return taken + demand.holders.length > portion(demand.most, share) ? { index, waitMs: undefined } : undefined
  }
  const findLongest = (demands: readonly Demand[], now: number): Shortage | undefined => {
    let longest: Shortage | undefined
    for (const [index, demand] of demands.entries()) {
      const shortage = findShortage(demand, index, now)
      if (shortage !== undefined && (longest === undefined || lasts(shortage, demands) > lasts(longest, demands)))
        longest = shortage
    }
    return longest
  }
  const hold = (demand: PlaceDemand, now: number): void => {
    const held = places.get(demand.key) ?? new Map<string, number>()
    for (const holder of demand.holders) {
      // Behind the others, so that what expires first comes first.
      held.delete(holder)
      held.set(holder, now + demand.expiresAfterMs)
    }
    dropExpired(held, now)
    places.set(demand.key, held)
  }
  const meet = (demand: Demand, now: number): void => {
    if (demand.kind === 'place') hold(demand, now)
    else buckets.set(demand.key, findFullTime(ofShare(demand, share), buckets.get(demand.key), now))
  }
  return {
    share,
    take(demands) {
      const now = clock.monotonic()
      const shortage = findLongest(demands, now)
      if (shortage !== undefined) return shortage
      for (const demand of demands) meet(demand, now)
      return undefined
    },
    hold(demands) {
      for (const demand of demands) hold(demand, clock.monotonic())
    },
    release(demands) {
      for (const { key, holders } of demands) {
        const held = places.get(key)
        for (const holder of holders) held?.delete(holder)
        if (held?.size === 0) places.delete(key)
      }
    },
    close: async () => {},
  }
}

function ofShare(demand: BucketDemand, share: number): BucketDemand {
  return { ...demand, tokenMs: demand.tokenMs * share, burst: portion(demand.burst, share) }
}

/**
 * A bucket is known by the time at which it will be full again: what it holds follows from that (the generic cell rate algorithm). One that
 * is full needs no memory.
 */
function findFullTime({ tokens, tokenMs }: BucketDemand, fullAt: number | undefined, now: number): number {
  return Math.max(fullAt ?? now, now) + tokens * tokenMs
}

/** Sums of times are not exact, and no wait is that short. */
const ROUNDING_MS = 0.001

function findDrought(demand: BucketDemand, index: number, fullAt: number | undefined, now: number): Shortage | undefined {
  const { tokens, tokenMs, burst } = demand
  if (tokens > burst) return { index, waitMs: undefined }
  const waitMs = Math.max(0, (fullAt ?? now) - now) + (tokens - burst) * tokenMs
  return waitMs > ROUNDING_MS ? { index, waitMs } : undefined
}

/** Milliseconds for comparing. When places are free is not known: mostly soon. */
function lasts({ index, waitMs }: Shortage, demands: readonly Demand[]): number {
  return waitMs ?? (demands[index]?.kind === 'bucket' ? Number.POSITIVE_INFINITY : 0)
}

/** Those in front, which is most of them: nothing else forgets places that were neither released nor asked for. */
function dropExpired(places: Places, now: number): void {
  for (const [holder, freeAt] of places) {
    if (freeAt > now) return
    places.delete(holder)
  }
}

function countLive(places: Places | undefined, now: number): number {
  if (places === undefined) return 0
  for (const [holder, freeAt] of places) if (freeAt <= now) places.delete(holder)
  return places.size
}

import type { Clock } from '../core/clock.ts'
import { type Counters, type Demand, listPlaces, type Shortage } from '../core/counters.ts'
import type { StoreCounters } from '../core/store-counters.ts'

/** A call does not wait longer to be counted. */
const ANSWER_MS = 250
/** After a failure the store is not asked for that long. */
const PAUSE_MS = 2000

/**
 * Counts in a store, and in this process alone while the store is away. Places that are held here are known here all the time: an outage must
 * not free those of calls and streams that began before it, nor of those that outlast the time for which a place is held.
 *
 * @param local - has the part of each limit that is this process's own
 * @param onIssue - called when the store is lost, and when it is back
 */
export function createSharedCounters(
  store: StoreCounters,
  local: Counters,
  clock: Clock,
  onIssue: (message: string) => void,
): Counters {
  let isAway = false
  let asksAgainAt = Number.NEGATIVE_INFINITY
  const setAway = (away: boolean): void => {
    if (away) asksAgainAt = clock.monotonic() + PAUSE_MS
    if (away === isAway) return
    isAway = away
    onIssue(away ? 'rate limits: the store does not answer; this process counts alone' : 'rate limits: the store counts again')
  }
  /** What is not told to a store that is away expires there. */
  const tell = (told: Promise<void>): void =>
    void told.then(
      () => setAway(false),
      () => setAway(true),
    )
  const mayAsk = (): boolean => clock.monotonic() >= asksAgainAt
  return {
    // While the store is away, a request may have no room in the part of this process: it has again once the store is back.
    share: 1,
    async take(demands) {
      if (mayAsk()) {
        const answer = await takeInTime(store, demands, clock)
        setAway(answer === NO_ANSWER)
        if (answer === undefined) local.hold(listPlaces(demands))
        if (answer !== NO_ANSWER) return answer
      }
      return local.take(demands)
    },
    hold(places) {
      local.hold(places)
      if (mayAsk()) tell(store.hold(places))
    },
    release(places) {
      local.release(places)
      if (mayAsk()) tell(store.release(places))
    },
    async close() {
      await store.close()
      await local.close()
    },
  }
}

const NO_ANSWER = Symbol('no answer')

async function takeInTime(
  store: StoreCounters,
  demands: readonly Demand[],
  clock: Clock,
): Promise<Shortage | undefined | typeof NO_ANSWER> {
  const taken = store.take(demands)
  const late = Promise.withResolvers<typeof NO_ANSWER>()
  const cancel = clock.after(ANSWER_MS, () => {
    late.resolve(NO_ANSWER)
    giveBack(store, taken, demands)
  })
  try {
    return await Promise.race([taken, late.promise])
  } catch {
    return NO_ANSWER
  } finally {
    cancel()
  }
}

/** The call was counted elsewhere meanwhile. Places that are not given back expire. */
function giveBack(store: StoreCounters, taken: Promise<Shortage | undefined>, demands: readonly Demand[]): void {
  const places = listPlaces(demands)
  taken.then((shortage) => (shortage === undefined && places.length > 0 ? store.release(places) : undefined)).catch(() => {})
}

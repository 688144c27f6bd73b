import { BoundedMap } from '../core/bounded-map.ts'
import { type Call, withoutLongBody } from '../core/call.ts'
import type { Clock } from '../core/clock.ts'
import { type Counters, listPlaces, type PlaceDemand, type Shortage } from '../core/counters.ts'
import { ProxyError, type ReasonOf } from '../core/errors.ts'
import type { RateLimitPlan } from '../core/plan/rate-limit-plan.ts'
import type { Admission, RateLimits } from '../core/rate-limits.ts'
import { createDemandReader, createSessionFinder, type LimitedDemand, RENEW_EVERY_MS, SESSION_MS } from './demands.ts'
import { countAsOne, createOversizeRefusal, findOversize } from './oversize.ts'

/** The limits of all servers, over counters that they share. */
export interface RateLimiter {
  /** The limits of a server; undefined where it has none. */
  limit(server: string, plans: readonly RateLimitPlan[]): RateLimits | undefined
  close(): Promise<void>
}

/** Limits that servers share are counted together. */
export function createRateLimiter(counters: Counters, clock: Clock): RateLimiter {
  const running: RunningCalls = new Set()
  const stop = clock.every(RENEW_EVERY_MS, () => {
    for (const limited of running) {
      counters.hold(listLimitedPlaces(limited))
      for (const { keepName } of limited) keepName?.()
    }
  })
  return {
    limit(server, plans) {
      if (plans.length === 0) return undefined
      const readDemands = createDemandReader(server, plans, clock)
      return createRateLimits(readDemands, createSessions(server, plans, counters, clock), counters, running)
    },
    close() {
      stop()
      return counters.close()
    },
  }
}

/** What calls that have places asked for. */
type RunningCalls = Set<readonly LimitedDemand[]>

function listLimitedPlaces(limited: readonly LimitedDemand[]): readonly PlaceDemand[] {
  return listPlaces(limited.map(({ demand }) => demand))
}

function createRateLimits(
  readDemands: (call: Call) => readonly LimitedDemand[],
  sessions: Sessions,
  counters: Counters,
  running: RunningCalls,
): RateLimits {
  const hold = (call: Call, limited: readonly LimitedDemand[]): Admission => {
    const places = listLimitedPlaces(limited)
    if (places.length > 0) running.add(limited)
    if (call.mcpSessionId !== undefined) sessions.use(call, call.mcpSessionId)
    const release = (): void => {
      running.delete(limited)
      if (places.length > 0) counters.release(places)
    }
    let over: Promise<void> | undefined
    return {
      useSession: (id) => sessions.use(call, id),
      keepUntil(until) {
        over = until
      },
      close(status) {
        if (over === undefined) release()
        else void over.then(release)
        sessions.settle(call, status)
      },
    }
  }
  return {
    admit(given) {
      const call = withoutLongBody(given)
      const limited = readDemands(call)
      // A limit on sessions, or on other tools, asks nothing of most calls.
      if (limited.length === 0) return hold(call, limited)
      const oversize = findOversize(limited, counters.share)
      const counted = oversize === undefined ? limited : countAsOne(limited)
      const settle = (shortage: Shortage | undefined): Admission => {
        if (shortage !== undefined) throw createRefusal(counted, shortage)
        if (oversize !== undefined) throw createOversizeRefusal(oversize)
        return hold(call, limited)
      }
      const taken = counted.length === 0 ? undefined : counters.take(counted.map(({ demand }) => demand))
      return taken instanceof Promise ? taken.then(settle) : settle(taken)
    },
  }
}

/** Seconds after which to try again, where that depends on when others end. */
const TRY_AGAIN: Readonly<Record<ReasonOf<'rate_limited'>, number>> = {
  calls_per_minute: 60,
  concurrent_calls: 1,
  streams: 5,
  sessions: 60,
}

function createRefusal(limited: readonly LimitedDemand[], { index, waitMs }: Shortage): ProxyError {
  const { reason, label } = limited[index] as LimitedDemand
  return new ProxyError('rate_limited', {
    reason,
    cause: label,
    retryAfter: waitMs === undefined ? TRY_AGAIN[reason] : Math.ceil(waitMs / 1000),
  })
}

/** The places of MCP sessions that are open. */
interface Sessions {
  /** The call uses the session, or opens it. */
  use(call: Call, id: string): void
  /** The session may be over. @param status - of the answer */
  settle(call: Call, status: number): void
}

const MAX_SESSIONS = 100_000

function createSessions(server: string, plans: readonly RateLimitPlan[], counters: Counters, clock: Clock): Sessions {
  const findPlaces = createSessionFinder(server, plans)
  if (plans.every(({ sessions }) => sessions === undefined)) return { use: () => {}, settle: () => {} }
  /** When each session was last held anew. */
  const held = new BoundedMap<string, number>(MAX_SESSIONS)
  return {
    use(call, id) {
      const now = clock.monotonic()
      if (call.method === 'DELETE' || now - (held.get(id) ?? Number.NEGATIVE_INFINITY) < SESSION_MS / 4) return
      held.set(id, now)
      counters.hold(findPlaces(call, id))
    },
    settle(call, status) {
      const { mcpSessionId: id } = call
      if (id === undefined || !isOver(call, status)) return
      held.delete(id)
      counters.release(findPlaces(call, id))
    },
  }
}

/** The MCP server has ended the session, or does not know it (2025-11-25, basic/transports, Session Management, 3 and 5). */
function isOver({ method }: Call, status: number): boolean {
  return status === 404 || (method === 'DELETE' && status >= 200 && status < 300)
}

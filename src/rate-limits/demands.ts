import { hash } from 'node:crypto'
import { type Call, lastsUntilEnded } from '../core/call.ts'
import type { Clock } from '../core/clock.ts'
import type { Demand, PlaceDemand } from '../core/counters.ts'
import type { ReasonOf } from '../core/errors.ts'
import type { Operation } from '../core/operation.ts'
import type { RateLimitPlan } from '../core/plan/rate-limit-plan.ts'
import { countOperations } from './count-operations.ts'
import { formatKey } from './key.ts'
import { createToolNames } from './tool-names.ts'

/** A demand, and the limit that it comes from. */
export interface LimitedDemand {
  readonly demand: Demand
  readonly reason: ReasonOf<'rate_limited'>
  readonly label: string
  /** Keeps the name of the tool known, while its call runs; left out where tools are not counted apart. */
  readonly keepName?: () => void
}

/** What a call asks of the limits of its server. */
export type ReadDemands = (call: Call) => readonly LimitedDemand[]

const MINUTE_MS = 60_000
/** Longer than {@link RENEW_EVERY_MS}: a process that is slow for a moment must not lose its places. */
const RUNNING_MS = 60_000
/** Places of running calls are held anew that often, so that those of a process that died are free soon. */
export const RENEW_EVERY_MS = 20_000
/** A session that is not used for so long does not count any more: nothing tells when MCP servers forget theirs. */
export const SESSION_MS = 30 * MINUTE_MS

/** Reads what a call asks for, limit by limit. */
export function createDemandReader(server: string, plans: readonly RateLimitPlan[], clock: Clock): ReadDemands {
  const readers = plans.map((plan): ReadDemands => {
    const names = createToolNames(clock, findNameTime(plan))
    const findOwner = (call: Call): string => formatKey(plan, server, call)
    const count = countOperations(plan, (call, tool) => names.tell(findOwner(call), tool))
    return (call) =>
      count(call).flatMap(({ tool, operations, calls }) => {
        const key = formatKey(plan, server, call, tool)
        const places = demandPlaces(plan, key, call, calls)
        const tokens = demandTokens(plan, key, operations)
        if (tool === undefined) return [...tokens, ...places]
        const keepName = (): void => names.keep(findOwner(call), tool)
        return [...tokens, ...places.map((place) => ({ ...place, keepName }))]
      })
  })
  return (call) => readers.flatMap((read) => read(call))
}

/** After so long without a call of a tool, its bucket is full and its places are free, but for those of calls that still run. */
function findNameTime({ callsPerMinute, burst }: RateLimitPlan): number {
  return callsPerMinute === undefined ? RUNNING_MS : Math.max(RUNNING_MS, burst * (MINUTE_MS / callsPerMinute))
}

/** The places of an MCP session that is open, one for each limit on sessions. @param id - the one that the MCP server knows */
export type FindSessionPlaces = (call: Call, id: string) => readonly PlaceDemand[]

export function createSessionFinder(server: string, plans: readonly RateLimitPlan[]): FindSessionPlaces {
  const limits = plans.filter(({ sessions }) => sessions !== undefined)
  return (call, id) => {
    // Who knows the id has the session, so no store is told it.
    const holders = [hash('sha256', JSON.stringify([server, id]), 'base64url')]
    return limits.map((plan) => createPlaces(formatKey(plan, server, call), 'sessions', plan.sessions, holders, SESSION_MS))
  }
}

function demandTokens({ callsPerMinute, burst, label }: RateLimitPlan, key: string, tokens: number): LimitedDemand[] {
  if (callsPerMinute === undefined || tokens === 0) return []
  // A reload with other numbers begins anew: an empty bucket must not stay empty for as long as under the former limit, and while processes
  // with both share a store, none must read what is left in its own numbers.
  const bucket = `${key}:calls:${callsPerMinute}/${burst}`
  const demand = { kind: 'bucket', key: bucket, tokens, tokenMs: MINUTE_MS / callsPerMinute, burst } as const
  return [{ reason: 'calls_per_minute', label, demand }]
}

function demandPlaces(plan: RateLimitPlan, key: string, call: Call, calls: number): LimitedDemand[] {
  const demand = (reason: PlaceReason, most: number | undefined, places: number): LimitedDemand[] => {
    if (most === undefined || places === 0) return []
    // Request ids are unique among processes.
    const holders = Array.from({ length: places }, (_, index) => `${call.requestId}.${index}`)
    return [{ reason, label: plan.label, demand: createPlaces(key, reason, most, holders, RUNNING_MS) }]
  }
  return [
    ...demand('concurrent_calls', plan.concurrentCalls, calls),
    ...demand('streams', plan.streams, lastsUntilEnded(call) ? 1 : 0),
    ...demand('sessions', plan.sessions, call.operations.filter(opensSession).length),
  ]
}

type PlaceReason = Exclude<ReasonOf<'rate_limited'>, 'calls_per_minute'>

function createPlaces(
  key: string,
  reason: PlaceReason,
  most = 0,
  holders: readonly string[],
  expiresAfterMs: number,
): PlaceDemand {
  return { kind: 'place', key: `${key}:${reason}`, holders, most, expiresAfterMs }
}

/** "initialize" opens a session, if the server wants one (2025-11-25, basic/transports, Session Management). Some want one also without an id. */
function opensSession({ method }: Operation): boolean {
  return method === 'initialize'
}

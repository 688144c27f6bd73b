import { type Clock, systemClock } from '../core/clock.ts'
import type { Demand, PlaceDemand, Shortage } from '../core/counters.ts'
import type { RedisStorePlan } from '../core/plan/store-plan.ts'
import type { StoreCounters } from '../core/store-counters.ts'
import { connectRedis, type RedisConnection } from './redis-connection.ts'

/*
 * A bucket is a text: the time in milliseconds at which it is full again, and gone with that. Places are a sorted set: holders by the time
 * at which they expire; the key expires with the last of them. Time is that of Redis, so that the clocks of the processes do not matter.
 * Nothing is written before all demands are known to be met. Of those that are not, the one that lasts longest is told. No bucket lacks more
 * than it holds, whatever it says: the clock may have been set back, or be that of another server after a failover.
 */
const TAKE = `
local time = redis.call('TIME')
local now = time[1] * 1000 + time[2] / 1000
local demands = cjson.decode(ARGV[1])
local fullAt = {}
local short, longest = nil, -1
for i, demand in ipairs(demands) do
  local key = KEYS[i]
  if demand.kind == 'bucket' then
    if demand.tokens > demand.burst then return {i, ''} end
    local missing = math.max(tonumber(redis.call('GET', key) or now) - now, 0)
    missing = math.min(missing, demand.burst * demand.tokenMs)
    fullAt[i] = now + missing + demand.tokens * demand.tokenMs
    local wait = missing + (demand.tokens - demand.burst) * demand.tokenMs
    if wait > 0.01 and wait > longest then short, longest = i, wait end
  else
    redis.call('ZREMRANGEBYSCORE', key, '-inf', now)
    if redis.call('ZCARD', key) + #demand.holders > demand.most then short = short or i end
  end
end
if short then return {short, longest < 0 and '' or tostring(math.ceil(longest))} end
for i, demand in ipairs(demands) do
  local key = KEYS[i]
  if demand.kind == 'bucket' then
    redis.call('SET', key, string.format('%.3f', fullAt[i]), 'PX', math.ceil(fullAt[i] - now))
  else
    for _, holder in ipairs(demand.holders) do redis.call('ZADD', key, now + demand.expiresAfterMs, holder) end
    redis.call('PEXPIRE', key, math.max(demand.expiresAfterMs, redis.call('PTTL', key)))
  end
end
return {}`

const HOLD = `
local time = redis.call('TIME')
local now = time[1] * 1000 + time[2] / 1000
for i, place in ipairs(cjson.decode(ARGV[1])) do
  for _, holder in ipairs(place.holders) do redis.call('ZADD', KEYS[i], now + place.expiresAfterMs, holder) end
  redis.call('PEXPIRE', KEYS[i], math.max(place.expiresAfterMs, redis.call('PTTL', KEYS[i])))
end
return 1`

const RELEASE = `
for i, place in ipairs(cjson.decode(ARGV[1])) do
  for _, holder in ipairs(place.holders) do redis.call('ZREM', KEYS[i], holder) end
end
return 1`

/**
 * Counts in Redis or Valkey, for all processes that share it. A connection of its own: counting must not wait behind what the store does.
 *
 * @param onIssue - called with problems of the connection; the text holds no secrets
 * @throws Error when it cannot be reached
 */
export async function openRedisCounters(
  plan: RedisStorePlan,
  onIssue: (message: string) => void,
  clock: Clock = systemClock,
): Promise<StoreCounters> {
  // One hash slot for all of them: a script sees no more of a cluster.
  const prefix = `${plan.prefix}{limits}:`
  const tell = (message: string) => onIssue(`rate limits: ${message}`)
  return createRedisCounters(await connectRedis(plan, prefix, { clock, onIssue: tell }), prefix)
}

function createRedisCounters(client: RedisConnection, prefix: string): StoreCounters {
  const run = (script: string, demands: readonly Demand[]): Promise<unknown> =>
    client.eval(script, { keys: demands.map(({ key }) => `${prefix}${key}`), arguments: [JSON.stringify(demands)] })
  return {
    take: async (demands) => readShortage((await run(TAKE, demands)) as readonly unknown[]),
    hold: async (places: readonly PlaceDemand[]) => void (await run(HOLD, places)),
    release: async (places: readonly PlaceDemand[]) => void (await run(RELEASE, places)),
    close: () => client.close(),
  }
}

function readShortage([number, wait]: readonly unknown[]): Shortage | undefined {
  if (number === undefined) return undefined
  return { index: Number(number) - 1, waitMs: wait === '' ? undefined : Number(wait) }
}

import { randomUUID } from 'node:crypto'
import { type Clock, systemClock } from '../core/clock.ts'
import type { RedisStorePlan } from '../core/plan/store-plan.ts'
import type { EntryTerms, Store } from '../core/store.ts'
import { connectRedis, type RedisConnection } from './redis-connection.ts'
import { explainFailure } from './redis-failure.ts'

/*
 * An entry is a hash {v: value, s: names of its sets}. Each kind and each group has a set of entry keys, sorted by the time at which the
 * entries end. Redis ends entries, but not members of sets: so each write to a set removes what is over, and has the set end with its
 * last member.
 * Each script runs alone (Redis runs one at a time), so that several processes see whole operations only. While a cluster moves a hash
 * slot key by key, a script ends where it meets a key that has gone: so keys are looked at before anything is written, and an entry is
 * written after the sets that it is found by, and deleted before them.
 */
const SETS = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local function settle(set)
  redis.call('ZREMRANGEBYSCORE', set, '-inf', now)
  local last = redis.call('ZRANGE', set, -1, -1, 'WITHSCORES')[2]
  if last == 'inf' then redis.call('PERSIST', set)
  elseif last then redis.call('PEXPIREAT', set, last) end
end
local function reach(sets)
  for _, set in ipairs(sets) do redis.call('EXISTS', set) end
end
local function remove(key)
  local sets = cjson.decode(redis.call('HGET', key, 's') or '[]')
  reach(sets)
  redis.call('DEL', key)
  for _, set in ipairs(sets) do
    redis.call('ZREM', set, key)
    settle(set)
  end
end`
const WRITE = `
local at = ARGV[2]
local sets = cjson.decode(ARGV[3])
reach(sets)
remove(KEYS[1])
for _, set in ipairs(sets) do
  redis.call('ZADD', set, at == '' and '+inf' or at, KEYS[1])
  settle(set)
end
redis.call('HSET', KEYS[1], 'v', ARGV[1], 's', ARGV[3])
if at ~= '' then redis.call('PEXPIREAT', KEYS[1], at) end
return 1`
const PUT = SETS + WRITE
const ADD = `${SETS} if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end ${WRITE}`
const REPLACE = `
if redis.call('HGET', KEYS[1], 'v') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'v', ARGV[2])
return 1`
const TAKE = `${SETS}
local value = redis.call('HGET', KEYS[1], 'v')
if ARGV[1] and value ~= ARGV[1] then return false end
remove(KEYS[1])
return value`
const DELETE_GROUP = `${SETS}
for _, key in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do remove(key) end
redis.call('DEL', KEYS[1])
return 1`
/* A server that is short of memory may have evicted entries. */
const LIST = `${SETS}
settle(KEYS[1])
local found = {}
for _, key in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
  if #found == 2 * ARGV[1] then break end
  local value = redis.call('HGET', key, 'v')
  if value then found[#found + 1] = key; found[#found + 1] = value
  else redis.call('ZREM', KEYS[1], key) end
end
return found`
const COUNT = `${SETS}
settle(KEYS[1])
return redis.call('ZCARD', KEYS[1])`

/**
 * Keeps entries in Redis or Valkey, for several proxies that share the work.
 *
 * @param onIssue - called with problems of the connection; the text holds no secrets
 * @throws Error when it cannot be reached
 */
export async function openRedisStore(
  plan: RedisStorePlan,
  onIssue: (message: string) => void,
  clock: Clock = systemClock,
): Promise<Store> {
  // One hash slot for all of it: a grant ends in one step, with everything that hangs on it.
  const prefix = plan.place.kind === 'cluster' ? `${plan.prefix}{store}:` : plan.prefix
  const connect = (name: string, onDoubt?: () => void) => {
    const tell = (message: string) => onIssue(message.startsWith('store.') ? message : `${name}: ${message}`)
    return connectRedis(plan, prefix, { clock, onIssue: tell, onDoubt })
  }
  const client = await connect('store')
  // Reads are not to wait behind writes that wait for replicas.
  const connectWriter = () => connect('store (writes)', () => client.doubt()).catch(onFailure(() => client.close()))
  const writer = plan.waitForReplicas === 0 ? client : await connectWriter()
  const store = createRedisStore({ client, writer, waitForReplicas: plan.waitForReplicas, prefix })
  await checkRights(store, plan).catch(onFailure(() => store.close()))
  return store
}

function onFailure(close: () => Promise<void>) {
  return async (error: unknown): Promise<never> => {
    await close()
    throw error
  }
}

interface Opened {
  readonly client: RedisConnection
  /** The same unless writes wait for replicas. */
  readonly writer: RedisConnection
  readonly waitForReplicas: number
  readonly prefix: string
}

function createRedisStore({ client, writer, waitForReplicas, prefix }: Opened): Store {
  const keyOf = (kind: string, id: string) => `${prefix}e:${kind}:${id}`
  const kindOf = (kind: string) => `${prefix}kind:${kind}`
  const groupOf = (group: string) => `${prefix}group:${group}`
  const look = (script: string, key: string, ...rest: string[]) => client.eval(script, { keys: [key], arguments: rest })
  const run = (script: string, key: string, ...rest: string[]) =>
    writer.eval(script, { keys: [key], arguments: rest }, waitForReplicas)
  const write = async (script: string, kind: string, id: string, value: string, terms: EntryTerms = {}) => {
    const sets = [kindOf(kind), ...new Set(terms.groups?.map(groupOf))]
    const expiresAt = terms.expiresAt === undefined ? '' : String(Math.ceil(terms.expiresAt))
    return (await run(script, keyOf(kind, id), value, expiresAt, JSON.stringify(sets))) === 1
  }
  return {
    isReady: () => client.isReady && writer.isReady,
    find: async (kind, id) => (await client.hGet(keyOf(kind, id), 'v')) ?? undefined,
    put: async (kind, id, value, terms) => void (await write(PUT, kind, id, value, terms)),
    add: (kind, id, value, terms) => write(ADD, kind, id, value, terms),
    replace: async (kind, id, expected, value) => (await run(REPLACE, keyOf(kind, id), expected, value)) === 1,
    take: async (kind, id, expected) => {
      const asked = expected === undefined ? [] : [expected]
      return ((await run(TAKE, keyOf(kind, id), ...asked)) as string | null) ?? undefined
    },
    deleteGroup: async (group) => void (await run(DELETE_GROUP, groupOf(group))),
    count: async (kind) => Number(await look(COUNT, kindOf(kind))),
    async list(kind, most) {
      const found = (await look(LIST, kindOf(kind), String(most))) as string[]
      const start = keyOf(kind, '').length
      return found.flatMap((key, index) => (index % 2 === 0 ? [{ id: key.slice(start), value: found[index + 1] ?? '' }] : []))
    },
    async close() {
      await Promise.all([client.close(), writer === client ? undefined : writer.close()])
    },
  }
}

const RIGHTS = 'rights'

/**
 * Tells at the start what the ACL user may not do, and that a server is one node of many; not only the first user who signs in meets it.
 * Uses each command that a script has.
 */
async function checkRights(store: Store, { place }: RedisStorePlan): Promise<void> {
  const id = randomUUID()
  const passing = { expiresAt: Date.now() + 60_000, groups: [RIGHTS] }
  try {
    await store.put(RIGHTS, id, 'lasting', { groups: [RIGHTS] })
    await store.put(RIGHTS, id, 'passing', passing)
    await store.add(RIGHTS, id, 'again', passing)
    await store.find(RIGHTS, id)
    await store.count(RIGHTS)
    await store.take(RIGHTS, id)
  } catch (error) {
    const failure = explainFailure(error, undefined, 'store')
    // Other failures pass, and so do those of a cluster that changes: the requests that meet them say so.
    if (failure.isLasting && !(place.kind === 'cluster' && failure.message.includes('MOVED'))) throw failure
  }
}

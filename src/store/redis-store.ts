import { createClient } from 'redis'
import { type CancelTimer, type Clock, systemClock } from '../core/clock.ts'
import type { EntryTerms, Store } from '../core/store.ts'

/** Where the store is, and which keys are its own. */
export interface RedisStorePlan {
  /** `redis://` or `rediss://` URL. */
  readonly url: string
  readonly password: string | undefined
  readonly prefix: string
}

/** Milliseconds after which a command without an answer has failed. */
const COMMAND_MS = 5000

/*
 * An entry is a hash {v: value, s: names of its sets}. Each kind and each group has a set of entry keys, sorted by the time at which the
 * entries end. Redis ends entries, but not members of sets: so each write to a set removes what is over, and has the set end with its
 * last member.
 * Each script runs alone (Redis runs one at a time), so that several processes see whole operations only.
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
local function remove(key)
  for _, set in ipairs(cjson.decode(redis.call('HGET', key, 's') or '[]')) do
    redis.call('ZREM', set, key)
    settle(set)
  end
  redis.call('DEL', key)
end`
const WRITE = `
local at = ARGV[2]
remove(KEYS[1])
redis.call('HSET', KEYS[1], 'v', ARGV[1], 's', ARGV[3])
if at ~= '' then redis.call('PEXPIREAT', KEYS[1], at) end
for _, set in ipairs(cjson.decode(ARGV[3])) do
  redis.call('ZADD', set, at == '' and '+inf' or at, KEYS[1])
  settle(set)
end
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
  const client = createClient({
    url: plan.url,
    ...(plan.password !== undefined && { password: plan.password }),
    // A request waits for a bounded time only; it does not queue up behind a connection that is gone.
    disableOfflineQueue: true,
    commandOptions: { timeout: COMMAND_MS },
    socket: { connectTimeout: COMMAND_MS, reconnectStrategy: (attempt: number) => Math.min(100 * 2 ** attempt, 5000) },
  })
  let lastIssue = ''
  client.on('error', (error: Error) => {
    lastIssue = `: ${error.message}`
    onIssue(`store: ${error.message}`)
  })
  await connectOnce(client, clock, () => `store: no connection to Redis within ${COMMAND_MS / 1000} s${lastIssue}`)
  return createRedisStore(answerInTime(client as unknown as Scripting & Disconnecting, clock), plan.prefix)
}

/** The first connection is made or the start fails; later ones are made anew without end. */
async function connectOnce(
  client: { connect(): Promise<unknown>; destroy(): void },
  clock: Clock,
  explain: () => string,
): Promise<void> {
  let cancel: CancelTimer = () => {}
  const late = new Promise<never>((_resolve, reject) => {
    cancel = clock.after(COMMAND_MS, () => reject(new Error(explain())))
  })
  try {
    await Promise.race([client.connect(), late])
  } catch (error) {
    client.destroy()
    throw error
  } finally {
    cancel()
  }
}

interface Scripting {
  readonly isReady: boolean
  eval(script: string, options: { keys: string[]; arguments: string[] }): Promise<unknown>
  hGet(key: string, field: string): Promise<string | null>
  close(): Promise<void>
}

interface Disconnecting {
  destroy(): void
}

/** The client bounds the time of a command only until it is sent: a server that stands still, or is cut off, would hold us for as long. */
function answerInTime(client: Scripting & Disconnecting, clock: Clock): Scripting {
  let late = 0
  const bound = <T>(answer: Promise<T>): Promise<T> =>
    new Promise((resolve, reject) => {
      let isLate = false
      const cancel = clock.after(COMMAND_MS, () => {
        isLate = true
        late += 1
        reject(new Error(`Redis did not answer within ${COMMAND_MS / 1000} s`))
      })
      const settle = () => {
        cancel()
        if (isLate) late -= 1
      }
      answer.finally(settle).then(resolve, reject)
    })
  return {
    get isReady() {
      return client.isReady && late === 0
    },
    eval: (...script) => bound(client.eval(...script)),
    hGet: (...where) => bound(client.hGet(...where)),
    // It would wait for what was asked.
    close: () => bound(client.close()).catch(() => client.destroy()),
  }
}

function createRedisStore(client: Scripting, prefix: string): Store {
  const keyOf = (kind: string, id: string) => `${prefix}e:${kind}:${id}`
  const kindOf = (kind: string) => `${prefix}kind:${kind}`
  const groupOf = (group: string) => `${prefix}group:${group}`
  const run = (script: string, key: string, ...rest: string[]) => client.eval(script, { keys: [key], arguments: rest })
  const write = async (script: string, kind: string, id: string, value: string, terms: EntryTerms = {}) => {
    const sets = [kindOf(kind), ...new Set(terms.groups?.map(groupOf))]
    const expiresAt = terms.expiresAt === undefined ? '' : String(Math.ceil(terms.expiresAt))
    return (await run(script, keyOf(kind, id), value, expiresAt, JSON.stringify(sets))) === 1
  }
  return {
    isReady: () => client.isReady,
    find: async (kind, id) => (await client.hGet(keyOf(kind, id), 'v')) ?? undefined,
    put: async (kind, id, value, terms) => void (await write(PUT, kind, id, value, terms)),
    add: (kind, id, value, terms) => write(ADD, kind, id, value, terms),
    replace: async (kind, id, expected, value) => (await run(REPLACE, keyOf(kind, id), expected, value)) === 1,
    take: async (kind, id, expected) => {
      const asked = expected === undefined ? [] : [expected]
      return ((await run(TAKE, keyOf(kind, id), ...asked)) as string | null) ?? undefined
    },
    deleteGroup: async (group) => void (await run(DELETE_GROUP, groupOf(group))),
    count: async (kind) => Number(await run(COUNT, kindOf(kind))),
    async list(kind, most) {
      const found = (await run(LIST, kindOf(kind), String(most))) as string[]
      const start = keyOf(kind, '').length
      return found.flatMap((key, index) => (index % 2 === 0 ? [{ id: key.slice(start), value: found[index + 1] ?? '' }] : []))
    },
    close: () => client.close(),
  }
}

import { createClient } from 'redis'
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
 * An entry is a hash {v: value}. Its kind has an index, a sorted set of ids by expiry; a group is a set of entry keys. Each script runs
 * alone (Redis runs one at a time), so that several processes see whole operations only.
 */
const WRITE = `
local at = ARGV[3]
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'v', ARGV[2])
if at ~= '' then redis.call('PEXPIREAT', KEYS[1], at) end
redis.call('ZADD', KEYS[2], at == '' and '+inf' or at, ARGV[1])
for i = 3, #KEYS do
  redis.call('SADD', KEYS[i], KEYS[1])
  if at == '' then redis.call('PERSIST', KEYS[i])
  else
    local left = redis.call('PEXPIRETIME', KEYS[i])
    if left ~= -1 or redis.call('SCARD', KEYS[i]) == 1 then
      if tonumber(at) > left then redis.call('PEXPIREAT', KEYS[i], at) end
    end
  end
end
return 1`
const ADD = `if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end ${WRITE}`
const REPLACE = `
if redis.call('HGET', KEYS[1], 'v') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'v', ARGV[2])
return 1`
const TAKE = `
local value = redis.call('HGET', KEYS[1], 'v')
redis.call('DEL', KEYS[1])
redis.call('ZREM', KEYS[2], ARGV[1])
return value`
const DELETE_GROUP = `
for _, key in ipairs(redis.call('SMEMBERS', KEYS[1])) do redis.call('DEL', key) end
redis.call('DEL', KEYS[1])
return 1`
const COUNT = `
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', ARGV[1])
for _, id in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
  if redis.call('EXISTS', ARGV[2] .. id) == 0 then redis.call('ZREM', KEYS[1], id) end
end
return redis.call('ZCARD', KEYS[1])`

/**
 * Keeps entries in Redis or Valkey, for several proxies that share the work.
 *
 * @param onIssue - hears of trouble with the connection; the text holds no secrets
 * @throws Error when it cannot be reached
 */
export async function openRedisStore(plan: RedisStorePlan, onIssue: (message: string) => void): Promise<Store> {
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
  await connectOnce(client, () => `broker.store: no connection to Redis within ${COMMAND_MS / 1000} s${lastIssue}`)
  return createRedisStore(answerInTime(client as unknown as Scripting & Disconnecting), plan.prefix)
}

/** The first connection is made or the start fails; later ones are made anew without end. */
async function connectOnce(client: { connect(): Promise<unknown>; destroy(): void }, explain: () => string): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(explain())), COMMAND_MS)
  })
  try {
    await Promise.race([client.connect(), late])
  } catch (error) {
    client.destroy()
    throw error
  } finally {
    clearTimeout(timer)
  }
}

interface Scripting {
  readonly isReady: boolean
  eval(script: string, options: { keys: string[]; arguments: string[] }): Promise<unknown>
  hGet(key: string, field: string): Promise<string | null>
  zRange(key: string, from: number, to: number): Promise<string[]>
  close(): Promise<void>
}

interface Disconnecting {
  destroy(): void
}

/** The client bounds the time of a command only until it is sent: a server that stands still, or is cut off, would hold us for as long. */
function answerInTime(client: Scripting & Disconnecting): Scripting {
  let late = 0
  const bound = <T>(answer: Promise<T>): Promise<T> =>
    new Promise((resolve, reject) => {
      let isLate = false
      const timer = setTimeout(() => {
        isLate = true
        late += 1
        reject(new Error(`Redis gave no answer within ${COMMAND_MS / 1000} s`))
      }, COMMAND_MS)
      const settle = () => {
        clearTimeout(timer)
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
    zRange: (...where) => bound(client.zRange(...where)),
    // It would wait for what was asked.
    close: () => bound(client.close()).catch(() => client.destroy()),
  }
}

function createRedisStore(client: Scripting, prefix: string): Store {
  const keyOf = (kind: string, id: string) => `${prefix}e:${kind}:${id}`
  const indexOf = (kind: string) => `${prefix}k:${kind}`
  const groupOf = (group: string) => `${prefix}g:${group}`
  const write = async (script: string, kind: string, id: string, value: string, terms: EntryTerms = {}) => {
    const keys = [keyOf(kind, id), indexOf(kind), ...(terms.groups ?? []).map(groupOf)]
    const expiresAt = terms.expiresAt === undefined ? '' : String(Math.ceil(terms.expiresAt))
    return (await client.eval(script, { keys, arguments: [id, value, expiresAt] })) === 1
  }
  const count = async (kind: string) =>
    Number(await client.eval(COUNT, { keys: [indexOf(kind)], arguments: [String(Date.now()), keyOf(kind, '')] }))
  return {
    isReady: () => client.isReady,
    find: async (kind, id) => (await client.hGet(keyOf(kind, id), 'v')) ?? undefined,
    put: async (kind, id, value, terms) => void (await write(WRITE, kind, id, value, terms)),
    add: (kind, id, value, terms) => write(ADD, kind, id, value, terms),
    replace: async (kind, id, expected, value) =>
      (await client.eval(REPLACE, { keys: [keyOf(kind, id)], arguments: [expected, value] })) === 1,
    take: async (kind, id) =>
      ((await client.eval(TAKE, { keys: [keyOf(kind, id), indexOf(kind)], arguments: [id] })) as string | null) ?? undefined,
    deleteGroup: async (group) => void (await client.eval(DELETE_GROUP, { keys: [groupOf(group)], arguments: [] })),
    count,
    async list(kind, most) {
      await count(kind)
      const ids = await client.zRange(indexOf(kind), 0, most - 1)
      const values = await Promise.all(ids.map((id) => client.hGet(keyOf(kind, id), 'v')))
      return ids.flatMap((id, index) => (typeof values[index] === 'string' ? [{ id, value: values[index] }] : []))
    },
    close: () => client.close(),
  }
}

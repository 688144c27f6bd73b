import type { Clock } from '../core/clock.ts'
import type { RedisNode, RedisStorePlan } from '../core/plan/store-plan.ts'
import { orTooLate } from './answer-in-time.ts'
import { explainFailure, fail, formatNode, isLasting } from './redis-failure.ts'
import { createLink, type Link, type OpenedMaster } from './redis-link.ts'
import { createLocator, type Locator } from './redis-locate.ts'
import { connectNode, greet, type RedisNodeClient } from './redis-node.ts'

/** What is asked of Redis. Each answer comes in time, or is an error. */
export interface RedisConnection {
  /** Whether it can be asked now, as far as that is known without asking. */
  readonly isReady: boolean
  /** @param replicas - fails unless so many have what was written; 0 unless given */
  eval(script: string, options: { keys: string[]; arguments: string[] }, replicas?: number): Promise<unknown>
  hGet(key: string, field: string): Promise<string | null>
  /** Looks at once whether the server is still the master. */
  doubt(): void
  close(): Promise<void>
}

/** Milliseconds after which a command without an answer has failed, and so has a start without a connection. */
const COMMAND_MS = 5000

/** Less than that, so that a start can tell what it met. */
const CONNECT_MS = 4000

/** Milliseconds that a replica has to receive a write. */
const REPLICA_MS = 1000

export interface RedisConnectionOptions {
  readonly clock: Clock
  /** Called once for each problem of the connection; the text holds no secrets. */
  readonly onIssue: (message: string) => void
  /** Called when a write found too few replicas. */
  readonly onDoubt?: (() => void) | undefined
}

/**
 * Connects to the server that takes writes, and to its successor when there is one.
 *
 * @param key - a key of the hash slot that everything is in, for a cluster
 * @throws Error when it cannot be reached
 */
export async function connectRedis(
  plan: RedisStorePlan,
  key: string,
  { clock, onIssue, onDoubt = () => {} }: RedisConnectionOptions,
): Promise<RedisConnection> {
  const locator = createLocator(plan, key, clock)
  const open = (onLost: (error: Error) => void) => openMaster(plan, locator, clock, onLost)
  const link = createLink({ open, onIssue, onDoubt, onClose: locator.close, clock, answerMs: COMMAND_MS })
  await connectOnce(link, plan.tls === undefined ? PERHAPS_TLS : PERHAPS_NO_TLS)
  return {
    get isReady() {
      return link.isReady
    },
    eval: (script, options, replicas = 0) =>
      link.run(async (client) => {
        const answer = await client.eval(script, options)
        // Of the same server: a new master knows of no write that it could wait for.
        if (replicas > 0) await waitForReplicas(client, replicas)
        return answer
      }),
    hGet: (of, field) => link.run((client) => client.hGet(of, field)),
    doubt: () => link.doubt(),
    close: () => link.close(),
  }
}

async function waitForReplicas(client: RedisNodeClient, replicas: number): Promise<void> {
  const reached = await client.wait(replicas, REPLICA_MS)
  if (reached < replicas) throw new Error(`${reached} of ${replicas} replicas have what was written`)
}

async function openMaster(
  plan: RedisStorePlan,
  locator: Locator,
  clock: Clock,
  onLost: (error: Error) => void,
): Promise<OpenedMaster> {
  const located = await locator.locate()
  const { master } = located
  const { user, tls, place } = plan
  const access = { user, tls, at: 'store', database: place.kind === 'server' ? place.database : undefined }
  const client = await connectNode(master, access, { clock, milliseconds: CONNECT_MS, onLost })
  try {
    await orTooLate(checkRole(client, master, plan), clock, CONNECT_MS)
  } catch (error) {
    client.destroy()
    throw isLasting(error) ? error : explainFailure(error, master, 'store')
  }
  const isStillMaster = async () => (await locator.confirm(located, client)) && (await greet(client)).role !== 'replica'
  return { client, isStillMaster }
}

/** "Guidelines for Redis clients with support for Redis Sentinel", step 3: a master that was replaced may not know it yet. */
async function checkRole(client: RedisNodeClient, node: RedisNode, { place }: RedisStorePlan): Promise<void> {
  const { mode, role } = await greet(client)
  if (place.kind === 'server' && mode === 'sentinel') {
    throw fail(`store.url: ${formatNode(node)} is a Sentinel. List the Sentinels under \`store.sentinel.urls\`.`, true)
  }
  if (role === 'replica') throw new Error('is a replica, which takes no writes')
}

interface Hint {
  /** What a failure looks like where the advice may be of use. */
  readonly sign: RegExp
  readonly advice: string
}

const PERHAPS_TLS: Hint = {
  sign: /ECONNRESET|closed unexpectedly/,
  advice: '. If the server speaks TLS, write rediss:// instead of redis://.',
}
/** Redis waits for the line that a TLS handshake never ends. */
const PERHAPS_NO_TLS: Hint = {
  sign: /no answer/,
  advice: '. If the server does not speak TLS, write redis:// instead of rediss://.',
}

/** The first connection is made or the start fails; later ones are made anew without end. */
async function connectOnce(link: Link, hint: Hint): Promise<void> {
  const late = Promise.withResolvers<void>()
  const timer = setTimeout(late.resolve, COMMAND_MS)
  const failed = await Promise.race([link.begin(), late.promise.then(() => undefined)])
  clearTimeout(timer)
  if (link.isReady) return
  await link.close()
  const reason = link.lastIssue ?? 'no answer'
  const advice = hint.sign.test(reason) ? hint.advice : ''
  throw failed ?? fail(`store: no connection to Redis within ${COMMAND_MS / 1000} s: ${reason}${advice}`, false)
}

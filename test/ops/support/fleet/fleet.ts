import { randomBytes } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import { parse } from 'yaml'
import type { ConfigInput } from '../../../../src/config/schema/schema.ts'
import { findFreePort } from '../../../support/free-port.ts'
import { type RedisServer, startRedisServer } from '../../../support/redis-server.ts'
import { startIssuer, type TestIssuer } from '../../../support/tokens.ts'
import { PROGRAMS } from '../../../support/versions.ts'
import { type Balancer, startHaproxy } from '../balancers.ts'
import { type MirrorServer, startMirrorServer } from '../mirror-server.ts'
import { type Replica, startReplica } from '../replica.ts'
import { readSample } from '../sample.ts'

/** Two replicas as `samples/replicas.yaml` configures them, behind a load balancer as its sample configures it, with all that they need. */
export interface Fleet {
  /** The origin that clients know. */
  readonly origin: string
  readonly issuer: TestIssuer
  /** Behind `/tickets`. */
  readonly mirror: MirrorServer
  readonly redis: RedisServer
  readonly balancer: Balancer
  /** The processes that run now. */
  readonly replicas: readonly Replica[]
  /** Starts the replica anew, once its process is gone, and waits until it is ready. */
  revive(index: number): Promise<void>
  /** A token of this user for the server on this path. */
  mint(user: string, path: string): Promise<string>
  close(): Promise<void>
}

export type StartBalancer = (port: number, replicas: readonly number[]) => Promise<Balancer>

export interface FleetOptions {
  readonly startBalancer?: StartBalancer
  readonly redis?: RedisServer
  /** What differs from the sample. */
  readonly changes?: Partial<ConfigInput>
  /** What differs between the replicas, beside the port. */
  readonly configure?: (index: number, config: ConfigInput) => Partial<ConfigInput>
  /** Variables of their environment. */
  readonly env?: (index: number) => Readonly<Record<string, string>>
}

const scripted = fileURLToPath(new URL('../../../fixtures/stdio/scripted-server.mjs', import.meta.url))

export async function startFleet(options: FleetOptions = {}): Promise<Fleet> {
  const { startBalancer = startHaproxy, changes = {}, configure = () => ({}), env = () => ({}) } = options
  const [port, ...ports] = [await findFreePort(), await findFreePort(), await findFreePort()]
  const [issuer, mirror, redis] = await Promise.all([startIssuer(), startMirrorServer(), options.redis ?? startRedisServer()])
  const origin = `http://localhost:${port}`
  const key = randomBytes(32).toString('base64')
  const config = { ...adaptSample(origin, issuer.issuer, mirror.url, redis.url), ...changes }
  const start = (at: number, index: number) => {
    const listening = { ...config, listen: { port: at } }
    const variables = { BROKER_KEY: key, ...env(index) }
    return startReplica({ ...listening, ...configure(index, listening) }, { env: variables, program: PROGRAMS[index] })
  }
  const replicas = ports.map(start)
  await Promise.all(replicas.map((replica) => replica.waitUntilReady()))
  const balancer = await startBalancer(port, ports)
  return {
    origin,
    issuer,
    mirror,
    redis,
    balancer,
    replicas,
    revive: async (index) => {
      await replicas[index]?.exited
      const replica = start(ports[index] ?? 0, index)
      replicas[index] = replica
      await replica.waitUntilReady()
    },
    mint: (user, path) => issuer.mint({ claims: { sub: user, aud: `${origin}${path}` } }),
    close: async () => {
      for (const replica of replicas) replica.signal('SIGKILL')
      await Promise.all([...replicas.map(({ exited }) => exited), balancer.close()])
      await Promise.all([issuer.close(), mirror.close(), redis.close()])
    },
  }
}

/** The sample names hosts of a company. */
function adaptSample(origin: string, issuer: string, upstream: string, store: string): ConfigInput {
  const sample = parse(readSample('replicas.yaml')) as ConfigInput
  const [tickets, files] = sample.servers
  if (tickets === undefined || files === undefined) throw new Error('the sample has two servers')
  return {
    ...sample,
    public_url: origin,
    trusted_proxies: ['127.0.0.1'],
    store: { kind: 'redis', url: store },
    issuers: [issuer],
    log: { format: 'json' },
    servers: [
      // So that the answers show whose they are.
      { ...tickets, upstream, forward_access_token: true },
      { ...files, upstream: { command: [process.execPath, scripted], env: { ERA: 'both' }, max_processes: 100 } },
    ],
  }
}

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ConfigInput } from '../../../../src/config/schema/schema.ts'
import { startAuthorizationServer } from '../../../../src/sandbox/authorization-server.ts'
import { BROKER_CLIENT, BROKER_CLIENT_ID, BROKER_CLIENT_SECRET } from '../../../support/broker-stage.ts'
import { findFreePort } from '../../../support/free-port.ts'
import { type RedisServer, startRedisServer } from '../../../support/redis-server.ts'
import { startHaproxy } from '../balancers.ts'
import { type Fleet, startFleet } from '../fleet/fleet.ts'
import { createControlled, type Holdings, measure, shiftClock } from './control.ts'
import { type Disk, mountDisk } from './disk.ts'
import { type Network, openNetwork } from './network.ts'
import { type Relay, startRelay } from './relay.ts'

/** A fleet with a broker, of which everything can be broken. */
export interface ChaosStage {
  readonly fleet: Fleet
  readonly network: Network
  /** Between each replica and Redis. */
  readonly storeLinks: readonly Relay[]
  /** Where the second replica writes its audit log. */
  readonly disk: Disk
  freezeRedis(): void
  thawRedis(): void
  killRedis(): Promise<void>
  /** Starts Redis anew with what it had. */
  reviveRedis(): Promise<void>
  shiftClock(replica: number, shiftMs: number): Promise<void>
  measure(replica: number): Promise<Holdings>
  close(): Promise<void>
}

export async function setChaosStage(): Promise<ChaosStage> {
  const folder = mkdtempSync(join(tmpdir(), 'chaos-'))
  const network = openNetwork()
  const disk = mountDisk(join(folder, 'disk'))
  const settings = ['--dir', folder, '--appendonly', 'yes', '--appendfsync', 'always']
  const redisPort = await findFreePort()
  let redis = await startRedisServer({ port: redisPort, settings })
  // What no other end of this process takes with it.
  const clean = (): void => {
    disk.close()
    network.close()
  }
  process.once('exit', clean)
  const identityProvider = await startAuthorizationServer({ clients: [BROKER_CLIENT] })
  const storeLinks = await Promise.all([0, 1].map(() => startRelay(0, { host: '127.0.0.1', port: redisPort })))
  const sockets = [0, 1].map((index) => join(folder, `${index}.sock`))
  let front: Relay | undefined
  const fleet = await startFleet({
    redis,
    changes: addBroker(identityProvider.issuer),
    configure: (index, { listen, servers }) => ({
      listen: { ...listen, host: '0.0.0.0' },
      trusted_proxies: ['10.0.0.0/8'],
      store: { kind: 'redis', url: `redis://127.0.0.1:${storeLinks[index]?.port}` },
      audit: { file: join(index === 1 ? disk.folder : folder, `audit-${index}.jsonl`), fail: 'refuse' },
      servers: addDesk(servers),
    }),
    env: (index) => ({ BROKER_SECRET: BROKER_CLIENT_SECRET, ...createControlled(sockets[index] ?? '') }),
    startBalancer: async (port, replicas) => {
      front = await startRelay(port, { host: network.front, port })
      return startHaproxy(port, replicas, network)
    },
  })
  return {
    fleet,
    network,
    storeLinks,
    disk,
    freezeRedis: () => redis.freeze(),
    thawRedis: () => redis.thaw(),
    killRedis: () => redis.close('SIGKILL'),
    reviveRedis: async () => {
      redis = await startRedisServer({ port: redisPort, settings })
    },
    shiftClock: (replica, shiftMs) => shiftClock(sockets[replica] ?? '', shiftMs),
    measure: (replica) => measure(sockets[replica] ?? '', fleet.replicas[replica]?.pid ?? 0),
    async close() {
      await fleet.close()
      await closeAll(redis, [...storeLinks, ...(front ? [front] : []), identityProvider])
      process.off('exit', clean)
      clean()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

async function closeAll(redis: RedisServer, parts: readonly { close(): Promise<void> }[]): Promise<void> {
  await Promise.all([redis.close(), ...parts.map((part) => part.close())])
}

/** So that users sign in, too, and limits are counted without being reached. */
function addBroker(issuer: string): Partial<ConfigInput> {
  return {
    identity_provider: {
      kind: 'oidc',
      issuer,
      name: 'Example ID',
      client_id: BROKER_CLIENT_ID,
      client_secret: { env: 'BROKER_SECRET' },
      scopes: ['openid', 'profile', 'email'],
    },
    // All users come from one address.
    broker: { authorizations_per_minute: 100_000 },
    rate_limits: [{ calls_per_minute: 1_000_000, concurrent_calls: 1000 }],
    shutdown: { delay_seconds: 2, drain_seconds: 10 },
  }
}

/** Beside servers for tokens of the issuer, one for tokens of the broker. */
function addDesk(servers: ConfigInput['servers']): ConfigInput['servers'] {
  const [tickets, files] = servers
  if (tickets === undefined || files === undefined) return servers
  // So that what clients leave behind is soon gone.
  const upstream = { ...(files.upstream as object), idle_seconds: 5 }
  return [tickets, { ...files, upstream }, { ...tickets, name: 'desk', path: '/desk' }]
}

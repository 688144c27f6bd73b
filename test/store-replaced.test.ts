// A master that was replaced, and answers as if it were not: what was written since is not known there.
import { createClient } from 'redis'
import { describe, expect, it, vi } from 'vitest'
import { type Clock, systemClock } from '../src/core/clock.ts'
import type { RedisStorePlan } from '../src/core/plan/store-plan.ts'
import type { Store } from '../src/core/store.ts'
import { openRedisStore } from '../src/store/redis-store.ts'
import { findFreePort } from './support/free-port.ts'
import {
  findMaster,
  MASTER_NAME,
  type SentinelFleet,
  startSentinelFleet,
  waitForQuorum,
  waitForSync,
} from './support/redis-fleet.ts'
import { createRedisPlan } from './support/redis-plan.ts'
import { hasRedisServer, type RedisServer, startRedisServer } from './support/redis-server.ts'

/** Runs what it is given after the test, the last first. */
type Later = (clean: () => Promise<void>) => void

const PEERS = { name: 'peers', password: 'of-the-peers' }
const CLIENT = { username: undefined, password: 'of-the-clients' }
/** Servers and Sentinels reach each other as a user of their own, without whom they are cut off from each other. */
const OWN_USER = [
  ...['--requirepass', CLIENT.password],
  ...['--user', PEERS.name, 'on', `>${PEERS.password}`, '~*', '&*', '+@all'],
  ...['--masteruser', PEERS.name, '--masterauth', PEERS.password],
]

const NO_USER = { username: undefined, password: undefined }

async function startFleet(later: Later, settings: readonly string[] = []): Promise<SentinelFleet> {
  const fleet = await startSentinelFleet({
    settings: [...OWN_USER, ...settings],
    sentinelLines: [`sentinel auth-user ${MASTER_NAME} ${PEERS.name}`, `sentinel auth-pass ${MASTER_NAME} ${PEERS.password}`],
  })
  later(() => fleet.close())
  await waitForQuorum(fleet)
  await waitForSync(fleet, CLIENT.password)
  return fleet
}

async function command({ url }: RedisServer, password: string | undefined, ...words: string[]): Promise<unknown> {
  const client = createClient({ url, ...(password !== undefined && { password }) }).on('error', () => {})
  await client.connect()
  const answer = await client.sendCommand(words)
  client.destroy()
  return answer
}

/** As a partition does, of which clients notice nothing. */
async function cutOffFromPeers(server: RedisServer): Promise<void> {
  await command(server, CLIENT.password, 'ACL', 'SETUSER', PEERS.name, 'off')
  await command(server, CLIENT.password, 'CLIENT', 'KILL', 'USER', PEERS.name)
}

async function open(later: Later, plan: RedisStorePlan, clock: Clock = systemClock): Promise<{ store: Store; told: string[] }> {
  const told: string[] = []
  const store = await openRedisStore(plan, (message) => told.push(message), clock)
  later(() => store.close())
  return { store, told }
}

function planFor({ sentinels }: SentinelFleet, more: Partial<RedisStorePlan> = {}): RedisStorePlan {
  const nodes = sentinels.map(({ port }) => ({ host: '127.0.0.1', port }))
  return createRedisPlan(0, { place: { kind: 'sentinel', nodes, master: MASTER_NAME, user: NO_USER }, user: CLIENT, ...more })
}

/** What is read: `refused` where nothing is. */
const read = (store: Store): Promise<string | undefined> => store.find('kind', 'id').catch(() => 'refused')

const untilRead = (store: Store, expected: string): Promise<unknown> =>
  vi.waitUntil(async () => (await read(store)) === expected, { timeout: 30_000, interval: 20 })

const untilReplaced = (fleet: SentinelFleet, former: RedisServer | undefined): Promise<unknown> =>
  vi.waitUntil(async () => (await findMaster(fleet)) !== former, { timeout: 30_000, interval: 50 })

describe.skipIf(!hasRedisServer())('a master that was replaced and still answers', { timeout: 120_000, concurrent: true }, () => {
  it('is left without a restart, and what was written at the new one is read', async ({ onTestFinished: later }) => {
    const fleet = await startFleet(later)
    const [former] = fleet.servers
    const { store, told } = await open(later, planFor(fleet))
    await store.put('kind', 'id', 'before')
    await waitForSync(fleet, CLIENT.password)
    await cutOffFromPeers(former as RedisServer)
    await untilReplaced(fleet, former)
    const other = await open(later, planFor(fleet))
    await other.store.put('kind', 'id', 'after')
    await untilRead(store, 'after')
    expect(await command(former as RedisServer, CLIENT.password, 'HGET', 'test:e:kind:id', 'v')).toBe('before')
    expect(told).toEqual(['store: another server is the master now', 'store: Redis answers again'])
  })

  it('is asked for nothing while the new one cannot be reached', async ({ onTestFinished: later }) => {
    const fleet = await startFleet(later)
    const [former] = fleet.servers
    const { store } = await open(later, planFor(fleet))
    await store.put('kind', 'id', 'before')
    await waitForSync(fleet, CLIENT.password)
    await cutOffFromPeers(former as RedisServer)
    await untilReplaced(fleet, former)
    const next = await findMaster(fleet)
    next.freeze()
    await untilRead(store, 'refused')
    expect(await read(store)).toBe('refused')
    expect(store.isReady()).toBe(false)
    next.thaw()
    await untilRead(store, 'before')
  })
})

describe.skipIf(!hasRedisServer())('a master that no Sentinel confirms', { timeout: 120_000, concurrent: true }, () => {
  it.for([
    ['whose replicas are missing', ['--min-replicas-to-write', '1'], 0],
    ['of which a write reached no replica', [], 1],
  ] as const)('%s is asked for nothing until one does', async ([, settings, waitForReplicas], { onTestFinished: later }) => {
    const fleet = await startFleet(later, settings)
    const [master, replica] = fleet.servers
    // On this clock ten seconds never pass.
    const clock = { ...systemClock, monotonic: () => 0 }
    const { store } = await open(later, planFor(fleet, { waitForReplicas }), clock)
    await store.put('kind', 'id', 'value')
    for (const sentinel of fleet.sentinels) sentinel.freeze()
    replica?.freeze()
    await command(master as RedisServer, CLIENT.password, 'CLIENT', 'KILL', 'TYPE', 'replica')
    expect(await read(store)).toBe('value')
    await expect(store.put('kind', 'other', 'value')).rejects.toThrow(/NOREPLICAS|0 of 1 replicas/)
    await untilRead(store, 'refused')
    for (const sentinel of fleet.sentinels) sentinel.thaw()
    await untilRead(store, 'value')
  })

  it('is asked for ten seconds, then no more until one does', async ({ onTestFinished: later }) => {
    const fleet = await startFleet(later)
    const { store, told } = await open(later, planFor(fleet))
    await store.put('kind', 'id', 'value')
    for (const sentinel of fleet.sentinels) sentinel.freeze()
    await untilRead(store, 'refused')
    expect(store.isReady()).toBe(false)
    expect(told).toEqual([expect.stringContaining('no Sentinel knows the master')])
    for (const sentinel of fleet.sentinels) sentinel.thaw()
    await untilRead(store, 'value')
    expect(store.isReady()).toBe(true)
    expect(told).toHaveLength(2)
  })

  it('is not believed to be one by a Sentinel that is cut off from the others', async ({ onTestFinished: later }) => {
    const fleet = await startFleet(later)
    const [alone, ...others] = fleet.sentinels
    for (const other of others) other.freeze()
    const quorum = () => command(alone as RedisServer, undefined, 'SENTINEL', 'CKQUORUM', MASTER_NAME).then(String, String)
    await vi.waitUntil(async () => (await quorum()).includes('NOQUORUM'), { timeout: 30_000, interval: 50 })
    await expect(open(later, planFor(fleet))).rejects.toThrow(/no Sentinel knows the master: .*NOQUORUM/)
    for (const other of others) other.thaw()
    await vi.waitUntil(async () => (await quorum()).startsWith('OK'), { timeout: 30_000, interval: 50 })
    await open(later, planFor(fleet))
  })
})

describe.skipIf(!hasRedisServer())('replicas that are down', { timeout: 120_000, concurrent: true }, () => {
  it('have no reads refused where the Sentinels confirm the master', async ({ onTestFinished: later }) => {
    const fleet = await startFleet(later, ['--min-replicas-to-write', '1'])
    const { store } = await open(later, planFor(fleet))
    await store.put('kind', 'id', 'value')
    await fleet.servers[1]?.close('SIGKILL')
    await expect(store.put('kind', 'other', 'value')).rejects.toThrow(/NOREPLICAS/)
    const until = performance.now() + 6000
    await vi.waitUntil(
      async () => {
        expect(await read(store)).toBe('value')
        await expect(store.put('kind', 'other', 'value')).rejects.toThrow(/NOREPLICAS/)
        return performance.now() > until
      },
      { timeout: 30_000, interval: 20 },
    )
  })
})

describe.skipIf(!hasRedisServer())('a single server', { timeout: 120_000, concurrent: true }, () => {
  it('that was made a replica is asked for nothing more, though no write has met that', async ({ onTestFinished: later }) => {
    const server = await startRedisServer()
    later(() => server.close())
    const { store } = await open(later, createRedisPlan(server.port))
    await store.put('kind', 'id', 'value')
    await command(server, undefined, 'REPLICAOF', '127.0.0.1', String(await findFreePort()))
    await untilRead(store, 'refused')
    await command(server, undefined, 'REPLICAOF', 'NO', 'ONE')
    await untilRead(store, 'value')
  })
})

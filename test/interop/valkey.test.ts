// Valkey in the place of Redis: alone, behind its own Sentinels, and as a cluster.
import { afterAll, beforeAll, describe, it } from 'vitest'
import type { RedisStorePlan } from '../../src/core/plan/store-plan.ts'
import { openRedisStore } from '../../src/store/redis-store.ts'
import { countTogether } from '../contract/counters.ts'
import { storeContract } from '../contract/store.ts'
import {
  type Cluster,
  MASTER_NAME,
  type SentinelFleet,
  startCluster,
  startSentinelFleet,
  waitForQuorum,
} from '../support/redis-fleet.ts'
import { createRedisPlan } from '../support/redis-plan.ts'
import { hasRedisServer, type RedisServer, startRedisServer } from '../support/redis-server.ts'
import { findProgram } from './programs.ts'

const valkey = findProgram('valkey')
// `redis-cli` makes the cluster.
const isThere = valkey !== undefined && hasRedisServer()
const program = { program: valkey ?? '' }

const hosts = (servers: readonly RedisServer[]) => servers.map(({ port }) => ({ host: '127.0.0.1', port }))
const open = async (plan: RedisStorePlan) => ({
  store: await openRedisStore(plan, () => {}),
  other: await openRedisStore(plan, () => {}),
})

describe.skipIf(!isThere)('Valkey', () => {
  let server: RedisServer
  beforeAll(async () => {
    server = await startRedisServer(program)
  })
  afterAll(() => server?.close())
  const plan = () => createRedisPlan(server.port)
  storeContract(() => open(plan()))
  it('counts for all processes', () => countTogether(plan()))
})

describe.skipIf(!isThere)('Valkey behind Sentinels', () => {
  let fleet: SentinelFleet
  beforeAll(async () => {
    fleet = await startSentinelFleet(program)
    await waitForQuorum(fleet)
  }, 60_000)
  afterAll(() => fleet?.close())
  const user = { username: undefined, password: undefined }
  const plan = () =>
    createRedisPlan(0, {
      place: { kind: 'sentinel', nodes: hosts(fleet.sentinels), master: MASTER_NAME, user },
      waitForReplicas: 1,
    })
  storeContract(() => open(plan()))
  it('counts for all processes', () => countTogether(plan()))
})

describe.skipIf(!isThere)('a cluster of Valkey', () => {
  let cluster: Cluster
  beforeAll(async () => {
    cluster = await startCluster(0, program)
  }, 60_000)
  afterAll(() => cluster?.close())
  const plan = () => createRedisPlan(0, { place: { kind: 'cluster', nodes: hosts(cluster.nodes) } })
  storeContract(() => open(plan()))
  it('counts for all processes', () => countTogether(plan()))
})

// The master of the store is lost while users sign in and clients refresh.
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { SAMPLE_USERS } from '../../src/sandbox/users.ts'
import { authorize, callMcp, createRawClient, obtainTokens, type RawClient, redeem, refresh } from '../support/broker-client.ts'
import { type BrokerStage, startBrokerStage } from '../support/broker-stage.ts'
import { findFreePort } from '../support/free-port.ts'
import { waitUntil } from '../support/processes.ts'
import {
  type Cluster,
  failOver,
  findMaster,
  findOwner,
  MASTER_NAME,
  type SentinelFleet,
  startCluster,
  startSentinelFleet,
  waitForQuorum,
  waitForSync,
} from '../support/redis-fleet.ts'
import { hasRedisServer } from '../support/redis-server.ts'
import { reportTarget } from './support/target.ts'

const [alice, bob] = SAMPLE_USERS
const ADMIN_TOKEN = 'of-the-operators-0123456789-0123456789'
const SECRETS = { KEY: Buffer.alloc(32, 'key of tests').toString('base64'), ADMIN_TOKEN }

const startStage = (store: object, adminPort: number): Promise<BrokerStage> =>
  startBrokerStage({
    broker: {
      store: { kind: 'redis', ...store },
      encryption_keys: [{ env: 'KEY' }],
      refresh_grace_seconds: 0,
      token_requests_per_minute: 100_000,
    },
    config: {
      admin: { port: adminPort, token: { env: 'ADMIN_TOKEN' } },
    },
    env: SECRETS,
  })

/** What came of requests that go on all the time. */
interface Traffic {
  readonly right: () => number
  /** 503, to be repeated. */
  readonly refused: () => number
  /** Anything else. */
  readonly wrong: readonly string[]
  /** Lets what runs finish. */
  stop(): Promise<void>
}

/** Signs a user in, however often it takes. */
async function untilObtained<T>(obtain: () => Promise<T>): Promise<T> {
  for (;;) {
    const tokens = await obtain().catch(() => undefined)
    if (tokens !== undefined) return tokens
  }
}

/** Repeats a request, as clients do. */
async function untilNot503(send: () => Promise<number>): Promise<number> {
  for (;;) {
    const status = await send()
    if (status !== 503) return status
  }
}

/** Clients that refresh again and again, and users who sign in: what gets 503 is done again, as clients do. */
async function startTraffic({ proxy, url }: BrokerStage, client: RawClient): Promise<Traffic> {
  const counts = { right: 0, refused: 0, isOver: false }
  const wrong: string[] = []
  const note = (status: number, what: string): boolean => {
    if (status === 200) counts.right += 1
    else if (status === 503) counts.refused += 1
    else wrong.push(`${what}: ${status}`)
    return status === 200
  }
  const keepRefreshing = async (): Promise<void> => {
    let tokens = await untilObtained(() => obtainTokens(proxy.origin, client, alice))
    while (!counts.isOver) {
      const response = await refresh(proxy.origin, client, tokens.refresh_token)
      const answer = await response.text()
      if (note(response.status, `a refresh ${answer}`)) tokens = JSON.parse(answer)
      note(await callMcp(url, tokens.access_token), 'a call')
    }
  }
  const keepSigningIn = async (): Promise<void> => {
    while (!counts.isOver) {
      const code = await authorize(proxy.origin, client, alice).catch(() => undefined)
      if (code === undefined || code.code === '') counts.refused += 1
      else note((await redeem(proxy.origin, client, code)).status, 'a code')
    }
  }
  const done = Promise.all([...Array.from({ length: 4 }, keepRefreshing), keepSigningIn()])
  const traffic: Traffic = {
    right: () => counts.right,
    refused: () => counts.refused,
    wrong,
    async stop() {
      counts.isOver = true
      await done
      running.delete(traffic)
    },
  }
  running.add(traffic)
  await waitUntil(async () => counts.right > 20, 'traffic runs', 60_000)
  return traffic
}

const running = new Set<Traffic>()
afterEach(async () => {
  for (const traffic of running) await traffic.stop()
})

/** Waits until it goes on as before. */
async function expectRecovery(traffic: Traffic): Promise<void> {
  const before = traffic.right()
  await waitUntil(async () => traffic.right() > before + 40, 'requests are answered again', 60_000)
}

/** Shuts the user of a token out. */
async function block(adminPort: number, token: string): Promise<void> {
  const { sub } = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString())
  const response = await fetch(`http://127.0.0.1:${adminPort}/users/revoke`, {
    method: 'POST',
    headers: { authorization: `Bearer ${ADMIN_TOKEN}`, 'content-type': 'application/json' },
    body: JSON.stringify({ subject: sub, block: true }),
  })
  expect(response.status).toBe(200)
}

describe.skipIf(!hasRedisServer())('a store behind Sentinels', () => {
  let fleet: SentinelFleet
  let stage: BrokerStage
  let client: RawClient
  let adminPort: number
  beforeAll(async () => {
    fleet = await startSentinelFleet({ replicas: 2 })
    await waitForQuorum(fleet)
    await waitForSync(fleet)
    const urls = fleet.sentinels.map(({ url }) => url)
    adminPort = await findFreePort()
    stage = await startStage({ sentinel: { urls, master: MASTER_NAME }, wait_for_replicas: 1 }, adminPort)
    client = await createRawClient(stage.proxy.origin)
  })
  afterAll(async () => {
    for (const server of fleet?.servers ?? []) server.thaw()
    await stage?.close()
    await fleet?.close()
  })

  it('goes on at the new master without a restart, and has not forgotten who is shut out and what was used', async () => {
    const { origin, log } = stage.proxy
    const shutOut = await obtainTokens(origin, client, bob)
    await block(adminPort, shutOut.access_token)
    const used = await authorize(origin, client, alice)
    const traffic = await startTraffic(stage, client)
    expect((await redeem(origin, client, used)).status).toBe(200)
    const master = await findMaster(fleet)
    await master.close('SIGKILL')
    await waitUntil(async () => traffic.refused() > 0, 'the loss is noticed')
    expect([401, 503]).toContain(await callMcp(stage.url, shutOut.access_token))
    await expectRecovery(traffic)
    await traffic.stop()
    expect(traffic.wrong).toEqual([])
    // A replica that follows the new master late may have single requests repeated.
    expect(await untilNot503(async () => (await redeem(origin, client, used)).status)).toBe(400)
    expect(await untilNot503(() => callMcp(stage.url, shutOut.access_token))).toBe(401)
    // Once for each reason and connection, however many requests meet it.
    expect(log.text().match(/"msg":"store/g)?.length).toBeLessThan(12)
    expect(log.text()).toContain('Redis answers again')
    reportTarget('F1', 'a killed master behind Sentinels', { right: traffic.right(), refused: traffic.refused(), wrong: 0 })
    await fleet.restart(master)
  })

  it('goes on at the new master where the old one hangs, and wakes up later as another one', async () => {
    await waitForQuorum(fleet)
    const traffic = await startTraffic(stage, client)
    const master = await findMaster(fleet)
    master.freeze()
    await waitUntil(async () => traffic.refused() > 0, 'the loss is noticed', 30_000)
    await expectRecovery(traffic)
    master.thaw()
    await expectRecovery(traffic)
    await traffic.stop()
    expect(traffic.wrong).toEqual([])
    reportTarget('F1', 'a master that hangs', { right: traffic.right(), refused: traffic.refused(), wrong: 0 })
  })
})

describe.skipIf(!hasRedisServer())('a store in a cluster', () => {
  let cluster: Cluster
  let stage: BrokerStage
  let client: RawClient
  beforeAll(async () => {
    cluster = await startCluster(1)
    stage = await startStage({ cluster: { urls: cluster.nodes.map(({ url }) => url) } }, await findFreePort())
    client = await createRawClient(stage.proxy.origin)
  })
  afterAll(async () => {
    await stage?.close()
    await cluster?.close()
  })

  it('follows its hash slot to the replica that takes it over, and refuses nothing for good when the node is lost', async () => {
    const traffic = await startTraffic(stage, client)
    await failOver(cluster, 'mcp:{store}:')
    await expectRecovery(traffic)
    await traffic.stop()
    expect(traffic.wrong).toEqual([])
    const [owner] = await findOwner(cluster, 'mcp:{store}:')
    await owner?.close('SIGKILL')
    const next = await startTraffic(stage, client)
    await expectRecovery(next)
    await next.stop()
    expect(next.wrong).toEqual([])
    reportTarget('F1', 'a cluster that fails over', {
      right: traffic.right() + next.right(),
      refused: traffic.refused() + next.refused(),
      wrong: 0,
    })
  })
})

// Everything that a decision needs is broken, one thing at a time. No unauthorized request may reach an MCP server.
// `UNAUTHORIZED_REQUESTS=100000 npm run test:ops -- fail-closed` sends as many as the target names.
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { ConfigInput } from '../../src/config/schema/schema.ts'
import { SAMPLE_USERS } from '../../src/sandbox/users.ts'
import { createRawClient, obtainTokens, postForm } from '../support/broker-client.ts'
import { startBrokerStage } from '../support/broker-stage.ts'
import { findFreePort } from '../support/free-port.ts'
import { waitUntil } from '../support/processes.ts'
import { hasRedisServer, startRedisServer } from '../support/redis-server.ts'
import { startIssuer, type TestIssuer } from '../support/tokens.ts'
import { startEchoServer } from './support/echo-server.ts'
import { type Replica, type ReplicaOptions, startReplica } from './support/replica.ts'
import { type Stage, setStage } from './support/stage.ts'
import { reportTarget } from './support/target.ts'
import { createUnauthorizedKinds, type Statuses, sendMany } from './support/unauthorized.ts'

const REQUESTS = Number(process.env.UNAUTHORIZED_REQUESTS ?? 20_000)
const OUTAGES = ['refuse', 'error', 'hang', 'html', 'drip', 'huge', 'redirect'] as const
/** What an unauthorized request may be answered with: never 200, never 500, never nothing. */
const REFUSALS = new Set([401, 403, 503])

const found = { sent: 0, reached: 0, faults: 0 }
let stage: Stage
let foreign: TestIssuer
let kinds: readonly Readonly<Record<string, string>>[]
const running: Replica[] = []

beforeAll(async () => {
  const port = await findFreePort()
  ;[stage, foreign] = await Promise.all([setStage(`http://localhost:${port}`), startIssuer()])
  const { host = '' } = stage.headers
  const made = await createUnauthorizedKinds(stage.issuer, foreign, `${stage.publicUrl}/mcp`)
  kinds = Object.values(made).map((fields) => ({ host, ...fields }))
})
afterAll(async () => {
  for (const replica of running) replica.signal('SIGKILL')
  await Promise.all(running.map(({ exited }) => exited))
  await Promise.all([stage.close(), foreign.close()])
  if (found.faults > 0 && found.reached === 0) {
    const { sent, reached, faults } = found
    reportTarget('R23', 'unauthorized requests that reach an MCP server while something is broken', { faults, sent, reached })
  }
})

const scoped = { scopes: ['mcp:tools'] }

async function start(server: object, options: ReplicaOptions = {}, changes: Partial<ConfigInput> = {}): Promise<Replica> {
  const servers = [{ name: 'echo', path: '/mcp', upstream: stage.server.url, ...scoped, ...server }]
  const replica = startReplica(stage.configure(await findFreePort(), { log: { level: 'error' }, servers, ...changes }), options)
  running.push(replica)
  await replica.waitUntilReady()
  return replica
}

/** Sends unauthorized requests, and sees to it that none arrives. */
async function expectNoneArrives(fault: string, url: string, count: number, atATime?: number): Promise<void> {
  const before = stage.server.countRequests()
  const statuses = await sendMany(url, kinds, count, atATime)
  const reached = stage.server.countRequests() - before
  found.sent += count
  found.reached += reached
  found.faults += 1
  expect([fault, reached, listUnexpected(statuses)]).toEqual([fault, 0, []])
}

const listUnexpected = (statuses: Statuses): number[] => [...statuses.keys()].filter((status) => !REFUSALS.has(status))

/** What comes of calls with a good token. */
async function callWell(url: string, count = 5): Promise<number[]> {
  return [...(await sendMany(url, [stage.headers], count, 1)).keys()]
}

describe('while the authorization server is broken', { timeout: 600_000 }, () => {
  it.each(OUTAGES)('no unauthorized request is let in, and users go on with the keys at hand (%s)', async (outage) => {
    const replica = await start({})
    const url = `${replica.origin}/mcp`
    expect(await callWell(url)).toEqual([200])
    await stage.issuer.setOutage(outage)
    await expectNoneArrives(`${outage}, keys at hand`, url, Math.ceil(REQUESTS / 14))
    expect(await callWell(url)).toEqual([200])
    await stage.issuer.setOutage('none')
  })

  it.each(OUTAGES)('no request is let in where there were never any keys (%s)', async (outage) => {
    await stage.issuer.setOutage(outage)
    const replica = await start({})
    const url = `${replica.origin}/mcp`
    await expectNoneArrives(`${outage}, no keys`, url, 400, 200)
    const before = stage.server.countRequests()
    expect(await callWell(url)).toEqual([503])
    expect(stage.server.countRequests()).toBe(before)
    await stage.issuer.setOutage('none')
  })

  it.each([...OUTAGES, 500, 'garbage'] as const)('no opaque token is let in (introspection: %s)', async (fault) => {
    const issuer = { issuer: stage.issuer.issuer, introspection: { client_id: 'proxy', client_secret: { env: 'SECRET' } } }
    const replica = await start({}, { env: { SECRET: 'secret-of-the-introspection' } }, { issuers: [issuer] })
    if (fault === 500) stage.issuer.setIntrospection(() => 500)
    else if (fault === 'garbage') stage.issuer.setIntrospection(() => ({ active: 'yes', aud: 7 }))
    else await stage.issuer.setOutage(fault)
    const before = stage.server.countRequests()
    const opaque = [0, 1, 2].map((index) => ({ host: stage.headers.host ?? '', authorization: `Bearer opaque-token-${index}` }))
    const statuses = await sendMany(`${replica.origin}/mcp`, opaque, 60, 60)
    found.sent += 60
    found.faults += 1
    found.reached += stage.server.countRequests() - before
    expect([stage.server.countRequests() - before, listUnexpected(statuses)]).toEqual([0, []])
    stage.issuer.setIntrospection(() => ({ active: false }))
    await stage.issuer.setOutage('none')
  })
})

describe('while the policy cannot be computed', { timeout: 600_000 }, () => {
  it('no request is let in, not even of users who may call', async () => {
    const replica = await start({ rules: [{ tool: '*', require: 'args.missing.deeper == 1' }] })
    const url = `${replica.origin}/mcp`
    await expectNoneArrives('an expression that fails', url, Math.ceil(REQUESTS / 8))
    const before = stage.server.countRequests()
    expect(await callWell(url)).toEqual([403])
    expect(stage.server.countRequests()).toBe(before)
  })
})

describe('while the clock is wrong by an hour', { timeout: 600_000 }, () => {
  it.each([3700, -3700])(
    'no request is let in: good tokens have expired, or are issued in the future (%i s)',
    async (seconds) => {
      const preload = `--import=${fileURLToPath(new URL('./support/shift-clock.mjs', import.meta.url))}`
      const env = { CLOCK_SHIFT_SECONDS: String(seconds), NODE_OPTIONS: preload }
      const replica = await start({}, { env })
      const url = `${replica.origin}/mcp`
      await expectNoneArrives(`a clock ${seconds} s off`, url, Math.ceil(REQUESTS / 8))
      const before = stage.server.countRequests()
      expect(await callWell(url)).toEqual([401])
      expect(stage.server.countRequests()).toBe(before)
    },
  )
})

describe.skipIf(!hasRedisServer())('while the store of the sessions is gone', { timeout: 600_000 }, () => {
  it.each([
    ['frozen', 400],
    ['killed', Math.ceil(REQUESTS / 16)],
  ] as const)('no request is let in whose token was not asked about before (%s)', async (how, count) => {
    const [redis, server] = await Promise.all([startRedisServer(), startEchoServer()])
    const broker = await startBrokerStage({
      broker: { store: { kind: 'redis', url: redis.url }, encryption_keys: [{ env: 'KEY' }] },
      env: { KEY: Buffer.alloc(32, 'key of tests').toString('base64') },
      servers: () => [{ name: 'example', path: '/mcp', upstream: server.url, ...scoped }],
      config: { log: { level: 'silent' } },
    })
    const { origin } = broker.proxy
    const client = await createRawClient(origin)
    const [revoked, unseen] = [
      await obtainTokens(origin, client, SAMPLE_USERS[0]),
      await obtainTokens(origin, client, SAMPLE_USERS[1]),
    ]
    await postForm(`${origin}/revoke`, { token: revoked.access_token, client_id: client.id })
    const isReady = async () => (await fetch(`${origin}/readyz?for=broker`)).status === 200
    if (how === 'frozen') redis.freeze()
    else {
      await redis.close()
      await waitUntil(async () => !(await isReady()), 'the broker is not ready', 30_000)
    }
    const tokens = [revoked.access_token, unseen.access_token, `${unseen.access_token.slice(0, -8)}AAAAAAAA`]
    const asked = [{}, ...tokens.map((token) => ({ authorization: `Bearer ${token}` }))]
    const statuses = await sendMany(`${origin}/mcp`, asked, count, 200)
    found.sent += count
    found.faults += 1
    found.reached += server.countRequests()
    expect([server.countRequests(), listUnexpected(statuses)]).toEqual([0, []])
    await Promise.all([broker.close(), server.close()])
    if (how === 'frozen') await redis.close()
  })
})

// Mixed traffic for a long time, and what is left of it: `npm run test:soak`, for a quarter of an hour unless SOAK_SECONDS says more (R10: 86400).
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { findFreePort } from '../support/free-port.ts'
import { waitUntil } from '../support/processes.ts'
import { startIssuer, type TestIssuer } from '../support/tokens.ts'
import { createControlled, type Holdings, measure } from './support/chaos/control.ts'
import { type MirrorServer, startMirrorServer } from './support/mirror-server.ts'
import { type MixedLoad, startMixedLoad } from './support/mixed-load.ts'
import { type Replica, startReplica } from './support/replica.ts'
import { findSlope } from './support/slope.ts'
import { reportTarget } from './support/target.ts'

const SECONDS = Number(process.env.SOAK_SECONDS ?? 900)
const PER_SECOND = Number(process.env.SOAK_PER_SECOND ?? 200)
/** Until code is compiled and tables have their size. */
const WARM_SECONDS = Math.min(120, SECONDS / 4)
const SAMPLES = 40
/** The aim is 0.5 MiB an hour, which shows in hours. So much in the whole time is a leak, whatever its length: 120 bytes of each request in a quarter of an hour. */
const MAX_GROWTH_MIB = 20
/** Of what is to be sent: other suites take much of the machine. */
const MIN_SHARE = 0.2
/** How long the MCP server keeps connections without a request. */
const IDLE_SECONDS = 20
const MIB = 2 ** 20

const folder = mkdtempSync(join(tmpdir(), 'soak-'))
const socket = join(folder, 'control')
const bugs: string[] = []
let issuer: TestIssuer
let mirror: MirrorServer
let replica: Replica
let token: string

beforeAll(async () => {
  const [port, away] = [await findFreePort(), await findFreePort()]
  ;[issuer, mirror] = await Promise.all([startIssuer(), startMirrorServer(IDLE_SECONDS * 1000)])
  const config = {
    public_url: `http://127.0.0.1:${port}`,
    listen: { port },
    issuers: [issuer.issuer],
    log: { format: 'json' as const },
    servers: [
      { name: 'mirror', path: '/mcp', upstream: mirror.url, forward_access_token: true },
      { name: 'away', path: '/away', upstream: `http://127.0.0.1:${away}/mcp` },
    ],
  }
  const onLine = (line: string): void => {
    if (line.includes('"status":500') || line.includes('internal_error')) bugs.push(line)
  }
  replica = startReplica(config, { env: createControlled(socket), onLine })
  await replica.waitUntilReady()
  const aud = [`${replica.origin}/mcp`, `${replica.origin}/away`]
  const exp = Math.floor(Date.now() / 1000) + SECONDS + 3600
  token = await issuer.mint({ claims: { sub: 'alice', aud, exp } })
})
afterAll(async () => {
  replica?.signal('SIGKILL')
  await replica?.exited
  await Promise.all([issuer?.close(), mirror?.close()])
  rmSync(folder, { recursive: true, force: true })
})

/** Twice: the first time lets go of timers that are over. */
async function look(): Promise<Holdings> {
  await measure(socket, replica.pid)
  return measure(socket, replica.pid)
}

const startLoad = (): MixedLoad =>
  startMixedLoad({
    url: `${replica.origin}/mcp`,
    awayUrl: `${replica.origin}/away`,
    token,
    subject: 'alice',
    perSecond: PER_SECOND,
  })

const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, Math.max(0, milliseconds)))

/** What it holds when kept connections have gone. */
async function rest(base?: Holdings): Promise<Holdings> {
  let before = await look()
  let stillSeconds = 0
  await waitUntil(
    async () => {
      await pause(1000)
      const now = await look()
      stillSeconds = now.descriptors === before.descriptors && now.timers === before.timers ? stillSeconds + 1 : 0
      before = now
      if (base === undefined) return stillSeconds > IDLE_SECONDS
      return stillSeconds > 0 && now.descriptors <= base.descriptors && now.timers <= base.timers
    },
    'nothing of it is left',
    60_000,
  ).catch(() => undefined)
  return before
}

interface Sample extends Holdings {
  readonly seconds: number
}

/** Memory in use while the traffic goes on. */
async function watch(): Promise<readonly Sample[]> {
  const startedAt = performance.now()
  const samples: Sample[] = []
  for (let count = 1; count <= SAMPLES; count += 1) {
    await pause(startedAt + (count / SAMPLES) * SECONDS * 1000 - performance.now())
    samples.push({ ...(await look()), seconds: (performance.now() - startedAt) / 1000 })
  }
  return samples
}

const formatChange = (before: Holdings, after: Holdings, what: 'heapBytes' | 'rssBytes'): string =>
  `${(before[what] / MIB).toFixed(1)} to ${(after[what] / MIB).toFixed(1)}`

const slopeOf = (samples: readonly Sample[], what: 'heapBytes' | 'rssBytes'): number =>
  findSlope(samples.map((sample) => ({ at: sample.seconds / 3600, value: sample[what] / MIB })))

it('mixed traffic leaves nothing behind', { timeout: (SECONDS + WARM_SECONDS) * 1000 + 240_000 }, async () => {
  const warm = startLoad()
  await pause(WARM_SECONDS * 1000)
  await warm.stop()
  const before = await rest()
  const load = startLoad()
  const startedAt = performance.now()
  const samples = await watch()
  const sent = load.countSent()
  const seconds = (performance.now() - startedAt) / 1000
  await load.stop()
  const after = await rest(before)
  expect(bugs).toEqual([])
  for (const [kind, { sent: all, right, complaints }] of Object.entries(load.tallies))
    expect({ kind, right, complaints }).toEqual({ kind, right: all, complaints: [] })
  expect(sent).toBeGreaterThan(PER_SECOND * SECONDS * MIN_SHARE)
  const kept = (['descriptors', 'timers', 'children'] as const).filter((what) => after[what] > before[what])
  expect({ kept, before, after }).toMatchObject({ kept: [] })
  expect(after.heapBytes - before.heapBytes).toBeLessThan(MAX_GROWTH_MIB * MIB)
  reportTarget('R10', 'mixed traffic leaves nothing behind (aims: less than 0.5 MiB an hour, descriptors and timers as before)', {
    ...{
      minutes: seconds / 60,
      'a second': sent / seconds,
      sent,
      right: Object.values(load.tallies).reduce((sum, { right }) => sum + right, 0),
    },
    ...{ descriptors: `${before.descriptors} to ${after.descriptors}`, timers: `${before.timers} to ${after.timers}` },
    ...{ 'MiB of heap': formatChange(before, after, 'heapBytes'), 'MiB of heap an hour': slopeOf(samples, 'heapBytes') },
    ...{ 'MiB resident': formatChange(before, after, 'rssBytes'), 'MiB resident an hour': slopeOf(samples, 'rssBytes') },
  })
})

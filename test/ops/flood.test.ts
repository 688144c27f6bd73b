// One user sends as much as possible, of every kind, while fifty others work.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { ConfigInput } from '../../src/config/schema/schema.ts'
import { waitUntil } from '../support/processes.ts'
import { hasRedisServer } from '../support/redis-server.ts'
import { type Fleet, startFleet } from './support/fleet/fleet.ts'
import { startFlood } from './support/fleet/flood.ts'
import type { FloodReport } from './support/fleet/flooder.ts'
import type { Span } from './support/fleet/journal.ts'
import { STATELESS } from './support/fleet/players.ts'
import { useSession } from './support/fleet/sessions.ts'
import { startTraffic, type Traffic } from './support/fleet/traffic.ts'
import { findPercentile } from './support/load.ts'
import { hasProgram } from './support/programs.ts'
import { reportTarget } from './support/target.ts'

const OTHERS = 50
const PAUSE_MS = 500
/** Requests of the others before the flood, and during it. */
const MEASURED = 600
const PER_MINUTE = 600
const BURST = 100
/** What the p99 of the others may be of what it was before, and what the machine itself may add: four processes share two processors. */
const RATIO = 4
const MACHINE_MS = 250

const limits: ConfigInput['rate_limits'] = [
  { calls_per_minute: PER_MINUTE, burst: BURST, concurrent_calls: 40, streams: 10, sessions: 4 },
]

const runs = hasRedisServer() && hasProgram('haproxy', '-v')

describe.skipIf(!runs)('while one user floods the proxy, fifty others lose nothing', { timeout: 180_000 }, () => {
  let fleet: Fleet
  beforeAll(async () => {
    fleet = await startFleet({
      changes: { allowed_hosts: ['*'], rate_limits: limits },
      configure: (_, { servers }) => ({ servers: forbid(servers) }),
    })
  }, 60_000)
  afterAll(() => fleet?.close())

  const measured = [
    ['with one replica', () => fleet.replicas[0]?.origin ?? ''],
    ['with two replicas that share Redis', () => fleet.origin],
  ] as const

  // Other programs on the machine may slow the second half down more than the first.
  it.each(measured)('%s', { retry: 2 }, async (how, findOrigin) => {
    const { others, report, spans, reached } = await flood(fleet, findOrigin())
    const { complaints, refusals: _, ...tally } = others.journal.tally({ disturbed: [], breaking: [] })
    expect(complaints).toEqual([])
    expect(tally).toMatchObject({ refused: 0, lost: 0, wrong: 0 })
    expectBounded(report)
    expect(reached).toBeLessThanOrEqual(BURST + (PER_MINUTE / 60_000) * (spans.during.to - spans.during.from) + 1)
    const [before, during] = [findP99(others, spans.before), findP99(others, spans.during)]
    expect(during).toBeLessThan(RATIO * before + MACHINE_MS)
    reportTarget('limits', `fifty users lose nothing while one floods ${how}`, {
      ...tally,
      'flood sent': countAll(report),
      'flood reached the server': reached,
      'p99 ms before': before,
      'p99 ms during': during,
    })
  })

  it('with two replicas, each of which has its part of the limits while Redis is away', async () => {
    fleet.redis.freeze()
    const { others, report, spans, reached } = await flood(fleet, fleet.origin)
    fleet.redis.thaw()
    const { complaints, refusals: _, ...tally } = others.journal.tally({ disturbed: [], breaking: [] })
    expect(complaints).toEqual([])
    expect(tally).toMatchObject({ refused: 0, lost: 0, wrong: 0 })
    expectBounded(report)
    expect(reached).toBeLessThanOrEqual(BURST + (PER_MINUTE / 60_000) * (spans.during.to - spans.during.from) + 2)
    reportTarget('limits', 'fifty users lose nothing while one floods and Redis is away', {
      ...tally,
      'flood reached the server': reached,
    })
  })
})

/** A tool that no user may call. */
function forbid(servers: ConfigInput['servers']): ConfigInput['servers'] {
  return servers.map((server) =>
    server.path === '/tickets' ? { ...server, rules: [{ tool: 'forbidden', deny: true }] } : server,
  )
}

let floods = 0

async function flood(fleet: Fleet, origin: string) {
  const others = startTraffic({
    origin,
    mint: fleet.mint,
    pauseMs: PAUSE_MS,
    users: Array.from({ length: OTHERS }, (_, index) => (index % 25 === 0 ? [useSession] : STATELESS)),
  })
  const user = `flooder-${++floods}`
  const [tickets, files] = [await fleet.mint(user, '/tickets'), await fleet.mint(user, '/files')]
  // A second for each user to have its tokens and processes.
  await untilEnded(others, 2 * OTHERS)
  const before = await span(others)
  const seenBefore = countFloods(fleet)
  const running = await startFlood({ origin, host: new URL(fleet.origin).host, tokens: { '/tickets': tickets, '/files': files } })
  const during = await span(others)
  const report = await running.stop()
  const to = performance.now()
  await others.stop()
  return { others, report, spans: { before, during: { from: during.from, to } }, reached: countFloods(fleet) - seenBefore }
}

async function span(traffic: Traffic): Promise<Span> {
  const from = performance.now()
  await untilEnded(traffic, MEASURED)
  return { from, to: performance.now() }
}

function untilEnded({ journal }: Traffic, more: number): Promise<void> {
  const before = journal.entries.length
  return waitUntil(() => journal.entries.length >= before + more, `${more} more requests end`, 60_000)
}

const countFloods = ({ mirror }: Fleet): number => [...mirror.seen.keys()].filter((nonce) => nonce.startsWith('flood')).length

function findP99({ journal }: Traffic, { from, to }: Span): number {
  const calls = journal.entries.filter((entry) => entry.kind === 'echo' && entry.from >= from && entry.from <= to)
  return findPercentile(
    calls.map((call) => call.to - call.from),
    0.99,
  )
}

const countAll = (report: FloodReport): number =>
  Object.values(report).reduce((sum, counts) => sum + Object.values(counts).reduce((all, count) => all + count, 0), 0)

/** The flood was a flood of every kind: each was refused far more often than served. */
function expectBounded(report: FloodReport): void {
  for (const kind of ['call', 'batch', 'big body', 'stream', 'session'])
    expect([kind, (report[kind]?.[429] ?? 0) > (report[kind]?.[200] ?? 0)]).toEqual([kind, true])
}

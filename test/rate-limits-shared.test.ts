import { createClient } from 'redis'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { systemClock } from '../src/core/clock.ts'
import type { BucketDemand, Counters, PlaceDemand } from '../src/core/counters.ts'
import type { StoreCounters } from '../src/core/store-counters.ts'
import { createLocalCounters } from '../src/rate-limits/local-counters.ts'
import { createSharedCounters } from '../src/rate-limits/shared-counters.ts'
import { openRedisCounters } from '../src/store/redis-counters.ts'
import { createFakeClock } from './support/fake-clock.ts'
import { startTestProxy, type TestProxy } from './support/proxy.ts'
import { startRecordingUpstream } from './support/recording-upstream.ts'
import { createRedisPlan } from './support/redis-plan.ts'
import { hasRedisServer, type RedisServer, startRedisServer } from './support/redis-server.ts'
import { startIssuer } from './support/tokens.ts'

const bucket = (key: string, tokens = 1): BucketDemand => ({ kind: 'bucket', key, tokens, tokenMs: 60_000, burst: 10 })
const place = (key: string, expiresAfterMs: number, ...holders: string[]): PlaceDemand => ({
  kind: 'place',
  key,
  holders,
  most: 2,
  expiresAfterMs,
})

describe.skipIf(!hasRedisServer())('limits that two processes count in one Redis', () => {
  let server: RedisServer
  let one: StoreCounters
  let other: StoreCounters
  beforeAll(async () => {
    server = await startRedisServer()
    const open = () => openRedisCounters(createRedisPlan(server.port), () => {})
    ;[one, other] = await Promise.all([open(), open()])
  })
  afterAll(async () => {
    await Promise.all([one?.close(), other?.close()])
    await server?.close()
  })

  it('have one bucket, of which no token is given twice', async () => {
    const answers = await Promise.all(
      Array.from({ length: 30 }, (_, index) => (index % 2 === 0 ? one : other).take([bucket('together')])),
    )
    expect(answers.filter((shortage) => shortage === undefined)).toHaveLength(10)
    const wait = answers.find((shortage) => shortage !== undefined)?.waitMs ?? 0
    expect(wait).toBeGreaterThan(50_000)
    expect(wait).toBeLessThanOrEqual(60_000)
  })

  it('have tokens back with time', async () => {
    const quick = { ...bucket('quick', 10), tokenMs: 20 }
    expect(await one.take([quick])).toBeUndefined()
    await expect.poll(() => other.take([{ ...quick, tokens: 1 }])).toBeUndefined()
  })

  it('know that more tokens than a burst are never there', async () => {
    expect(await one.take([bucket('too much', 11)])).toEqual({ index: 0, waitMs: undefined })
  })

  it('have the same places, until they are released', async () => {
    expect(await one.take([place('seats', 60_000, 'a')])).toBeUndefined()
    expect(await other.take([place('seats', 60_000, 'b')])).toBeUndefined()
    expect(await one.take([place('seats', 60_000, 'c')])).toEqual({ index: 0, waitMs: undefined })
    await other.release([place('seats', 60_000, 'b')])
    expect(await one.take([place('seats', 60_000, 'c')])).toBeUndefined()
  })

  it('have places back of a process that no longer holds them', async () => {
    await one.take([place('lost', 100, 'a', 'b')])
    await one.hold([place('lost', 60_000, 'a')])
    await expect.poll(() => other.take([place('lost', 60_000, 'c')])).toBeUndefined()
    expect(await other.take([place('lost', 60_000, 'd')])).toBeDefined()
  })

  it.each([
    ['none is taken', []],
    ['one is taken', ['c']],
  ])('keep places for as long as they are held, also when a shorter hold is asked for and %s', async (_what, holders) => {
    const key = `long ${holders.length}`
    const held = { ...place(key, 60_000, 'a', 'b'), most: 3 }
    await one.take([held])
    await other.take([{ ...held, holders, expiresAfterMs: 100 }, place(`${key} short`, 100, 'x', 'y')])
    await expect.poll(() => other.take([place(`${key} short`, 100, 'z')])).toBeUndefined()
    expect(await other.take([{ ...held, holders: ['d', 'e'] }])).toEqual({ index: 0, waitMs: undefined })
  })

  it('take nothing where one of several demands is not met', async () => {
    await one.take([place('full', 60_000, 'a', 'b')])
    const demands = [bucket('whole', 10), place('free', 60_000, 'x', 'y'), place('full', 60_000, 'z')]
    expect(await one.take(demands)).toEqual({ index: 2, waitMs: undefined })
    expect(await other.take(demands.slice(0, 2))).toBeUndefined()
  })

  it('tell the shortage that lasts longest, so that no client waits in vain', async () => {
    const slow = { ...bucket('slow'), burst: 1 }
    await one.take([{ ...bucket('sooner', 10), tokenMs: 1000 }, slow, place('taken', 60_000, 'a', 'b')])
    const demands = [place('taken', 60_000, 'c'), { ...bucket('sooner'), tokenMs: 1000 }, slow]
    const shortage = await other.take(demands)
    expect(shortage).toEqual({ index: 2, waitMs: expect.any(Number) })
    expect(shortage?.waitMs).toBeGreaterThan(30_000)
    expect(await other.take(demands.slice(0, 1))).toEqual({ index: 0, waitMs: undefined })
  })

  it('never wait for longer than a bucket takes to fill, also when the clock of Redis was set back', async () => {
    await one.take([bucket('clock', 10)])
    const client = createClient({ url: server.url })
    await client.connect()
    const [key = ''] = await client.keys('*clock')
    await client.set(key, String(Number(await client.get(key)) + 86_400_000))
    await client.close()
    expect(await other.take([bucket('clock')])).toEqual({ index: 0, waitMs: 60_000 })
  })

  it('are counted by each process alone while Redis stands still, and together when it is back', async () => {
    const issues: string[] = []
    const counters = createSharedCounters(one, createLocalCounters(systemClock, 5), systemClock, (issue) => issues.push(issue))
    expect(await counters.take([bucket('outage', 4)])).toBeUndefined()
    server.freeze()
    expect(await counters.take([bucket('outage', 2)])).toBeUndefined()
    expect(await counters.take([bucket('outage', 1)])).toEqual({ index: 0, waitMs: expect.any(Number) })
    server.thaw()
    expect(issues).toEqual(['rate limits: the store does not answer; this process counts alone'])
    await expect.poll(() => counters.take([bucket('outage', 1)])).toBeUndefined()
    expect(issues.at(-1)).toBe('rate limits: the store counts again')
  })
})

describe.skipIf(!hasRedisServer())('two proxies that share a Redis', () => {
  it('count the calls of a user together, and name neither user nor tool in the store', async () => {
    const [server, upstream, issuer] = await Promise.all([startRedisServer(), startRecordingUpstream(), startIssuer()])
    const open = () =>
      startTestProxy({
        issuers: [issuer.issuer],
        store: { kind: 'redis', url: server.url },
        rate_limits: [{ per: ['principal', 'tool'], calls_per_minute: 1, burst: 4, concurrent_calls: 2 }],
        servers: [{ path: '/mcp', upstream: `${upstream.origin}/mcp` }],
      })
    const proxies = await Promise.all([open(), open()])
    const call = async ({ origin }: TestProxy): Promise<number> => {
      const token = await issuer.mint({ claims: { aud: `${origin}/mcp`, sub: 'alice-the-subject' } })
      const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
      const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'the-tool' } })
      const response = await fetch(`${origin}/mcp`, { method: 'POST', headers, body })
      await response.text()
      return response.status
    }
    const statuses: number[] = []
    for (let sent = 0; sent < 6; sent += 1) statuses.push(await call(proxies[sent % 2] as TestProxy))
    expect(statuses).toEqual([200, 200, 200, 200, 429, 429])
    const client = createClient({ url: server.url })
    await client.connect()
    const keys = await client.keys('*')
    expect(keys.filter((key) => key.includes('{limits}'))).not.toEqual([])
    expect(keys.join()).not.toMatch(/alice|the-tool/)
    await client.close()
    await Promise.all([...proxies, server, upstream, issuer].map((part) => part.close()))
  })
})

describe('a store that does not answer', () => {
  const clock = createFakeClock()
  const silent: StoreCounters = {
    take: () => new Promise(() => {}),
    hold: async () => {},
    release: async () => {},
    close: async () => {},
  }

  it('is waited for a quarter of a second, and not asked again for two', async () => {
    let asked = 0
    const store: StoreCounters = {
      ...silent,
      take(demands) {
        asked += 1
        return silent.take(demands)
      },
    }
    const counters: Counters = createSharedCounters(store, createLocalCounters(clock), clock, () => {})
    const first = counters.take([bucket('a', 10)])
    clock.advance(250)
    expect(await first).toBeUndefined()
    expect(await counters.take([bucket('a')])).toBeDefined()
    clock.advance(1999)
    await counters.take([bucket('a')])
    expect(asked).toBe(1)
    clock.advance(1)
    const again = counters.take([bucket('a')])
    clock.advance(250)
    await again
    expect(asked).toBe(2)
  })

  it('leaves places to those who held them before, for as long as they hold them, each process in its part', async () => {
    let isAway = false
    const answer = async (): Promise<undefined> => {
      if (isAway) throw new Error('no connection')
    }
    const store: StoreCounters = { take: answer, hold: answer, release: answer, close: answer }
    const counters = createSharedCounters(store, createLocalCounters(clock), clock, () => {})
    const [first, second, third] = ['first', 'second', 'third'].map((holder) => place('outage', 60_000, holder)) as [
      PlaceDemand,
      PlaceDemand,
      PlaceDemand,
    ]
    await counters.take([first])
    isAway = true
    await counters.take([second])
    expect(await counters.take([third])).toEqual({ index: 0, waitMs: undefined })
    for (let held = 0; held < 10; held += 1) {
      clock.advance(20_000)
      counters.hold([first, second])
    }
    expect(await counters.take([third])).toEqual({ index: 0, waitMs: undefined })
    counters.release([first])
    expect(await counters.take([third])).toBeUndefined()
  })

  it('gets back the places that it gives too late', async () => {
    const released: unknown[] = []
    const late = Promise.withResolvers<undefined>()
    const store = { ...silent, take: () => late.promise, release: async (places: unknown) => void released.push(places) }
    const counters = createSharedCounters(store, createLocalCounters(clock), clock, () => {})
    const taken = counters.take([bucket('b'), place('b', 1000, 'x')])
    clock.advance(250)
    expect(await taken).toBeUndefined()
    late.resolve(undefined)
    await expect.poll(() => released).toEqual([[place('b', 1000, 'x')]])
  })
})

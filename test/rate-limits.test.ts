import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { loadConfigValue } from '../src/config/load.ts'
import type { Route } from '../src/core/route.ts'
import { createLocalCounters } from '../src/rate-limits/local-counters.ts'
import { createRateLimiter, type RateLimiter } from '../src/rate-limits/rate-limits.ts'
import { createHttpUpstream } from '../src/upstream/http-upstream.ts'
import { createFakeClock, type FakeClock } from './support/fake-clock.ts'
import { type Gate, openGate } from './support/gate.ts'
import { sendMcp } from './support/mcp-requests.ts'
import { type Answer, type RecordingUpstream, startRecordingUpstream } from './support/recording-upstream.ts'

const issuer = 'https://idp.example.com'

let clock: FakeClock
let limiter: RateLimiter
let upstream: RecordingUpstream
/** The one that was opened last. */
let gate: Gate
let gates: Gate[]
/** Ends answers that wait. */
let finish: (() => void)[]

beforeEach(async () => {
  clock = createFakeClock()
  limiter = createRateLimiter(createLocalCounters(clock), clock)
  finish = []
  gates = []
  upstream = await startRecordingUpstream()
})
afterEach(async () => {
  for (const end of finish) end()
  for (const opened of gates) await opened.close()
  await upstream.close()
  await limiter.close()
})

interface Limits {
  /** `rate_limits` at the top. */
  readonly general?: readonly object[]
  /** `rate_limits` of the server. */
  readonly own?: readonly object[]
  /** Servers that stand before it. */
  readonly before?: readonly object[]
}

/** The pipeline before a server with these limits, as the configuration file has them. */
async function guard(
  { general = [], own = [], before = [] }: Limits,
  answer?: Answer,
  changes: Partial<Route> = {},
): Promise<void> {
  if (answer) upstream.answerWith(answer)
  const config = {
    issuers: [issuer],
    rate_limits: general,
    servers: [...before, { path: '/mcp', upstream: upstream.origin, rate_limits: own }],
  }
  const { plan } = loadConfigValue(config, { env: {}, directory: '.', terminal: false })
  const server = plan.servers.at(-1)
  const [endpoint] = server?.endpoints ?? []
  if (server === undefined || endpoint?.upstream.kind !== 'http') throw new Error('the configuration has no such server')
  const rateLimits = limiter.limit(changes.server ?? 'test', server.rateLimits)
  gate = await openGate({ streamable_http: createHttpUpstream(endpoint.upstream) }, { ...changes, rateLimits })
  gates.push(gate)
}

const callOf = (tool: string, id: number | string = 1) => ({
  jsonrpc: '2.0',
  id,
  method: 'tools/call',
  params: { name: tool, arguments: {} },
})
/** So many calls in one request, which only 2025-03-26 has. */
const batch = (count: number) => Array.from({ length: count }, (_, index) => callOf('a', index + 1))
const old = { headers: { 'mcp-protocol-version': '2025-03-26' } }
const send = (body: unknown, options: object = {}) => sendMcp(`${gate.origin}/mcp`, { body, ...options })
const statusOf = async (answer: Promise<Response>): Promise<number> => {
  const response = await answer
  await response.text()
  return response.status
}
const statusesOf = async (count: number, body: unknown, options: object = {}): Promise<number[]> => {
  const statuses: number[] = []
  for (let sent = 0; sent < count; sent += 1) statuses.push(await statusOf(send(body, options)))
  return statuses
}

/** Why each is refused, as the log says. */
const codesOf = async (count: number, body: unknown): Promise<unknown[]> => {
  await statusesOf(count, body, old)
  return gate.records.slice(-count).map(({ code }) => code)
}

/** Begins an answer and leaves it open. */
const hang: Answer = (_request, response) => {
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  response.write(': here\n\n')
  finish.push(() => response.end())
}

describe('calls a minute', () => {
  it('count on with the same numbers, and begin with full buckets with others, so that no caller waits as long as a former limit says', async () => {
    const strict = { general: [{ calls_per_minute: 1 }] }
    await guard(strict)
    expect(await statusesOf(2, callOf('a'))).toEqual([200, 429])
    await guard(strict)
    expect(await statusesOf(1, callOf('a'))).toEqual([429])
    await guard({ general: [{ calls_per_minute: 2 }] })
    expect(await statusesOf(3, callOf('a'))).toEqual([200, 200, 429])
    await guard({ general: [{ calls_per_minute: 2, burst: 1 }] })
    expect(await statusesOf(2, callOf('a'))).toEqual([200, 429])
  })

  it('of two processes with other numbers never give back to the one what it has taken', async () => {
    const [large, small] = [{ general: [{ calls_per_minute: 60, burst: 5 }] }, { general: [{ calls_per_minute: 60, burst: 2 }] }]
    let served = 0
    for (let turn = 0; turn < 6; turn += 1) {
      for (const limits of [large, small]) {
        await guard(limits)
        const statuses = await statusesOf(3, callOf('a'))
        served += statuses.filter((status) => status === 200).length
      }
    }
    expect(served).toBe(5 + 2)
  })

  it('are refused with 429, the time to wait and a JSON-RPC error with the id, and never reach the MCP server', async () => {
    await guard({ general: [{ calls_per_minute: 30, burst: 2 }] })
    expect(await statusesOf(2, callOf('a'))).toEqual([200, 200])
    const refused = await send(callOf('a', 'third'))
    expect(refused.status).toBe(429)
    expect(refused.headers.get('retry-after')).toBe('2')
    expect(await refused.json()).toEqual({
      jsonrpc: '2.0',
      id: 'third',
      error: {
        code: -31429,
        message: 'Too many requests',
        data: { error: 'rate_limited', request_id: gate.records.at(-1)?.requestId },
      },
    })
    expect(upstream.requests).toHaveLength(2)
    expect(gate.records.at(-1)).toMatchObject({ code: 'rate_limited', reason: 'calls_per_minute', cause: 'rate_limits[0]' })
    clock.advance(2000)
    expect(await statusesOf(2, callOf('a'))).toEqual([200, 429])
  })

  it('say the time after which every limit has room, not the first alone', async () => {
    await guard({ general: [{ calls_per_minute: 60, burst: 1 }], own: [{ tools: ['a'], calls_per_minute: 2, burst: 1 }] })
    expect(await statusesOf(1, callOf('a'))).toEqual([200])
    const refused = await send(callOf('a'))
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, '30'])
    expect(gate.records.at(-1)).toMatchObject({ reason: 'calls_per_minute', cause: 'servers[0].rate_limits[0]' })
    clock.advance(30_000)
    expect(await statusesOf(1, callOf('a'))).toEqual([200])
  })

  it('of a server count on when another server is put before it in the file', async () => {
    const own = [{ calls_per_minute: 1 }]
    await guard({ own })
    expect(await statusesOf(2, callOf('a'))).toEqual([200, 429])
    await guard({ own, before: [{ path: '/first', upstream: upstream.origin, rate_limits: own }] })
    expect(await statusesOf(1, callOf('a'))).toEqual([429])
    expect(gate.records.at(-1)).toMatchObject({ cause: 'servers[1].rate_limits[0]' })
  })

  it('count each operation of a batch, and take all of it or nothing', async () => {
    await guard({ general: [{ calls_per_minute: 60, burst: 3 }] })
    expect(await statusesOf(1, batch(2), old)).toEqual([200])
    const refused = await send(batch(2), old)
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, '1'])
    expect(((await refused.json()) as { id: number }[]).map(({ id }) => id)).toEqual([1, 2])
    expect(await statusesOf(2, callOf('a'), old)).toEqual([200, 429])
  })

  it('say that a batch never fits, and count it as one operation, so that sending it again and again uses up the limit', async () => {
    await guard({ general: [{ calls_per_minute: 60, burst: 3 }] })
    const refused = await send(batch(4), old)
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, '60'])
    const error = expect.objectContaining({ code: -31429, message: expect.stringContaining('send fewer in each') })
    expect(await refused.json()).toEqual([1, 2, 3, 4].map((id) => expect.objectContaining({ id, error })))
    expect(gate.records.at(-1)).toMatchObject({
      code: 'batch_too_large',
      reason: 'calls_per_minute',
      cause: 'rate_limits[0]: 4 in one request, and never more than 3',
    })
    expect(await codesOf(3, batch(4))).toEqual(['batch_too_large', 'batch_too_large', 'rate_limited'])
    expect(upstream.requests).toHaveLength(0)
  })

  it('refuse a batch that one limit has no room for ever before one has none now, and count nothing where that has none', async () => {
    await guard({
      general: [
        { calls_per_minute: 1, burst: 2 },
        { per: ['client'], calls_per_minute: 60, burst: 1 },
      ],
    })
    expect(await codesOf(3, batch(2))).toEqual(['batch_too_large', 'rate_limited', 'rate_limited'])
    clock.advance(1000)
    expect(await statusesOf(1, callOf('a'))).toEqual([200])
  })

  it('say that a batch never fits also of what is more than the part of one of several processes', async () => {
    await limiter.close()
    limiter = createRateLimiter(createLocalCounters(clock, 2), clock)
    await guard({ general: [{ calls_per_minute: 60, burst: 5 }] })
    expect(await codesOf(1, batch(3))).toEqual(['batch_too_large'])
    expect(gate.records.at(-1)?.cause).toBe('rate_limits[0]: 3 in one request, and never more than 2')
    expect(await statusesOf(1, callOf('a'))).toEqual([200])
  })

  it('count what policy refuses, too', async () => {
    const denial = { effect: 'deny', code: 'policy_denied', ground: 'rule_denied', reason: 'no', decidedBy: 'rules[0]' } as const
    const policy = { decide: () => denial, createListFilter: () => undefined }
    await guard({ general: [{ calls_per_minute: 60, burst: 2 }] }, undefined, { policy })
    expect(await statusesOf(3, callOf('a'))).toEqual([403, 403, 429])
  })

  it('leave hidden what policy hides, and count it', async () => {
    const denial = { effect: 'deny', code: 'target_hidden', ground: 'not_opened', reason: 'no', decidedBy: 'access' } as const
    const decide: Route['policy']['decide'] = (_principal, { operations }) =>
      operations[0]?.target === 'open' ? { effect: 'permit' } : { ...denial, hidden: operations }
    const limits = { own: [{ calls_per_minute: 60, burst: 2 }] }
    await guard(limits, undefined, { policy: { decide, createListFilter: () => undefined } })
    for (let tries = 0; tries < 3; tries += 1)
      expect(await (await send(callOf('hidden'))).json()).toMatchObject({
        error: { code: -32602, message: 'Unknown tool: hidden' },
      })
    expect(await statusOf(send(callOf('open')))).toBe(429)
  })

  it('leave hidden what policy hides in a batch that never fits', async () => {
    const denial = { effect: 'deny', code: 'target_hidden', ground: 'not_opened', reason: 'no', decidedBy: 'access' } as const
    const decide: Route['policy']['decide'] = (_principal, { operations }) => ({ ...denial, hidden: operations })
    await guard({ own: [{ calls_per_minute: 60, burst: 1 }] }, undefined, {
      policy: { decide, createListFilter: () => undefined },
    })
    const answer = await send(batch(2), old)
    expect([answer.status, await answer.json()]).toEqual([
      200,
      [1, 2].map((id) => expect.objectContaining({ id, error: expect.objectContaining({ message: 'Unknown tool: a' }) })),
    ])
  })

  it.each([
    ['GET', { method: 'GET' }],
    ['DELETE', { method: 'DELETE' }],
    ['answers to the MCP server', { body: { jsonrpc: '2.0', id: 1, result: {} } }],
    ['notifications', { body: { jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 1 } } }],
  ])('count requests without a call: %s', async (_name, request) => {
    await guard({ general: [{ calls_per_minute: 60, burst: 1 }] }, (_request, response) => void response.writeHead(202).end())
    await statusOf(sendMcp(`${gate.origin}/mcp`, request))
    expect(await statusOf(sendMcp(`${gate.origin}/mcp`, request))).toBe(429)
  })
})

describe('what is counted apart', () => {
  it('is each user, whatever the client, by default', async () => {
    await guard({ general: [{ calls_per_minute: 60, burst: 1 }] })
    expect(await statusesOf(2, callOf('a'), { user: 'alice~one' })).toEqual([200, 429])
    expect(await statusOf(send(callOf('a'), { user: 'alice~two' }))).toBe(429)
    expect(await statusOf(send(callOf('a'), { user: 'bob~one' }))).toBe(200)
  })

  it('is each client, all users of it together', async () => {
    await guard({ general: [{ per: ['client'], calls_per_minute: 60, burst: 1 }] })
    expect(await statusOf(send(callOf('a'), { user: 'alice~one' }))).toBe(200)
    expect(await statusOf(send(callOf('a'), { user: 'bob~one' }))).toBe(429)
    expect(await statusOf(send(callOf('a'), { user: 'bob~two' }))).toBe(200)
  })

  it('is each tool', async () => {
    await guard({ own: [{ per: ['tool'], calls_per_minute: 60, burst: 1 }] })
    expect(await statusesOf(2, callOf('a'))).toEqual([200, 429])
    expect(await statusOf(send(callOf('b'), { user: 'bob' }))).toBe(200)
    expect(await statusOf(send(callOf('a'), { user: 'bob' }))).toBe(429)
    expect(await statusesOf(3, { jsonrpc: '2.0', id: 1, method: 'tools/list' })).toEqual([200, 200, 200])
  })

  it('is each of a thousand tools, and all further ones together, so that no user fills the memory or the store with names', async () => {
    await guard({ own: [{ per: ['principal', 'tool'], calls_per_minute: 60, burst: 1 }] })
    for (let first = 0; first < 1000; first += 50) {
      const batch = Array.from({ length: 50 }, (_, index) => callOf(`tool_${first + index}`, index))
      expect(await statusOf(send(batch, { headers: { 'mcp-protocol-version': '2025-03-26' } }))).toBe(200)
    }
    expect(await statusOf(send(callOf('tool_0')))).toBe(429)
    expect(await statusOf(send(callOf('further')))).toBe(200)
    expect(await statusOf(send(callOf('another')))).toBe(429)
    expect(await statusOf(send(callOf('further'), { user: 'bob' }))).toBe(200)
    expect(await statusOf(send(callOf('another'), { user: 'bob' }))).toBe(200)
  })

  it('is not each name of more than 128 characters, which no tool has', async () => {
    await guard({ own: [{ per: ['tool'], calls_per_minute: 60, burst: 1 }] })
    expect(await statusOf(send(callOf('a'.repeat(129))))).toBe(200)
    expect(await statusOf(send(callOf('b'.repeat(129))))).toBe(429)
    expect(await statusOf(send(callOf('b'.repeat(128))))).toBe(200)
  })

  it('is nothing but the calls of the tools that are named', async () => {
    await guard({ own: [{ tools: ['export_*'], calls_per_minute: 60, burst: 1 }] })
    expect(await statusOf(send(callOf('export_all')))).toBe(200)
    expect(await statusOf(send(callOf('export_one')))).toBe(429)
    expect(await statusesOf(3, callOf('read'))).toEqual([200, 200, 200])
    expect(await statusOf(sendMcp(`${gate.origin}/mcp`, { method: 'GET' }))).toBe(200)
  })

  it('is all of a server for everyone', async () => {
    await guard({ own: [{ per: ['server'], calls_per_minute: 60, burst: 1 }] })
    expect(await statusOf(send(callOf('a'), { user: 'alice' }))).toBe(200)
    expect(await statusOf(send(callOf('a'), { user: 'bob' }))).toBe(429)
  })

  it.each([
    ['of a server', { own: [{ calls_per_minute: 60, burst: 1 }] }, 200],
    ['at the top, over all servers', { general: [{ calls_per_minute: 60, burst: 1 }] }, 429],
    ['at the top, each server apart', { general: [{ per: ['principal', 'server'], calls_per_minute: 60, burst: 1 }] }, 200],
  ])('is decided by where the limit stands: %s', async (_name, limits, status) => {
    await guard(limits)
    expect(await statusOf(send(callOf('a')))).toBe(200)
    await guard(limits, undefined, { server: 'other' })
    expect(await statusOf(send(callOf('a')))).toBe(status)
  })
})

describe('calls at a time', () => {
  it('have a place until their answer is over', async () => {
    await guard({ general: [{ concurrent_calls: 2 }] }, hang)
    const first = await send(callOf('a'))
    const second = await send(callOf('a'))
    const refused = await send(callOf('a'))
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, '1'])
    expect(gate.records.at(-1)).toMatchObject({ reason: 'concurrent_calls' })
    expect(await statusOf(send({ jsonrpc: '2.0', method: 'notifications/initialized' }))).toBe(202)
    finish[0]?.()
    await first.text()
    upstream.answerWith((_request, response) => void response.writeHead(200, { 'content-type': 'application/json' }).end('{}'))
    await expect.poll(() => statusOf(send(callOf('a')))).toBe(200)
    finish[1]?.()
    await second.text()
  })

  it('say that a batch of more calls than may ever run never fits', async () => {
    await guard({ general: [{ concurrent_calls: 2 }] })
    const refused = await send(batch(3), old)
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, '60'])
    expect(gate.records.at(-1)).toMatchObject({ code: 'batch_too_large', reason: 'concurrent_calls' })
    expect(await statusesOf(1, batch(2), old)).toEqual([200])
  })

  it('give their place back when the client leaves', async () => {
    await guard({ general: [{ concurrent_calls: 1 }] }, hang)
    const leaving = new AbortController()
    await send(callOf('a'), { signal: leaving.signal })
    expect(await statusOf(send(callOf('a')))).toBe(429)
    leaving.abort()
    await expect.poll(async () => (await send(callOf('a'))).status).toBe(200)
  })

  it('keep their place for as long as they run', async () => {
    await guard({ general: [{ concurrent_calls: 1 }] }, hang)
    await send(callOf('a'))
    for (let minutes = 0; minutes < 10; minutes += 1) clock.advance(60_000)
    expect(await statusOf(send(callOf('a')))).toBe(429)
  })
})

describe('event streams', () => {
  it('have a place until they end, beside the calls', async () => {
    await guard({ general: [{ streams: 1, concurrent_calls: 1 }] }, hang)
    const stream = await sendMcp(`${gate.origin}/mcp`, { method: 'GET' })
    expect(stream.status).toBe(200)
    const refused = await sendMcp(`${gate.origin}/mcp`, { method: 'GET' })
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, '5'])
    expect((await send(callOf('a'))).status).toBe(200)
    finish[0]?.()
    await stream.text()
    await expect.poll(async () => (await sendMcp(`${gate.origin}/mcp`, { method: 'GET' })).status).toBe(200)
  })
})

describe('MCP sessions', () => {
  const initialize = { jsonrpc: '2.0', id: 1, method: 'initialize', params: { protocolVersion: '2025-11-25', capabilities: {} } }
  let opened = 0
  const openSessions: Answer = (request, response) => {
    opened += 1
    const isNew = request.method === 'POST' && request.headers['mcp-session-id'] === undefined
    response.writeHead(200, { 'content-type': 'application/json', ...(isNew && { 'mcp-session-id': `s${opened}` }) }).end('{}')
  }
  const open = async () => {
    const answer = await send(initialize)
    await answer.text()
    return { status: answer.status, session: answer.headers.get('mcp-session-id') ?? undefined }
  }

  it('have a place until they are ended', async () => {
    await guard({ general: [{ sessions: 2 }] }, openSessions)
    const first = await open()
    const second = await open()
    expect([first.status, second.status, (await open()).status]).toEqual([200, 200, 429])
    expect(gate.records.at(-1)).toMatchObject({ reason: 'sessions' })
    expect(await statusOf(sendMcp(`${gate.origin}/mcp`, { method: 'DELETE', session: first.session }))).toBe(200)
    await expect.poll(async () => (await open()).status).toBe(200)
    expect((await open()).status).toBe(429)
  })

  it('have no place any more where the MCP server does not know them', async () => {
    await guard({ general: [{ sessions: 1 }] }, openSessions)
    const { session } = await open()
    upstream.answerWith((_request, response) => void response.writeHead(404).end())
    expect(await statusOf(send(callOf('a'), { session }))).toBe(404)
    upstream.answerWith(openSessions)
    await expect.poll(async () => (await open()).status).toBe(200)
  })

  it('count while they are used, and for half an hour after', async () => {
    await guard({ general: [{ sessions: 1 }] }, openSessions)
    const { session } = await open()
    for (let times = 0; times < 4; times += 1) {
      clock.advance(20 * 60_000)
      expect(await statusOf(send(callOf('a'), { session }))).toBe(200)
    }
    expect((await open()).status).toBe(429)
    clock.advance(31 * 60_000)
    expect((await open()).status).toBe(200)
  })

  it('have no place where the MCP server opens none', async () => {
    await guard({ general: [{ sessions: 1 }] })
    expect((await open()).status).toBe(200)
    await expect.poll(async () => (await open()).status).toBe(200)
  })
})

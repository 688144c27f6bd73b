import { afterEach, beforeEach, expect, it } from 'vitest'
import { DIRECT } from '../../src/core/plan/egress-plan.ts'
import type { RateLimitPlan } from '../../src/core/plan/rate-limit-plan.ts'
import { createLocalCounters } from '../../src/rate-limits/local-counters.ts'
import { createRateLimiter, type RateLimiter } from '../../src/rate-limits/rate-limits.ts'
import { createHttpUpstream } from '../../src/upstream/http-upstream.ts'
import { createFakeClock } from '../support/fake-clock.ts'
import { type Gate, openGate } from '../support/gate.ts'
import { sendMcp } from '../support/mcp-requests.ts'
import { type RecordingUpstream, startRecordingUpstream } from '../support/recording-upstream.ts'

const plan: RateLimitPlan = {
  label: 'rate_limits[0]',
  countedAs: 'rate_limits[0]',
  per: ['principal'],
  tools: undefined,
  callsPerMinute: undefined,
  burst: 1,
  concurrentCalls: undefined,
  streams: undefined,
  sessions: undefined,
}

let limiter: RateLimiter
let upstream: RecordingUpstream
let gate: Gate | undefined
/** Ends answers that wait. */
let finish: (() => void)[]

beforeEach(async () => {
  const clock = createFakeClock()
  limiter = createRateLimiter(createLocalCounters(clock), clock)
  finish = []
  upstream = await startRecordingUpstream()
  upstream.answerWith((_request, response) => void finish.push(() => response.writeHead(202).end()))
})
afterEach(async () => {
  finishAll()
  await gate?.close()
  await upstream.close()
  await limiter.close()
})

function finishAll(): void {
  for (const end of finish.splice(0)) end()
}

async function guard(limit: Partial<RateLimitPlan>): Promise<(body: unknown) => Promise<Response>> {
  const rateLimits = limiter.limit('test', [{ ...plan, ...limit }])
  const streamable_http = createHttpUpstream({
    kind: 'http',
    url: `${upstream.origin}/mcp`,
    socket: undefined,
    headers: {},
    connectSeconds: 5,
    responseSeconds: 30,
    heartbeatSeconds: 0,
    followSlashRedirects: false,
    ca: undefined,
    egress: DIRECT,
  })
  const opened = await openGate({ streamable_http }, { rateLimits })
  gate = opened
  return (body) => sendMcp(`${opened.origin}/mcp`, { body, headers: { 'mcp-protocol-version': '2025-03-26' } })
}

const params = { name: 'export', arguments: {} }
const call = { jsonrpc: '2.0', id: 1, method: 'tools/call', params }
const calling = { jsonrpc: '2.0', method: 'tools/call', params }
const listening = { jsonrpc: '2.0', id: 2, method: 'subscriptions/listen', params: { notifications: {} } }
const initialize = { jsonrpc: '2.0', method: 'initialize', params: { protocolVersion: '2025-03-26', capabilities: {} } }

it.each([
  ['as a notification, which some MCP servers carry out like a request', calling, { concurrentCalls: 1 }],
  ['as a notification, where each tool is counted apart', calling, { concurrentCalls: 1, per: ['tool'] as const }],
  ['beside a subscription in one batch', [call, listening], { concurrentCalls: 1 }],
  [
    'beside a subscription in one batch, where each tool is counted apart',
    [listening, call],
    { concurrentCalls: 1, per: ['tool'] as const },
  ],
  ['that opens an MCP session as a notification', initialize, { sessions: 1 }],
])('a call has its place also %s', async (_how, body, limit) => {
  const send = await guard(limit)
  const first = send(body)
  await expect.poll(() => upstream.requests.length).toBe(1)
  expect((await send(body)).status).toBe(429)
  expect(upstream.requests).toHaveLength(1)
  finishAll()
  await (await first).text()
})

it('a notification that asks for nothing has none', async () => {
  const send = await guard({ concurrentCalls: 1 })
  const first = send(call)
  await expect.poll(() => upstream.requests.length).toBe(1)
  const cancelled = send({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 1 } })
  await expect.poll(() => upstream.requests.length).toBe(2)
  finishAll()
  expect((await cancelled).status).toBe(202)
  await (await first).text()
})

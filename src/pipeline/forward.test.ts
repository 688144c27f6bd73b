import { afterEach, describe, expect, it, vi } from 'vitest'
import { createFakeClock } from '../../test/support/fake-clock.ts'
import { sendMcp, sendModern } from '../../test/support/mcp-requests.ts'
import { openStepGate, type StepGate } from '../../test/support/step.ts'
import { ProxyError } from '../core/errors.ts'
import { createOpenRequests } from '../core/open-requests.ts'
import type { Reply } from '../core/reply.ts'

let gate: StepGate
afterEach(() => gate.close())

const ping = { jsonrpc: '2.0', id: 1, method: 'ping' }
const answerWith = (headers: Record<string, string>) =>
  openStepGate({}, {}, (_call, reply) => {
    reply.start(200, headers)
    reply.end()
  })

describe('a session id of the upstream', () => {
  it('goes out sealed to its user, and opens nothing for another', async () => {
    gate = await answerWith({ 'mcp-session-id': 'inside' })
    const session = (await sendMcp(`${gate.origin}/mcp`, { body: ping })).headers.get('mcp-session-id') ?? ''
    expect(session).toContain('inside')
    expect(session).not.toBe('inside')
    expect((await sendMcp(`${gate.origin}/mcp`, { body: ping, session })).status).toBe(200)
    expect((await sendMcp(`${gate.origin}/mcp`, { body: ping, session, user: 'mallory' })).status).toBe(404)
    expect(gate.calls).toHaveLength(2)
  })

  it('does not go out where the revision knows no sessions', async () => {
    gate = await answerWith({ 'mcp-session-id': 'inside' })
    expect((await sendModern(gate.origin, 'ping')).headers.get('mcp-session-id')).toBeNull()
  })
})

it.each([
  ['text/event-stream', 'no'],
  ['application/json', null],
])('an answer of type %s tells proxies in front not to hold it: %s', async (type, value) => {
  gate = await answerWith({ 'content-type': type })
  expect((await sendMcp(`${gate.origin}/mcp`, { body: ping })).headers.get('x-accel-buffering')).toBe(value)
})

describe('at a shutdown', () => {
  it.each([
    ['GET', 1],
    ['POST', 0],
  ])('an answer to %s has %i end', async (method, ends) => {
    const openRequests = createOpenRequests()
    gate = await openStepGate({}, { openRequests }, (_call, reply) => {
      reply.start(200, { 'content-type': 'text/event-stream' })
      reply.write(Buffer.from('data: 1\n\n'))
    })
    const leave = new AbortController()
    const body = method === 'POST' ? { body: ping } : {}
    const response = await sendMcp(`${gate.origin}/mcp`, { method, ...body, signal: leave.signal })
    expect(openRequests.size).toBe(ends)
    openRequests.endLasting(new ProxyError('shutting_down'))
    if (ends === 1) expect(await response.text()).toBe('data: 1\n\n')
    else leave.abort()
    await vi.waitUntil(() => gate.records.length > 0)
    expect(openRequests.size).toBe(0)
  })
})

it('the endpoint of HTTP+SSE that the upstream names is ours for the client, and leads back to it', async () => {
  gate = await openStepGate({}, {}, (call, reply) => {
    reply.start(call.method === 'GET' ? 200 : 202, call.method === 'GET' ? { 'content-type': 'text/event-stream' } : {})
    if (call.method === 'GET') reply.write(Buffer.from('event: endpoint\ndata: /inner?id=5\n\n'))
    reply.end()
  })
  const text = await (await sendMcp(`${gate.origin}/sse`, { method: 'GET' })).text()
  const [, endpoint = ''] = /^data: (\/messages\?endpoint=\S+)$/m.exec(text) ?? []
  expect((await sendMcp(gate.origin + endpoint, { body: ping })).status).toBe(202)
  expect(gate.calls.at(-1)?.upstreamTarget).toBe('/inner?id=5')
  expect((await sendMcp(gate.origin + endpoint, { body: ping, user: 'mallory' })).status).toBe(404)
})

it('the time until the headers is recorded', async () => {
  gate = await answerWith({})
  await sendMcp(`${gate.origin}/mcp`, { body: ping })
  await vi.waitUntil(() => gate.records.length > 0)
  expect(gate.records[0]?.headersAfter).toBeGreaterThan(0)
})

/** What the verifier finds in a token that is accepted until then, in seconds since the epoch. */
const acceptUntil = (acceptedUntil: number) => ({
  verify: () => ({
    issuer: 'https://idp.example.com',
    subject: 'alice',
    clientId: 'app',
    scopes: new Set<string>(),
    groups: [],
    assurance: 'audience' as const,
    expiresAt: acceptedUntil,
    acceptedUntil,
    claims: {},
  }),
})

it('a stream ends when the token that opened it is no longer accepted, and the log says why', async () => {
  const clock = createFakeClock()
  const verifier = acceptUntil(clock.wall() / 1000 + 60)
  gate = await openStepGate({ verifier }, { clock }, (_call, reply) => {
    reply.start(200, { 'content-type': 'text/event-stream' })
    reply.write(Buffer.from('data: 1\n\n'))
  })
  const response = await sendMcp(`${gate.origin}/mcp`, { method: 'GET' })
  clock.advance(61_000)
  expect(await response.text()).toBe('data: 1\n\n')
  await vi.waitUntil(() => gate.records.length > 0)
  expect(gate.records[0]?.cause).toMatch(/expired/)
})

describe('the room of a long body', () => {
  const long = { ...ping, params: { text: 'x'.repeat(100_000) } }
  const openWatched = async (answer: (reply: Reply) => void) => {
    const release = vi.fn()
    const bodyRoom = { claim: () => ({ given: Promise.resolve(), arrived: () => undefined, release }) }
    gate = await openStepGate({}, { bodyRoom }, (_call, reply) => answer(reply))
    return release
  }

  it('is free once a stream has begun, not only when it has ended', async () => {
    const release = await openWatched((reply) => reply.start(200, { 'content-type': 'text/event-stream' }))
    const leave = new AbortController()
    await sendMcp(`${gate.origin}/mcp`, { body: long, signal: leave.signal })
    expect(release).toHaveBeenCalled()
    expect(gate.records).toEqual([])
    leave.abort()
    await vi.waitUntil(() => gate.records.length > 0)
  })
})

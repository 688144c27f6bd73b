import { afterEach, describe, expect, it, vi } from 'vitest'
import { type Gate, openGate } from '../../test/support/gate.ts'
import { readEvents, sendMcp } from '../../test/support/mcp-requests.ts'
import { accessOf, createPolicyPlan, createPrincipal } from '../../test/support/policies.ts'
import type { Call } from '../core/call.ts'
import type { Upstream } from '../core/ports.ts'
import type { Reply } from '../core/reply.ts'
import { createPolicy } from '../policy/policy.ts'
import type { Edge } from './edge.ts'

let gate: Gate
const aborts: AbortController[] = []
afterEach(async () => {
  for (const abort of aborts.splice(0)) abort.abort()
  await gate.close()
})

const calls: Call[] = []
const streams: Reply[] = []
let endpoints = 0
const upstream: Upstream = {
  send(call, reply) {
    if (call.route.kind === 'sse') {
      streams.push(reply)
      reply.start(200, { 'content-type': 'text/event-stream' })
      reply.write(Buffer.from(`event: endpoint\ndata: /m?s=${++endpoints}\n\n`))
      return
    }
    calls.push(call)
    reply.start(202, {})
    reply.end()
  },
  close: async () => undefined,
}

const call = (id: unknown, name: string) => ({ jsonrpc: '2.0', id, method: 'tools/call', params: { name } })
const unknown = (id: unknown, name: string) => ({ jsonrpc: '2.0', id, error: { code: -32602, message: `Unknown tool: ${name}` } })

async function open(edge: Partial<Edge> = {}): Promise<void> {
  const policy = createPolicy(createPolicyPlan(accessOf({ tools: ['open'] })))
  const verifier = { verify: (token: string) => createPrincipal({ subject: token }) }
  gate = await openGate({ streamable_http: upstream, sse: upstream, messages: upstream }, { policy, verifier }, edge)
}

/** Opens an event stream; tells where its messages go, and what comes on it. */
async function listen(user = 'alice') {
  const abort = new AbortController()
  aborts.push(abort)
  const response = await sendMcp(`${gate.origin}/sse`, { method: 'GET', user, signal: abort.signal })
  const events = readEvents(response)
  const { value: first } = await events.next()
  const next = async () => JSON.parse((await events.next()).value?.data ?? '')
  return { url: `${gate.origin}${first?.data}`, next, abort }
}

describe('a call of what is hidden', () => {
  it('is answered over Streamable HTTP as one of a tool that does not exist', async () => {
    await open()
    const response = await sendMcp(`${gate.origin}/mcp`, { body: call('a', 'secret') })
    expect([response.status, await response.json()]).toEqual([200, unknown('a', 'secret')])
  })

  it('is answered over HTTP+SSE on the stream, like calls of other tools, and never reaches the server', async () => {
    await open()
    const { url, next } = await listen()
    const before = calls.length
    const response = await sendMcp(url, { body: call(7, 'secret\n\ndata: x') })
    expect([response.status, await response.text()]).toEqual([202, ''])
    expect(await next()).toEqual(unknown(7, 'secret\n\ndata: x'))
    expect((await sendMcp(url, { body: call(8, 'open') })).status).toBe(202)
    expect(calls.length - before).toBe(1)
  })

  it('is answered on the stream whose endpoint it was sent to', async () => {
    await open()
    const [one, other] = [await listen(), await listen()]
    await sendMcp(one.url, { body: call(1, 'one') })
    await sendMcp(other.url, { body: call(2, 'other') })
    expect(await one.next()).toEqual(unknown(1, 'one'))
    expect(await other.next()).toEqual(unknown(2, 'other'))
  })

  it('is answered in a batch request by request, each in an event', async () => {
    await open()
    const { url, next } = await listen()
    expect((await sendMcp(url, { body: [call(1, 'secret'), call(2, 'open')] })).status).toBe(202)
    expect(await next()).toEqual(unknown(1, 'secret'))
    expect(await next()).toMatchObject({ id: 2, error: { code: -32600 } })
  })

  it("never comes to another user's stream", async () => {
    await open()
    const { url } = await listen('bob')
    const response = await sendMcp(url, { body: call(1, 'secret') })
    expect(response.status).toBe(404)
  })

  it('is refused with its error where the stream is at another process, or is over', async () => {
    const messageStreams: Edge['messageStreams'] = new Map()
    await open({ messageStreams })
    const { url, abort } = await listen()
    expect(messageStreams.size).toBe(1)
    abort.abort()
    await vi.waitUntil(() => messageStreams.size === 0)
    const response = await sendMcp(url, { body: call(1, 'secret') })
    expect([response.status, await response.json()]).toEqual([400, unknown(1, 'secret')])
  })

  it('waits for no stream in which the server has written half an event: what came in between would be part of it', async () => {
    const messageStreams: Edge['messageStreams'] = new Map()
    gate = await openGate({ sse: upstream, messages: upstream }, {}, { messageStreams })
    const { abort } = await listen()
    const [send] = messageStreams.values()
    streams.at(-1)?.write(Buffer.from('data: {"half'))
    expect(send?.('data: {}\n\n')).toBe(false)
    streams.at(-1)?.write(Buffer.from('":1}\n\n'))
    expect(send?.('data: {}\n\n')).toBe(true)
    abort.abort()
    await vi.waitUntil(() => messageStreams.size === 0)
  })

  it('is refused with its error where the client does not read its stream, so that nothing piles up', async () => {
    await open()
    const { url } = await listen()
    const event = Buffer.from(`data: ${JSON.stringify({ text: 'x'.repeat(1_000_000) })}\n\n`)
    let isFlowing = true
    while (isFlowing) isFlowing = streams.at(-1)?.write(event) ?? false
    await vi.waitUntil(async () => {
      streams.at(-1)?.write(event)
      return (await sendMcp(url, { body: call(1, 'secret') })).status === 400
    })
  })
})

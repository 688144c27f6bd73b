import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { type Gate, openGate } from '../../test/support/gate.ts'
import { sendMcp } from '../../test/support/mcp-requests.ts'
import type { Call } from '../core/call.ts'

const calls: Call[] = []
let gate: Gate
/** Instead of an answer. */
let hold: (() => void) | undefined
beforeAll(async () => {
  gate = await openGate({
    send: (call, reply) => {
      calls.push(call)
      if (hold !== undefined) return hold()
      reply.start(200, { 'content-type': 'application/json', 'mcp-session-id': 'of-the-upstream' })
      reply.end()
    },
    close: async () => undefined,
  })
})
afterAll(() => gate.close())

const ping = { jsonrpc: '2.0', id: 1, method: 'ping' }

it('a call in an MCP session goes on with the session and the query that it came with, but for a token in it', async () => {
  const first = await sendMcp(`${gate.origin}/mcp?a=1&b=%2F`, { body: ping })
  expect(calls.at(-1)).toMatchObject({ query: 'a=1&b=%2F', mcpSessionId: undefined, upstreamTarget: undefined })
  const session = first.headers.get('mcp-session-id') ?? ''
  expect(session).not.toBe('of-the-upstream')
  await sendMcp(`${gate.origin}/mcp?a=1&b=%2F`, { body: ping, session })
  expect(calls.at(-1)).toMatchObject({ query: 'a=1&b=%2F', mcpSessionId: 'of-the-upstream', upstreamTarget: undefined })
  expect(calls.at(-1)?.headers.join(' ')).toContain('mcp-session-id of-the-upstream')
})

it('refusals are told to the log as such when they are about who asks, and not when they are about what there is', async () => {
  const decisionOf = async (path: string, headers: Record<string, string>) => {
    const { status } = await sendMcp(`${gate.origin}${path}`, { body: ping, headers })
    const record = await vi.waitUntil(() => gate.records.find((candidate) => candidate.status === status))
    return [status, record.decision]
  }
  expect(await decisionOf('/mcp', { authorization: '' })).toEqual([401, 'deny'])
  expect(await decisionOf('/mcp', { origin: 'https://evil.example' })).toEqual([403, 'deny'])
  expect(await decisionOf('/elsewhere', {})).toEqual([404, undefined])
})

it('a complete answer is logged without a reason, an answer that the client did not wait for as `client_gone`', async () => {
  expect(await vi.waitUntil(() => gate.records.find(({ status }) => status === 200))).toMatchObject({ code: undefined })
  const leave = new AbortController()
  const before = gate.records.length
  hold = () => leave.abort()
  await expect(sendMcp(`${gate.origin}/mcp`, { body: ping, signal: leave.signal })).rejects.toThrow()
  await vi.waitUntil(() => gate.records.length > before)
  expect(gate.records.at(-1)?.code).toBe('client_gone')
})

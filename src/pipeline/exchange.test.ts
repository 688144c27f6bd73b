import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { createFakeClock } from '../../test/support/fake-clock.ts'
import { type Gate, openGate } from '../../test/support/gate.ts'
import { sendMcp } from '../../test/support/mcp-requests.ts'
import { sendRaw } from '../../test/support/raw-client.ts'
import { openStepGate, type StepGate } from '../../test/support/step.ts'

let gate: Gate
beforeAll(async () => {
  gate = await openGate({ send: (_call, reply) => reply.end(), close: async () => undefined })
})
afterAll(() => gate.close())

it.each([
  ['/mcp?access_token=secret', '/mcp'],
  ['/mcp?', '/mcp'],
  ['/?secret', '/'],
  ['/mcp?a=1?secret', '/mcp'],
  ['/mcp#secret', '/mcp'],
  ['/mcp#fragment?secret', '/mcp'],
  ['/elsewhere?secret', '/elsewhere'],
  [`/${'x'.repeat(2000)}?secret`, `/${'x'.repeat(499)}`],
])('the log is told the path of %s, never what stands behind it, nor more than 500 characters', async (target, path) => {
  const before = gate.records.length
  await sendRaw(
    Number(new URL(gate.origin).port),
    `GET ${target} HTTP/1.1\r\nHost: ${new URL(gate.origin).host}\r\nConnection: close\r\n\r\n`,
  )
  await vi.waitUntil(() => gate.records.length > before)
  expect(gate.records.at(-1)?.path).toBe(path)
})

describe('a request that is over', () => {
  let step: StepGate
  afterEach(() => step.close())
  const ping = { jsonrpc: '2.0', id: 1, method: 'ping' }

  it('gives back the room of its body, also where no answer has begun', async () => {
    const release = vi.fn()
    const bodyRoom = { claim: () => ({ given: Promise.resolve(), arrived: () => undefined, release }) }
    const leave = new AbortController()
    step = await openStepGate({}, { bodyRoom }, () => leave.abort())
    const body = { ...ping, params: { text: 'x'.repeat(100_000) } }
    await expect(sendMcp(`${step.origin}/mcp`, { body, signal: leave.signal })).rejects.toThrow()
    await vi.waitUntil(() => step.records.length > 0)
    expect(release).toHaveBeenCalled()
  })

  it('no longer waits for the end of its token', async () => {
    const clock = createFakeClock()
    step = await openStepGate({}, { clock }, (_call, reply) => reply.start(200, { 'content-type': 'text/event-stream' }))
    const leave = new AbortController()
    await sendMcp(`${step.origin}/mcp`, { method: 'GET', signal: leave.signal })
    // Long enough for the wait for the token to begin.
    clock.advance(2000)
    expect(clock.pending).toBeGreaterThan(0)
    leave.abort()
    await vi.waitUntil(() => step.records.length > 0)
    clock.advance(2000)
    expect(clock.pending).toBe(0)
  })
})

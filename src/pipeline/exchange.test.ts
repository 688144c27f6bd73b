import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { type Gate, openGate } from '../../test/support/gate.ts'
import { sendRaw } from '../../test/support/raw-client.ts'

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

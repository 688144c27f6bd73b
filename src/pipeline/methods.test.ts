import { afterAll, beforeAll, expect, it } from 'vitest'
import { sendMcp } from '../../test/support/mcp-requests.ts'
import { openStepGate, type StepGate } from '../../test/support/step.ts'

let gate: StepGate
beforeAll(async () => {
  gate = await openStepGate()
})
afterAll(() => gate.close())

it.each([
  ['/mcp', 'GET, POST, DELETE, OPTIONS'],
  ['/sse', 'GET, OPTIONS'],
  ['/messages', 'POST, OPTIONS'],
])('%s answers %s, and 405 with this list to all else', async (path, allowed) => {
  for (const method of ['GET', 'POST', 'DELETE', 'PUT', 'PATCH', 'HEAD']) {
    const { status, headers } = await sendMcp(gate.origin + path, { method })
    expect(status === 405, method).toBe(!allowed.includes(method))
    if (status === 405) expect(headers.get('allow')).toBe(allowed)
  }
})

it.each(['GET', 'DELETE'])('%s with a body is refused', async (method) => {
  const { status } = await gate.sendLines([`${method} /mcp HTTP/1.1`, 'Authorization: Bearer alice', 'Content-Length: 2'], '{}')
  expect(status).toBe(400)
})

it('a client without a token learns how to get one, whatever the method', async () => {
  expect((await gate.sendLines(['PUT /mcp HTTP/1.1'])).status).toBe(401)
})

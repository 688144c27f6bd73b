import { afterEach, expect, it } from 'vitest'
import { sendMcp, sendModern } from '../../test/support/mcp-requests.ts'
import { openStepGate, type StepGate } from '../../test/support/step.ts'
import type { ProtectedResource } from '../core/route-facts.ts'

let gate: StepGate
afterEach(() => gate.close())

const ping = { jsonrpc: '2.0', id: 1, method: 'ping' }
const fieldsOf = (name: string) => {
  const headers = gate.calls.at(-1)?.headers ?? []
  return headers.filter((_, index) => index % 2 === 1 && headers[index - 1] === name)
}

it.each([
  ['a batch in a revision without batches', [ping], { 'mcp-protocol-version': '2025-06-18' }],
  ['a response in a revision without them', { jsonrpc: '2.0', id: 1, result: {} }, { 'mcp-protocol-version': '2026-07-28' }],
  ['a method in the header that is not the body’s', ping, { 'mcp-protocol-version': '2026-07-28', 'mcp-method': 'tools/list' }],
])('%s is refused', async (_, body, headers) => {
  gate = await openStepGate()
  expect((await sendMcp(`${gate.origin}/mcp`, { body, headers: headers as Record<string, string> })).status).toBe(400)
  expect(gate.calls).toEqual([])
})

it('an old revision that initialize names is refused where old clients are', async () => {
  gate = await openStepGate({ legacyClients: 'reject' })
  const body = { ...ping, method: 'initialize', params: { protocolVersion: '2024-11-05' } }
  expect((await sendMcp(`${gate.origin}/mcp`, { body })).status).toBe(400)
})

it('an MCP field that comes twice is refused', async () => {
  gate = await openStepGate()
  const body = JSON.stringify(ping)
  const twice = ['Mcp-Session-Id: a', 'Mcp-Session-Id: b']
  const head = [
    'POST /mcp HTTP/1.1',
    'Authorization: Bearer alice',
    'Content-Type: application/json',
    `Content-Length: ${body.length}`,
  ]
  const { status, body: answer } = await gate.sendLines([...head, ...twice], body)
  expect([status, answer.toString()]).toEqual([400, expect.stringContaining('header_mismatch')])
})

it('headers that an old revision does not define are not forwarded, nor an encoding where the answer is rewritten', async () => {
  gate = await openStepGate()
  await sendMcp(`${gate.origin}/mcp`, { body: ping, headers: { 'mcp-param-a': '1', 'mcp-method': 'other' } })
  expect([fieldsOf('mcp-param-a'), fieldsOf('mcp-method')]).toEqual([[], []])
  expect(fieldsOf('x-forwarded-for').length + fieldsOf('forwarded').length).toBeGreaterThan(0)
  await sendMcp(`${gate.origin}/sse`, { method: 'GET' })
  expect(fieldsOf('accept-encoding')).toEqual([])
})

it('a session id is ignored where the revision knows no sessions', async () => {
  gate = await openStepGate()
  expect((await sendModern(gate.origin, 'ping', {}, { session: 'anything' })).status).toBe(202)
})

it('a token in the query or a form does not go on, and a form’s message goes on as JSON', async () => {
  const resource = { identifier: 'https://a', metadataUrl: '', bearerMethods: ['query', 'body'] } as unknown as ProtectedResource
  gate = await openStepGate({ resource })
  await sendMcp(`${gate.origin}/mcp?a=1&access_token=alice`, { body: ping, headers: { authorization: '' } })
  expect(gate.calls.at(-1)?.query).toBe('a=1')
  const body = new URLSearchParams({ access_token: 'alice', message: JSON.stringify(ping) }).toString()
  const headers = { authorization: '', 'content-type': 'application/x-www-form-urlencoded' }
  await sendMcp(`${gate.origin}/mcp`, { body, headers })
  expect(fieldsOf('content-type')).toEqual(['application/json'])
})

it('a message endpoint with two `endpoint` parameters is refused, even where each of them is sealed to the caller', async () => {
  gate = await openStepGate({}, {}, (call, reply) => {
    reply.start(call.method === 'GET' ? 200 : 202, call.method === 'GET' ? { 'content-type': 'text/event-stream' } : {})
    if (call.method === 'GET') reply.write(Buffer.from('event: endpoint\ndata: /inner\n\n'))
    reply.end()
  })
  const text = await (await sendMcp(`${gate.origin}/sse`, { method: 'GET' })).text()
  const [, endpoint = ''] = /^data: (\S+)$/m.exec(text) ?? []
  const again = endpoint.slice(endpoint.indexOf('?') + 1)
  expect((await sendMcp(gate.origin + endpoint, { body: ping })).status).toBe(202)
  const refused = await sendMcp(`${gate.origin}${endpoint}&${again}`, { body: ping })
  expect([refused.status, await refused.text()]).toEqual([404, expect.stringContaining('mcp_session_unknown')])
})

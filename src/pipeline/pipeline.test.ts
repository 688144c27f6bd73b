import { afterEach, describe, expect, it, vi } from 'vitest'
import { createToolCall, sendMcp } from '../../test/support/mcp-requests.ts'
import { openRawConnection } from '../../test/support/raw-client.ts'
import { openStepGate, type StepGate } from '../../test/support/step.ts'
import type { Decision, PolicyEngine } from '../core/decision.ts'
import { createOpenRequests } from '../core/open-requests.ts'

let gate: StepGate
afterEach(() => gate.close())

const ping = { jsonrpc: '2.0', id: 1, method: 'ping' }
const anonymous = { authorization: '' }

describe('the order of the steps', () => {
  it('asks for no token before path and origin were checked', async () => {
    gate = await openStepGate()
    const statusOf = async (path: string, headers: Record<string, string> = {}) =>
      (await sendMcp(gate.origin + path, { body: ping, headers: { ...anonymous, ...headers } })).status
    expect(await statusOf('/elsewhere')).toBe(404)
    expect(await statusOf('/mcp', { origin: 'https://evil.example' })).toBe(403)
    expect(await statusOf('/mcp')).toBe(401)
    expect(gate.calls).toEqual([])
  })

  it.each([
    ['Host: evil.example', 403],
    ['', 400],
  ])('refuses a request with %j for its host', async (host, status) => {
    gate = await openStepGate()
    const connection = await openRawConnection(Number(new URL(gate.origin).port))
    connection.write(`GET /mcp HTTP/1.${host === '' ? '0' : '1'}\r\n${host}\r\n${host === '' ? '' : '\r\n'}`)
    expect((await connection.readResponse()).status).toBe(status)
    connection.destroy()
  })

  it('answers a preflight without a token, since browsers send it without one', async () => {
    gate = await openStepGate()
    const { origin } = gate
    const { status, headers } = await sendMcp(`${origin}/mcp`, { method: 'OPTIONS', headers: { ...anonymous, origin } })
    expect(status).toBe(204)
    expect(headers.get('access-control-allow-origin')).toBe(origin)
    expect(gate.calls).toEqual([])
  })

  it('begins no stream while the process shuts down, but serves what still comes on connections that it had accepted', async () => {
    gate = await openStepGate({}, { isDraining: () => true })
    const { status, headers } = await sendMcp(`${gate.origin}/mcp`, { method: 'GET' })
    expect([status, headers.get('connection'), headers.get('retry-after')]).toEqual([503, 'close', '1'])
    expect(gate.calls).toEqual([])
    expect((await sendMcp(`${gate.origin}/mcp`, { body: ping })).status).toBe(202)
  })
})

it('a long body is decided by what came into force while its arguments were looked at, also where it was refused before', async () => {
  const openRequests = createOpenRequests()
  const denial: Decision = { effect: 'deny', code: 'policy_denied', reason: 'the rule of before', ground: 'require_failed' }
  const decisions: Decision[] = [denial, { effect: 'permit' }]
  const decideApart = async (): Promise<Decision> => {
    const decision = decisions.shift() ?? denial
    if (decision === denial) await openRequests.decideAnew()
    return decision
  }
  const policy: PolicyEngine = { decide: () => denial, decideApart, createListFilter: () => undefined }
  gate = await openStepGate({ policy }, { openRequests })
  const call = createToolCall('pay', { note: 'x'.repeat(100_000) })
  expect((await sendMcp(`${gate.origin}/mcp`, { body: call })).status).toBe(202)
  expect(gate.calls).toHaveLength(1)
})

describe('the record of a request', () => {
  it('holds what each step found', async () => {
    gate = await openStepGate()
    await sendMcp(`${gate.origin}/mcp`, { user: 'alice~app', body: ping, headers: { 'mcp-protocol-version': '2025-06-18' } })
    await vi.waitUntil(() => gate.records.length > 0)
    expect(gate.records[0]).toMatchObject({
      server: 'test',
      principal: { subject: 'alice', clientId: 'app' },
      revision: '2025-06-18',
      operations: [{ method: 'ping', id: '1' }],
      decision: 'permit',
      status: 202,
    })
  })

  it('holds who asked for what also where a later step refuses it', async () => {
    gate = await openStepGate()
    await sendMcp(`${gate.origin}/mcp`, { body: ping, session: 'session-of-no-user' })
    await vi.waitUntil(() => gate.records.length > 0)
    expect(gate.records[0]).toMatchObject({
      code: 'mcp_session_unknown',
      principal: { subject: 'alice' },
      operations: [{ method: 'ping' }],
    })
  })
})

it('nothing is read behind a request that can be read in two ways', async () => {
  gate = await openStepGate()
  const connection = await openRawConnection(Number(new URL(gate.origin).port))
  const { host } = new URL(gate.origin)
  const good = `GET /mcp HTTP/1.1\r\nHost: ${host}\r\nAuthorization: Bearer alice\r\n\r\n`
  connection.write(`GET /mcp HTTP/1.1\r\nHost: ${host}\r\nConnection: authorization\r\n\r\n${good}`)
  expect((await connection.readResponse()).status).toBe(400)
  await connection.closed
  expect(gate.calls).toEqual([])
})

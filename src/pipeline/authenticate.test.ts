import { afterEach, describe, expect, it, vi } from 'vitest'
import { sendMcp } from '../../test/support/mcp-requests.ts'
import { openStepGate, type StepGate } from '../../test/support/step.ts'
import { ProxyError } from '../core/errors.ts'
import type { Principal } from '../core/principal.ts'
import type { BearerMethod, ProtectedResource } from '../core/route-facts.ts'

let gate: StepGate
afterEach(() => gate.close())

const principal: Principal = {
  issuer: 'https://idp.example.com',
  subject: 'alice',
  clientId: 'app',
  scopes: new Set(),
  groups: [],
  assurance: 'audience',
  expiresAt: Number.MAX_SAFE_INTEGER,
  acceptedUntil: Number.MAX_SAFE_INTEGER,
  claims: {},
}
const ping = { jsonrpc: '2.0', id: 1, method: 'ping' }
const resourceWith = (...bearerMethods: BearerMethod[]) =>
  ({
    identifier: 'https://mcp.example/mcp',
    metadataUrl: 'https://mcp.example/metadata',
    bearerMethods,
  }) as unknown as ProtectedResource
const post = ['POST /mcp HTTP/1.1', 'Content-Type: application/json', `Content-Length: ${JSON.stringify(ping).length}`]

describe('a request', () => {
  it('without a token gets 401 with a bare challenge, and reaches nothing', async () => {
    gate = await openStepGate()
    const { status, header } = await gate.sendLines(post, JSON.stringify(ping))
    expect(status).toBe(401)
    expect(header('www-authenticate')).toMatch(/^Bearer resource_metadata="[^"]+"$/)
    expect(gate.calls).toEqual([])
  })

  it('with a token that was verified before is recognised by it, letter by letter', async () => {
    const verify = vi.fn(async () => principal)
    const recall = vi.fn((token: string) => (token === 'known' ? principal : undefined))
    gate = await openStepGate({ verifier: { verify, recall } })
    expect((await sendMcp(`${gate.origin}/mcp`, { user: 'known', body: ping })).status).toBe(202)
    expect(verify).not.toHaveBeenCalled()
    expect((await sendMcp(`${gate.origin}/mcp`, { user: 'other', body: ping })).status).toBe(202)
    expect(verify).toHaveBeenCalledExactlyOnceWith('other', expect.stringContaining('127.0.0.1'))
    expect(gate.calls.map((call) => call.principal)).toEqual([principal, principal])
  })

  it('with two tokens, or with one that hides in the query, is never recognised by the first', async () => {
    const recall = vi.fn(() => principal)
    gate = await openStepGate({ verifier: { verify: () => principal, recall } })
    const twice = await gate.sendLines([...post, 'Authorization: Bearer a', 'Authorization: Bearer b'], JSON.stringify(ping))
    const hidden = await sendMcp(`${gate.origin}/mcp?access_token=b`, { user: 'a', body: ping })
    expect([twice.status, hidden.status]).toEqual([400, 400])
    expect(recall).not.toHaveBeenCalled()
    expect(gate.calls).toEqual([])
  })

  it('whose token the verifier refuses gets its error, and is recorded without a principal', async () => {
    const verify = () => Promise.reject(new ProxyError('token_expired'))
    gate = await openStepGate({ verifier: { verify } })
    expect((await sendMcp(`${gate.origin}/mcp`, { body: ping })).status).toBe(401)
    await vi.waitUntil(() => gate.records.length > 0)
    expect(gate.records[0]).toMatchObject({ code: 'token_expired', principal: undefined, decision: 'deny' })
  })

  it.each([
    ['reject', '/sse', 400],
    ['reject', '/mcp', 202],
    ['enforce', '/sse', 202],
  ] as const)('with legacy clients: %s gets on %s %i', async (legacyClients, path, status) => {
    gate = await openStepGate({ legacyClients })
    expect((await sendMcp(gate.origin + path, { method: 'GET' })).status).toBe(status)
  })
})

describe('a token in a form', () => {
  const form = new URLSearchParams({ access_token: 'alice', message: JSON.stringify(ping) }).toString()
  const headers = { 'content-type': 'application/x-www-form-urlencoded', authorization: '' }

  it('is read where the server permits tokens in bodies', async () => {
    gate = await openStepGate({ resource: resourceWith('header', 'body') })
    expect((await sendMcp(`${gate.origin}/mcp`, { body: form, headers })).status).toBe(202)
    expect(gate.calls[0]).toMatchObject({ principal: { subject: 'alice' }, body: Buffer.from(JSON.stringify(ping)) })
  })

  it('is not even read elsewhere', async () => {
    gate = await openStepGate({ resource: resourceWith('header') })
    expect((await sendMcp(`${gate.origin}/mcp`, { body: form, headers })).status).toBe(401)
  })
})

// How an MCP server that the proxy starts is told who calls: in `_meta` of each request, and in its environment.
import { afterEach, describe, expect, it } from 'vitest'
import { CALLER_KEY } from '../src/mcp/caller-meta.ts'
import { scripted } from './support/gate.ts'
import { callModern, openSession, readAnswer, textOf } from './support/mcp-requests.ts'
import { startTestProxy, type TestProxy } from './support/proxy.ts'
import { startIssuer, type TestIssuer } from './support/tokens.ts'

const audience = 'https://mcp.example.com/mcp'
let issuer: TestIssuer
let proxy: TestProxy
afterEach(async () => {
  await proxy.close()
  await issuer.close()
})

async function start(processPer: 'session' | 'shared', identity: object = {}): Promise<void> {
  issuer = await startIssuer({ audience })
  const upstream = { command: [...scripted], process_per: processPer }
  proxy = await startTestProxy({
    issuers: [issuer.issuer],
    servers: [{ path: '/mcp', upstream, audience: [audience], identity: { claims: ['team', 'email'], ...identity } }],
  })
}

const forged = { [CALLER_KEY]: { sub: 'eve' }, [CALLER_KEY.toUpperCase()]: { sub: 'eve' }, kept: 1 }

/** Has the process say which line it got for a call, and returns its `_meta`. */
async function callAs(user: string, revision: 'legacy' | 'modern') {
  const token = await issuer.mint({ claims: { sub: user, team: `team of ${user}`, email: `${user}@example.com` } })
  const send = async (method: string, params: object, more: Record<string, string> = {}) => {
    const response = await fetch(`${proxy.origin}/mcp`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${token}`,
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        ...more,
      },
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }),
    })
    const text = await response.text()
    const session = response.headers.get('mcp-session-id') ?? ''
    return { session, message: JSON.parse(/\{.*\}/s.exec(text)?.[0] ?? '{}') }
  }
  const version = revision === 'legacy' ? '2025-06-18' : '2026-07-28'
  const headers: Record<string, string> = { 'mcp-protocol-version': version }
  const meta: Record<string, unknown> = { ...forged }
  if (revision === 'legacy') {
    const clientInfo = { name: 'test', version: '1' }
    const { session } = await send('initialize', { protocolVersion: version, capabilities: {}, clientInfo, _meta: forged })
    headers['mcp-session-id'] = session
  } else {
    meta['io.modelcontextprotocol/protocolVersion'] = version
    meta['io.modelcontextprotocol/clientInfo'] = { name: 'test', version: '1' }
    meta['io.modelcontextprotocol/clientCapabilities'] = {}
    Object.assign(headers, { 'mcp-method': 'tools/call', 'mcp-name': 'line' })
  }
  const { message } = await send('tools/call', { name: 'line', arguments: {}, _meta: meta }, headers)
  const line = Buffer.from(message.result.content[0].text, 'base64').toString()
  expect(line).not.toContain('eve')
  return JSON.parse(line).params._meta
}

describe.each(['session', 'shared'] as const)('an MCP server with a process per %s', (processPer) => {
  it.each(['legacy', 'modern'] as const)(
    'is told of each request who calls, by %s clients, whatever they say',
    async (revision) => {
      await start(processPer)
      for (const user of ['alice', 'bob', 'alice']) {
        const { [CALLER_KEY]: caller, kept } = await callAs(user, revision)
        expect(caller).toEqual({
          sub: `${issuer.issuer}|${user}`,
          token_iss: issuer.issuer,
          token_sub: user,
          client_id: expect.any(String),
          scope: 'mcp:tools',
          team: `team of ${user}`,
        })
        expect(kept).toBe(1)
      }
    },
  )
})

it('an MCP server with a process per session finds in its environment who calls', async () => {
  await start('session', { env: { MCP_USER: { claim: 'sub' }, MCP_EMAIL: { claim: 'email' } } })
  for (const user of ['alice', 'bob', 'alice']) {
    const token = await issuer.mint({ claims: { sub: user, email: `${user}@example.com`, email_verified: user === 'alice' } })
    const told = [
      await (await openSession(proxy.origin, { user: token })).call('env'),
      textOf(await readAnswer(callModern(proxy.origin, 'env', {}, { user: token }))),
    ].map((text) => JSON.parse(text))
    const expected = { MCP_USER: `${issuer.issuer}|${user}`, ...(user === 'alice' && { MCP_EMAIL: 'alice@example.com' }) }
    for (const { MCP_USER, MCP_EMAIL } of told) expect({ MCP_USER, MCP_EMAIL }).toEqual(expected)
  }
})

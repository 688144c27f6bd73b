// An authorization server with opaque access tokens whose introspection knows no `sub`: django-oauth-toolkit.
import { createHash, randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type ExampleMcpServer, startMcpServer } from '../../../demo/mcp-server.ts'
import { callMcp, createRawClient, postForm, readJson, refresh } from '../../support/broker-client.ts'
import { findFreePort } from '../../support/free-port.ts'
import { findSecrets } from '../../support/log.ts'
import { startTestProxy, type TestProxy } from '../../support/proxy.ts'
import { signInAtVendor } from '../../support/vendor-sign-in.ts'
import { findProgram } from '../programs.ts'
import { type PythonProgram, startPythonProgram } from '../python-server.ts'
import { openBrowserOf } from './person.ts'

/** With what has a meaning in Basic and in forms. */
const SECRET = 's+cret/of=the%proxy:1'
const REDIRECT_URI = 'http://127.0.0.1:9/callback'
const python = findProgram('django')

let folder: string
let provider: PythonProgram
let mcpServer: ExampleMcpServer
let broker: TestProxy
let resource: TestProxy

describe.skipIf(python === undefined)('django-oauth-toolkit', () => {
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'django-'))
    const brokerPort = await findFreePort()
    provider = await startPythonProgram(python ?? '', [join(import.meta.dirname, 'provider.py')], {
      FOLDER: folder,
      SECRET,
      BROKER_REDIRECT_URI: `http://localhost:${brokerPort}/oauth/callback`,
      CLIENT_REDIRECT_URI: REDIRECT_URI,
    })
    mcpServer = await startMcpServer()
    broker = await startBroker(brokerPort)
    resource = await startResource()
  })
  afterAll(async () => {
    await Promise.all([broker?.close(), resource?.close()])
    await Promise.all([provider?.close(), mcpServer?.close()])
    if (folder !== undefined) rmSync(folder, { recursive: true })
  })

  const issuer = () => `${provider.origin}/o`
  const servers = () => [{ path: '/mcp', upstream: mcpServer.streamableHttpUrl, scopes: ['mcp:tools'] }]

  function startBroker(port: number): Promise<TestProxy> {
    const identity_provider = {
      issuer: issuer(),
      client_id: 'proxy',
      client_secret: { env: 'SECRET' },
      scopes: ['openid'],
      allow: [{ claim: 'email', values: ['alice@example.com'] }],
    }
    return startTestProxy({ identity_provider, broker: { store: { kind: 'memory' } }, servers: servers() }, { SECRET }, port)
  }

  function startResource(): Promise<TestProxy> {
    const introspection = {
      endpoint: `${issuer()}/introspect/`,
      client_id: 'resource-server',
      client_secret: { env: 'SECRET' },
    }
    return startTestProxy({ issuers: [{ issuer: issuer(), introspection }], servers: servers() }, { SECRET })
  }

  const countTokenRequests = () => provider.lines.filter((line) => line.includes('POST /o/token/')).length

  it('signs users in at the broker, which asks it at each refresh', async () => {
    const client = await createRawClient(broker.origin)
    const tokens = await signInAtVendor(broker.origin, client, { browser: openBrowserOf('alice', provider.origin) })
    expect(tokens.scope).toBe('mcp:tools')
    expect(await callMcp(`${broker.origin}/mcp`, tokens.access_token)).toBe(200)
    const asked = countTokenRequests()
    const again = await refresh(broker.origin, client, tokens.refresh_token)
    expect(again.status).toBe(200)
    expect(countTokenRequests()).toBe(asked + 1)
    const once = await refresh(broker.origin, client, (await readJson(again)).refresh_token)
    expect(once.status).toBe(200)
    expect(findSecrets(broker.log.text(), [SECRET, tokens.access_token, tokens.refresh_token])).toEqual([])
  })

  it('keeps out users whom `allow` does not name', async () => {
    const client = await createRawClient(broker.origin)
    await expect(signInAtVendor(broker.origin, client, { browser: openBrowserOf('bob', provider.origin) })).rejects.toThrow()
    expect(broker.log.text()).toContain('sign_in_denied')
  })

  /** What a client gets at the provider itself, which binds tokens to `resource` (RFC 8707). */
  async function fetchTokens(name: string, changes: Record<string, string | undefined> = {}) {
    const verifier = randomBytes(32).toString('base64url')
    const parameters = {
      response_type: 'code',
      client_id: 'client',
      redirect_uri: REDIRECT_URI,
      scope: 'openid mcp:tools',
      state: 'a state',
      resource: `${resource.origin}/mcp`,
      code_challenge: createHash('sha256').update(verifier).digest('base64url'),
      code_challenge_method: 'S256',
      ...changes,
    }
    const url = new URL(`${issuer()}/authorize/`)
    for (const [key, value] of Object.entries(parameters)) if (value !== undefined) url.searchParams.set(key, value)
    const back = await openBrowserOf(name, provider.origin).open(url)
    const code = new URL(back.headers.get('location') ?? '').searchParams.get('code') ?? ''
    const form = {
      grant_type: 'authorization_code',
      code,
      redirect_uri: REDIRECT_URI,
      client_id: 'client',
      code_verifier: verifier,
    }
    return readJson(await postForm(`${issuer()}/token/`, form))
  }

  async function send(token: string, method: string, session?: string): Promise<Response> {
    const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'raw', version: '1' } }
    return fetch(`${resource.origin}/mcp`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${token}`,
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        ...(session !== undefined && { 'mcp-session-id': session, 'mcp-protocol-version': '2025-11-25' }),
      },
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params: method === 'initialize' ? params : {} }),
    })
  }

  it('is the issuer of opaque tokens, for the server that they were asked for', async () => {
    const tokens = await fetchTokens('alice')
    expect(await callMcp(`${resource.origin}/mcp`, tokens.access_token)).toBe(200)
    for (const wrong of [tokens.id_token, tokens.refresh_token, 'made-up'])
      expect(await callMcp(`${resource.origin}/mcp`, wrong), wrong).toBe(401)
    const other = await fetchTokens('alice', { resource: 'http://localhost:1/mcp' })
    const none = await fetchTokens('alice', { resource: undefined })
    for (const { access_token } of [other, none]) expect(await callMcp(`${resource.origin}/mcp`, access_token)).toBe(401)
    const poor = await fetchTokens('alice', { scope: 'openid' })
    expect(await callMcp(`${resource.origin}/mcp`, poor.access_token)).toBe(403)
  })

  it('has users of one client apart, though it gives no subject', async () => {
    const [alice, bob] = [await fetchTokens('alice'), await fetchTokens('bob')]
    const opened = await send(alice.access_token, 'initialize')
    await opened.body?.cancel()
    const session = opened.headers.get('mcp-session-id') ?? ''
    expect(session).not.toBe('')
    const list = async (token: string) => (await send(token, 'tools/list', session)).status
    expect(await list(alice.access_token)).toBe(200)
    expect(await list(bob.access_token)).toBe(404)
    expect(await list((await fetchTokens('alice')).access_token)).toBe(200)
  })
})

// Our client metadata document at a real authorization server that knows clients by nothing else: oidc-provider, over https.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { json } from 'node:stream/consumers'
import { Agent, fetch as undiciFetch } from 'undici'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readHidden } from '../../demo/browser.ts'
import { closeServer, listenOnLoopback } from '../../src/sandbox/listen.ts'
import {
  type Browser,
  createBrowser,
  createRequest,
  openConsentPage,
  readRefresh,
  sendConsent,
} from '../support/broker-client.ts'
import { type HttpsAuthorizationServer, startHttpsAuthorizationServer } from '../support/https-authorization-server.ts'
import { createToolCall } from '../support/mcp-requests.ts'
import { rememberSecret } from '../support/secrets-in-use.ts'
import { prepareTlsBroker, type TlsBroker } from '../support/tls-broker.ts'

const CLIENT = { id: 'application', redirectUri: 'http://localhost:50126/callback', secret: undefined }

let broker: TlsBroker
let origin: string
let authorizationServer: HttpsAuthorizationServer
let mcpServer: Server
let mcpUrl: string
let trusting: Agent[] = []
let browser: Browser
/** Tokens that the MCP server takes no more. */
const refused = new Set<string>()
const shown: string[] = []

beforeAll(async () => {
  broker = await prepareTlsBroker({ approveAs: 'alice' })
  origin = broker.origin
  mcpServer = createServer((request, response) => void answerMcp(request, response))
  mcpUrl = `http://127.0.0.1:${await listenOnLoopback(mcpServer, 0)}/mcp`
  authorizationServer = await startHttpsAuthorizationServer('alice-of-saas', mcpUrl, broker.ca)
  // One for each: two authorities of one name are one to OpenSSL.
  trusting = [broker.ca, authorizationServer.ca].map((ca) => new Agent({ connect: { ca } }))
  const choose = (url: string | URL) => trusting[new URL(url).origin === authorizationServer.issuer ? 1 : 0]
  browser = createBrowser((url, init) => undiciFetch(url, { ...init, dispatcher: choose(url) } as never) as never)
  const credential = { kind: 'own_account' as const, ca_file: broker.write('saas.pem', authorizationServer.ca) }
  await broker.start({
    clients: [{ client_id: CLIENT.id, name: 'Example application', redirect_uris: [CLIENT.redirectUri] }],
    servers: [{ name: 'saas', path: '/mcp', upstream: mcpUrl, scopes: ['mcp:tools'], credential }],
  })
})
afterAll(async () => {
  await broker?.close()
  await Promise.all([
    authorizationServer?.close(),
    mcpServer && closeServer(mcpServer),
    ...trusting.map((agent) => agent.close()),
  ])
})

/** Takes tokens of its own authorization server alone. */
async function answerMcp(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const own = new URL(mcpUrl).origin
  if (request.url?.startsWith('/.well-known/oauth-protected-resource') === true) {
    const metadata = { resource: mcpUrl, authorization_servers: [authorizationServer.issuer], scopes_supported: ['mcp:tools'] }
    return void response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(metadata))
  }
  const { id } = (await json(request)) as { id: unknown }
  const token = (request.headers.authorization ?? '').replace(/^Bearer /, '')
  const payload = refused.has(token) ? undefined : await authorizationServer.verify(token).catch(() => undefined)
  if (payload === undefined) {
    const challenge = `Bearer resource_metadata="${own}/.well-known/oauth-protected-resource/mcp"`
    return void response.writeHead(401, { 'www-authenticate': challenge }).end()
  }
  rememberSecret(token)
  shown.push(token)
  const result = { content: [{ type: 'text', text: String(payload.sub) }] }
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ jsonrpc: '2.0', id, result }))
}

/** Follows redirects, and pages that lead on by themselves, until one leads to the client or stays. */
async function follow(start: string): Promise<{ readonly url: URL; readonly html: string }> {
  let url = new URL(start, origin)
  for (;;) {
    if (url.href.startsWith(CLIENT.redirectUri)) return { url, html: '' }
    const response = await browser.open(url)
    const location = response.headers.get('location')
    const html = location === null ? await response.text() : ''
    const next = location ?? readRefresh(html)
    if (next === '') return { url, html }
    url = new URL(next, url)
  }
}

async function signIn(): Promise<string> {
  const { url, verifier } = createRequest(origin, CLIENT)
  const page = await openConsentPage(browser, url)
  const away = await (await sendConsent(browser, page)).text()
  const { url: end } = await follow(readRefresh(away))
  const form = {
    grant_type: 'authorization_code',
    client_id: CLIENT.id,
    code: end.searchParams.get('code') ?? '',
    code_verifier: verifier,
    redirect_uri: CLIENT.redirectUri,
  }
  const answer = await browser.open(`${origin}/token`, { method: 'POST', body: new URLSearchParams(form) })
  return ((await answer.json()) as { access_token: string }).access_token
}

async function call(token: string): Promise<{ readonly status: number; readonly text: string }> {
  const headers = {
    authorization: `Bearer ${token}`,
    accept: 'application/json, text/event-stream',
    'content-type': 'application/json',
  }
  const response = await browser.open(`${origin}/mcp`, {
    method: 'POST',
    headers,
    body: JSON.stringify(createToolCall('whoami')),
  })
  return { status: response.status, text: await response.text() }
}

describe('an authorization server that knows clients by their metadata documents alone', () => {
  let token: string

  it('fetches ours, and issues tokens for the account that a user connects', async () => {
    token = await signIn()
    expect(await call(token)).toMatchObject({ status: 200, text: expect.stringContaining('alice-of-saas') })
    const [document = ''] = authorizationServer.fetched
    expect(document).toMatch(new RegExp(`^${origin}/connections/client/[\\w-]{22}$`))
    expect(authorizationServer.issued).toEqual([['authorization_code', document]])
  })

  it('finds in it its own redirect URI, and no secret', async () => {
    const [document = ''] = authorizationServer.fetched
    const published = await (await browser.open(document)).json()
    expect(published).toMatchObject({
      client_id: document,
      redirect_uris: [document.replace('/client/', '/callback/')],
      token_endpoint_auth_method: 'none',
      application_type: 'web',
    })
    expect(Object.keys(published as object).filter((name) => /secret/.test(name))).toEqual([])
  })

  it('refreshes tokens for that client', async () => {
    refused.add(shown.at(-1) ?? '')
    expect((await call(token)).status).toBe(502)
    expect((await call(token)).status).toBe(200)
    expect(authorizationServer.issued.map(([grantType]) => grantType)).toEqual(['authorization_code', 'refresh_token'])
    expect(new Set(shown).size).toBe(2)
  })

  it('revokes them when the user disconnects the account', async () => {
    const list = await follow('/connections')
    const form = new URLSearchParams({ ...readHidden(list.html), action: 'disconnect', server: 'saas' })
    expect((await browser.open(list.url, { method: 'POST', body: form })).status).toBe(303)
    expect(authorizationServer.revoked).toEqual(authorizationServer.fetched.slice(0, 1))
    expect((await call(token)).text).toContain('account_required')
  })
})

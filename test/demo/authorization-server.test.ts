import { createHash, randomBytes } from 'node:crypto'
import { decodeJwt, decodeProtectedHeader } from 'jose'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { signIn } from '../../demo/browser.ts'
import {
  type AuthorizationServer,
  type AuthorizationServerOptions,
  startAuthorizationServer,
} from '../../src/sandbox/authorization-server.ts'
import { SAMPLE_USERS } from '../../src/sandbox/users.ts'
import { startClientMetadataServer } from '../support/client-metadata.ts'

const RESOURCE = 'http://localhost:1/mcp'
const REDIRECT = 'http://127.0.0.1:4711/callback'
const [alice, bob] = SAMPLE_USERS

type Json = Record<string, unknown>

async function register(server: AuthorizationServer, metadata: Json = {}): Promise<string> {
  const response = await fetch(`${server.issuer}/register`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ client_name: 'Test <client>', redirect_uris: [REDIRECT], ...metadata }),
  })
  expect(response.status).toBe(201)
  return String(((await response.json()) as Json).client_id)
}

function authorize(server: AuthorizationServer, clientId: string, more: Record<string, string> = {}) {
  const verifier = randomBytes(32).toString('base64url')
  const url = new URL('/authorize', server.issuer)
  const usual = {
    response_type: 'code',
    client_id: clientId,
    redirect_uri: REDIRECT,
    state: 'state',
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
    resource: RESOURCE,
    scope: 'mcp:tools mcp:admin',
  }
  for (const [name, value] of Object.entries({ ...usual, ...more })) if (value !== '') url.searchParams.set(name, value)
  return { url, verifier }
}

async function requestToken(server: AuthorizationServer, form: Record<string, string>): Promise<{ status: number; body: Json }> {
  const response = await fetch(`${server.issuer}/token`, { method: 'POST', body: new URLSearchParams(form) })
  return { status: response.status, body: (await response.json()) as Json }
}

async function getToken(server: AuthorizationServer, clientId: string, user: typeof alice, more: Record<string, string> = {}) {
  const { url, verifier } = authorize(server, clientId, more)
  const redirect = await signIn(url, user)
  expect(redirect.searchParams.get('iss')).toBe(server.issuer)
  const code = redirect.searchParams.get('code') ?? ''
  const { status, body } = await requestToken(server, {
    grant_type: 'authorization_code',
    client_id: clientId,
    code,
    code_verifier: verifier,
    redirect_uri: more.redirect_uri ?? REDIRECT,
  })
  expect(status).toBe(200)
  return body
}

describe("the demo's authorization server", () => {
  let server: AuthorizationServer
  beforeAll(async () => {
    server = await startAuthorizationServer({ resources: [RESOURCE] })
  })
  afterAll(() => server.close())

  it.each(['oauth-authorization-server', 'openid-configuration'])(
    'tells MCP clients all they look for at /.well-known/%s',
    async (name) => {
      const response = await fetch(`${server.issuer}/.well-known/${name}`, { headers: { origin: 'http://localhost:6274' } })
      expect(response.headers.get('access-control-allow-origin')).not.toBeNull()
      expect(await response.json()).toMatchObject({
        issuer: server.issuer,
        code_challenge_methods_supported: ['S256'],
        authorization_response_iss_parameter_supported: true,
        client_id_metadata_document_supported: true,
        token_endpoint_auth_methods_supported: expect.arrayContaining(['none']),
        scopes_supported: ['mcp:tools', 'mcp:admin', 'openid', 'offline_access'],
        registration_endpoint: `${server.issuer}/register`,
        introspection_endpoint: `${server.issuer}/introspect`,
        revocation_endpoint: `${server.issuer}/revoke`,
      })
    },
  )

  it('issues an at+jwt for the resource, with the scopes that the user may grant', async () => {
    const clientId = await register(server)
    const body = await getToken(server, clientId, alice)
    expect(body).toMatchObject({ token_type: 'Bearer', scope: 'mcp:tools', expires_in: 3600 })
    const token = String(body.access_token)
    expect(decodeProtectedHeader(token)).toMatchObject({ typ: 'at+jwt', alg: 'RS256' })
    expect(decodeJwt(token)).toMatchObject({
      iss: server.issuer,
      aud: RESOURCE,
      sub: 'alice',
      client_id: clientId,
      scope: 'mcp:tools',
    })
    expect(await getToken(server, clientId, bob)).toMatchObject({ scope: 'mcp:tools mcp:admin' })
  })

  it('takes any port of a loopback redirect (RFC 8252 §7.3)', async () => {
    const clientId = await register(server, { redirect_uris: ['http://localhost/callback'] })
    const body = await getToken(server, clientId, alice, { redirect_uri: 'http://localhost:50123/callback' })
    expect(body).toHaveProperty('access_token')
  })

  it('gives a client that names neither scope nor resource what it needs first', async () => {
    const clientId = await register(server)
    const body = await getToken(server, clientId, alice, { scope: '', resource: '' })
    expect(decodeJwt(String(body.access_token))).toMatchObject({ aud: RESOURCE, scope: 'mcp:tools' })
  })

  it.each([' offline_access', 'offline_access', ' mcp:tools  offline_access '])(
    'takes the scope %j, and at a refresh what it took before, in whatever spelling of the resource',
    async (scope) => {
      const clientId = await register(server)
      const body = await getToken(server, clientId, alice, { scope, resource: `${RESOURCE}/` })
      expect(decodeJwt(String(body.access_token))).toMatchObject({ aud: RESOURCE, scope: 'mcp:tools' })
      const refreshed = await requestToken(server, {
        grant_type: 'refresh_token',
        client_id: clientId,
        refresh_token: String(body.refresh_token),
        scope: scope.trim().replaceAll('  ', ' '),
        resource: RESOURCE.toUpperCase().replace('/MCP', '/mcp'),
      })
      expect([refreshed.status, refreshed.body]).toMatchObject([200, { scope: 'mcp:tools' }])
    },
  )

  it('lets a client that registered with one scope ask for another', async () => {
    const clientId = await register(server, { scope: 'mcp:tools' })
    expect(await getToken(server, clientId, bob)).toMatchObject({ scope: 'mcp:tools mcp:admin' })
  })

  it('rotates refresh tokens, and revokes the grant when an old one comes back later', async () => {
    const clientId = await register(server)
    const first = await getToken(server, clientId, alice)
    const refresh = (token: unknown) =>
      requestToken(server, { grant_type: 'refresh_token', client_id: clientId, refresh_token: String(token) })
    const [second, atTheSameTime] = await Promise.all([refresh(first.refresh_token), refresh(first.refresh_token)])
    expect(decodeJwt(String(second.body.access_token)).aud).toBe(RESOURCE)
    expect(atTheSameTime.status).toBe(200)
    expect(second.body.refresh_token).not.toBe(first.refresh_token)
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 60_000 })
    expect((await refresh(first.refresh_token)).body).toMatchObject({ error: 'invalid_grant' })
    expect((await refresh(second.body.refresh_token)).body).toMatchObject({ error: 'invalid_grant' })
    vi.useRealTimers()
  })

  it.each([
    ['without PKCE', { code_challenge: '', code_challenge_method: '' }, 'invalid_request'],
    ['for a resource it does not know', { resource: 'https://evil.example/mcp' }, 'invalid_target'],
  ])('sends an authorization request %s back with an error', async (_how, more, error) => {
    const { url } = authorize(server, await register(server), more)
    const redirect = await signIn(url, alice)
    expect(redirect.searchParams.get('error')).toBe(error)
    expect(redirect.searchParams.get('iss')).toBe(server.issuer)
  })

  it.each([
    ['an unknown client', { client_id: 'nobody' }],
    ['a redirect that was not registered', { redirect_uri: 'https://evil.example/callback' }],
  ])('shows an error page and never redirects for %s', async (_what, more) => {
    const { url } = authorize(server, await register(server), more)
    const response = await fetch(url, { redirect: 'manual', headers: { accept: 'text/html' } })
    expect(response.status).toBe(400)
    expect(await response.text()).toContain('<h1>That did not work</h1>')
    expect(response.headers.get('content-security-policy')).toContain("default-src 'none'")
  })

  it('registers from a browser (CORS)', async () => {
    const response = await fetch(`${server.issuer}/register`, {
      method: 'OPTIONS',
      headers: {
        origin: 'http://localhost:6274',
        'access-control-request-method': 'POST',
        'access-control-request-headers': 'content-type',
      },
    })
    expect(response.status).toBe(204)
    expect(response.headers.get('access-control-allow-origin')).toBe('*')
    expect(response.headers.get('access-control-allow-headers')).toBe('content-type')
  })

  it('lets only clients introspect that were registered beforehand', async () => {
    const clientId = await register(server)
    const body = await getToken(server, clientId, alice)
    const form = new URLSearchParams({ client_id: clientId, token: String(body.access_token) })
    const response = await fetch(`${server.issuer}/introspect`, { method: 'POST', body: form })
    expect(await response.json()).not.toMatchObject({ active: true })
  })
})

describe('the sign-in pages', () => {
  let server: AuthorizationServer
  let page: Browser
  beforeAll(async () => {
    server = await startAuthorizationServer({ resources: [RESOURCE] })
    page = await openBrowser(authorize(server, await register(server)).url)
  })
  afterAll(() => server.close())

  it('send a strict content security policy that still lets the form lead back to the client, and no script', () => {
    const policy = page.headers.get('content-security-policy')
    expect(policy).toContain("default-src 'none'")
    expect(policy).toContain("frame-ancestors 'none'")
    expect(policy).toContain("form-action 'self' http://127.0.0.1:4711")
    expect(page.headers.get('cache-control')).toBe('no-store')
    expect(page.html).not.toContain('<script')
    expect(page.html).not.toContain('<client>')
  })

  it('say so when the password is wrong, keep the name and let the user try again', async () => {
    await page.submit({ name: 'alice', password: 'wrong', action: 'sign-in' })
    expect(page.status).toBe(401)
    expect(page.html).toMatch(/role="alert"[^>]*>Name or password is wrong/)
    expect(page.html).toContain('value="alice"')
    await page.submit({ name: 'Alice', password: alice.password, action: 'sign-in' })
    expect(page.html).toContain('Signed in as Alice')
  })

  it('name the client, where it lives, the resource and the scopes, and what the user may not grant', () => {
    expect(page.html).toContain('Allow Test &#60;client&#62; to act on your behalf?')
    expect(page.html).toContain('an application on this computer (127.0.0.1:4711)')
    expect(page.html).toContain(RESOURCE)
    expect(page.html).toContain('Use the tools, resources and prompts')
    expect(page.html).toMatch(/may not give away.*mcp:admin/s)
  })

  it('let another user sign in instead', async () => {
    await page.submit({ action: 'switch' })
    expect(page.html).toContain('name="password"')
    await page.submit({ name: 'bob', password: bob.password, action: 'sign-in' })
    expect(page.html).toContain('Signed in as Bob')
    expect(page.html).not.toContain('may not give away')
  })

  it('send a denial back to the client', async () => {
    await page.submit({ action: 'cancel' })
    expect(page.location?.searchParams.get('error')).toBe('access_denied')
    expect(page.location?.searchParams.get('state')).toBe('state')
  })

  it('show an error in a browser that the sign-in was not started in', async () => {
    const response = await fetch(`${server.issuer}/sign-in/somebody-elses`)
    expect(response.status).toBe(400)
    expect(await response.text()).toContain('started in another browser')
  })
})

describe('options of the authorization server', () => {
  let server: AuthorizationServer
  const start = async (options: AuthorizationServerOptions) => {
    server = await startAuthorizationServer({ resources: [RESOURCE], ...options })
    return server
  }
  afterEach(() => server.close())

  it.each(['PS256', 'ES256', 'EdDSA'] as const)('sign with %s', async (algorithm) => {
    await start({ algorithm, accessTokenSeconds: 7 })
    const body = await getToken(server, await register(server), alice)
    expect(body.expires_in).toBe(7)
    expect(decodeProtectedHeader(String(body.access_token))).toMatchObject({ alg: algorithm, typ: 'at+jwt' })
  })

  it('issue opaque tokens, which a registered resource server introspects', async () => {
    const clients = [
      {
        client_id: 'proxy',
        client_secret: 'proxy-secret',
        token_endpoint_auth_method: 'client_secret_basic' as const,
        redirect_uris: [],
        response_types: [],
        grant_types: [],
      },
    ]
    await start({ accessTokenFormat: 'opaque', clients })
    const clientId = await register(server)
    const token = String((await getToken(server, clientId, alice)).access_token)
    expect(token).not.toContain('.')
    const introspect = async () => {
      const headers = { authorization: `Basic ${btoa('proxy:proxy-secret')}` }
      const response = await fetch(`${server.issuer}/introspect`, {
        method: 'POST',
        headers,
        body: new URLSearchParams({ token }),
      })
      return (await response.json()) as Json
    }
    expect(await introspect()).toMatchObject({
      active: true,
      aud: RESOURCE,
      scope: 'mcp:tools',
      sub: 'alice',
      client_id: clientId,
    })
    await fetch(`${server.issuer}/revoke`, { method: 'POST', body: new URLSearchParams({ token, client_id: clientId }) })
    expect(await introspect()).toEqual({ active: false })
  })

  it('rotate keys while refresh tokens live on', async () => {
    await start({ algorithm: 'ES256' })
    const clientId = await register(server)
    const before = await getToken(server, clientId, alice)
    await server.rotateKeys({ dropOld: true })
    const after = await requestToken(server, {
      grant_type: 'refresh_token',
      client_id: clientId,
      refresh_token: String(before.refresh_token),
    })
    const keys = (await (await fetch(`${server.issuer}/jwks`)).json()) as { keys: { kid: string }[] }
    const { kid } = decodeProtectedHeader(String(after.body.access_token))
    expect(keys.keys.map((key) => key.kid)).toEqual([kid])
    expect(kid).not.toBe(decodeProtectedHeader(String(before.access_token)).kid)
  })

  it('approve at once for clients without a browser', async () => {
    await start({ approveAs: 'bob' })
    const body = await getToken(server, await register(server), alice)
    expect(decodeJwt(String(body.access_token))).toMatchObject({ sub: 'bob', scope: 'mcp:tools mcp:admin' })
  })

  it('know clients by the document that they publish, and refuse to fetch it from loopback unless told otherwise', async () => {
    const metadata = await startClientMetadataServer({ client_name: 'Published', redirect_uris: ['http://localhost/callback'] })
    await start({ fetchClientMetadata: metadata.fetch })
    const body = await getToken(server, metadata.clientId, alice, { redirect_uri: 'http://localhost:50123/callback' })
    expect(decodeJwt(String(body.access_token))).toMatchObject({ client_id: metadata.clientId })
    const careful = await startAuthorizationServer({ resources: [RESOURCE] })
    const { url } = authorize(careful, metadata.clientId, { redirect_uri: 'http://localhost:50123/callback' })
    await expect(signIn(url, alice)).rejects.toThrow('client_id metadata document fetch failed')
    expect(metadata.fetches()).toBe(1)
    await careful.close()
    await metadata.close()
  })
})

interface Browser {
  status: number
  html: string
  headers: Headers
  /** The last redirect that left the authorization server. */
  location: URL | undefined
  submit(form: Record<string, string>): Promise<void>
}

/** Follows redirects and keeps cookies, and leaves it to the test what to type. */
async function openBrowser(start: URL): Promise<Browser> {
  const cookies = new Map<string, string>()
  let current = start
  const go = async (url: URL, form?: Record<string, string>): Promise<void> => {
    const response = await fetch(url, {
      redirect: 'manual',
      headers: { cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join('; ') },
      ...(form && { method: 'POST', body: new URLSearchParams(form) }),
    })
    for (const [, name = '', value = ''] of response.headers
      .getSetCookie()
      .map((cookie) => /^([^=]+)=([^;]*)/.exec(cookie) ?? []))
      cookies.set(name, value)
    const location = response.headers.get('location')
    current = location === null ? url : new URL(location, url)
    if (location !== null && current.origin === start.origin) return go(current)
    browser.location = location === null ? undefined : current
    browser.status = response.status
    browser.headers = response.headers
    browser.html = await response.text()
  }
  const browser: Browser = {
    status: 0,
    html: '',
    headers: new Headers(),
    location: undefined,
    submit: (form) => go(current, form),
  }
  await go(start)
  return browser
}

// What an authorization request may say beside what it must, and what it gets where there are two servers.
import { decodeJwt, exportJWK, generateKeyPair, SignJWT } from 'jose'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { SAMPLE_USERS } from '../../src/sandbox/users.ts'
import { signInBrowser } from '../support/broker-browser.ts'
import {
  authorize,
  callMcp,
  createBrowser,
  createRawClient,
  createRequest,
  obtainTokens,
  openConsentPage,
  postForm,
  type RawClient,
  readJson,
  redeem,
  refresh,
} from '../support/broker-client.ts'
import { type BrokerStage, startBrokerStage } from '../support/broker-stage.ts'
import { findSecrets } from '../support/log.ts'

const [alice] = SAMPLE_USERS

let stage: BrokerStage
let origin: string
let client: RawClient
let first: string
let second: string

beforeAll(async () => {
  stage = await startBrokerStage({
    broker: { registration: { per_minute: 10_000 } },
    servers: (upstream) => [
      { name: 'first', path: '/first', upstream, scopes: ['mcp:tools'], rules: [{ tool: 'admin_*', scopes: ['mcp:admin'] }] },
      { name: 'second', path: '/second', upstream, scopes: ['mcp:tools'] },
    ],
  })
  origin = stage.proxy.origin
  first = `${origin}/first`
  second = `${origin}/second`
  client = await createRawClient(origin)
})
afterAll(() => stage?.close())

const ask = (changes: Record<string, string | undefined>, init: RequestInit = {}) =>
  fetch(createRequest(origin, client, { resource: first, ...changes }).url, { redirect: 'manual', ...init })

/** The error with which the browser is sent back to the client, which is told who says so (RFC 9207 §2). */
async function readRefusal(response: Response): Promise<string | null> {
  await response.body?.cancel()
  const location = new URL(response.headers.get('location') ?? '')
  const parameters = location.hash === '' ? location.searchParams : new URLSearchParams(location.hash.slice(1))
  expect([`${location.origin}${location.pathname}`, parameters.get('code'), parameters.get('iss')]).toEqual([
    client.redirectUri,
    null,
    origin,
  ])
  return parameters.get('error')
}

async function expectServing(): Promise<void> {
  const tokens = await obtainTokens(origin, client, alice, { resource: first })
  expect(await callMcp(first, tokens.access_token)).toBe(200)
  expect(findSecrets(stage.proxy.log.text(), [tokens.access_token, tokens.refresh_token])).toEqual([])
}

describe('an authorization request that wants another protocol', () => {
  it.each([
    ['a request object (RFC 9101 §5)', { request: 'eyJhbGciOiJub25lIn0.e30.' }, 'request_not_supported'],
    ['a request object to fetch (RFC 9101 §10.4)', { request_uri: 'https://localhost:1/request' }, 'request_uri_not_supported'],
    ['a request pushed before', { request_uri: 'urn:ietf:params:oauth:request_uri:x' }, 'request_uri_not_supported'],
    ['a registration in itself', { registration: '{}' }, 'registration_not_supported'],
    ['tokens in the address (RFC 9700 §2.1.2)', { response_type: 'token' }, 'unsupported_response_type'],
    ['a hybrid', { response_type: 'code id_token' }, 'unsupported_response_type'],
    ['nothing at all', { response_type: 'none' }, 'unsupported_response_type'],
    ['its answer in a form that a script sends', { response_mode: 'form_post' }, 'unsupported_response_mode'],
    ['its answer where scripts of the page read it', { response_mode: 'fragment' }, 'unsupported_response_mode'],
    ['its answer by a message between windows', { response_mode: 'web_message' }, 'unsupported_response_mode'],
    ['its answer in a token', { response_mode: 'jwt' }, 'unsupported_response_mode'],
    ['an answer without a page, of nobody', { prompt: 'none' }, 'login_required'],
    ['two contradictory prompts', { prompt: 'none login' }, 'invalid_request'],
    ['an account to be made', { prompt: 'create' }, 'invalid_request'],
  ])('is refused: %s', async (_name, changes, error) => {
    expect(await readRefusal(await ask(changes))).toBe(error)
    await expectServing()
  })

  it.each(['client_id', 'redirect_uri', 'response_type', 'state', 'scope', 'code_challenge', 'code_challenge_method'])(
    'is refused with two of %s (RFC 6749 §3.1), and nobody is sent where one of them says',
    async (name) => {
      const { url } = createRequest(origin, client, { resource: first })
      url.searchParams.append(name, 'https://evil.example/cb')
      const response = await fetch(url, { redirect: 'manual' })
      expect([303, 400, 401]).toContain(response.status)
      const location = response.headers.get('location')
      expect(location ?? '').not.toMatch(/evil|\/sign-in\//)
      if (location !== null) expect(new URL(location).searchParams.get('error')).toBe('invalid_request')
    },
  )

  it('may come as a form, and goes on as an address that a user can see (RFC 6749 §3.1)', async () => {
    const { url } = createRequest(origin, client, { resource: first })
    const response = await fetch(`${origin}/authorize`, { method: 'POST', body: url.searchParams, redirect: 'manual' })
    expect([response.status, response.headers.getSetCookie()]).toEqual([303, []])
    expect(new URL(response.headers.get('location') ?? '', origin).href).toBe(url.href)
    const both = await fetch(url, { method: 'POST', body: new URLSearchParams({ client_id: 'evil' }), redirect: 'manual' })
    const twice = await fetch(new URL(both.headers.get('location') ?? '', origin), { redirect: 'manual' })
    expect(twice.headers.get('location') ?? '').not.toContain('/sign-in/')
  })

  it.each([
    ['JSON', 'application/json', '{}'],
    ['text', 'text/plain', 'client_id=x'],
    ['long', 'application/x-www-form-urlencoded', `client_id=${'x'.repeat(9000)}`],
    ['longer', 'application/x-www-form-urlencoded', `client_id=${'x'.repeat(90_000)}`],
  ])('is refused when its body is %s', async (_name, type, body) => {
    const response = await fetch(`${origin}/authorize`, { method: 'POST', headers: { 'content-type': type }, body })
    expect([response.status, (await readJson(response)).error]).toEqual([400, 'invalid_request'])
  })

  it.each([
    ['PUT', '/authorize', 'GET, HEAD, POST'],
    ['POST', `/authorize/${'i'.repeat(21)}`, 'GET, HEAD'],
    ['GET', '/token', 'POST, OPTIONS'],
    ['DELETE', '/register', 'POST, OPTIONS'],
    ['GET', '/revoke', 'POST, OPTIONS'],
    ['GET', '/introspect', 'POST, OPTIONS'],
    ['POST', '/jwks', 'GET, HEAD, OPTIONS'],
    ['POST', '/.well-known/oauth-authorization-server', 'GET, HEAD, OPTIONS'],
  ])('is told 405 with Allow by %s %s (RFC 9110 §15.5.6)', async (method, path, allow) => {
    const response = await fetch(`${origin}${path}`, { method })
    expect([response.status, response.headers.get('allow')]).toEqual([405, allow])
  })

  it('is nothing that scripts of other pages send: its answers can be read by none (RFC 9700 §2.6)', async () => {
    const { url } = createRequest(origin, client, { resource: first })
    const page = { origin: 'https://page.example' }
    const asked = { ...page, 'access-control-request-method': 'GET' }
    const post = { method: 'POST', body: url.searchParams, headers: page }
    for (const init of [{ headers: page }, post, { method: 'OPTIONS', headers: asked }]) {
      const response = await fetch(init === post ? `${origin}/authorize` : url, { redirect: 'manual', ...init })
      await response.body?.cancel()
      expect([...response.headers.keys()].filter((name) => name.startsWith('access-control-'))).toEqual([])
    }
  })

  it.each(['', 'redirect_uri=https://client.example/cb', 'redirect_uri=https://evil.example/', 'state=x', 'request=x'])(
    'is none on the way back from the consent, whatever the address says: %s',
    async (more) => {
      const url = `${origin}/authorize/${'i'.repeat(21)}?client_id=${client.id}&${more}`
      const response = await fetch(url, { redirect: 'manual' })
      expect([response.status, response.headers.get('location')]).toEqual([400, null])
      await response.body?.cancel()
    },
  )

  it.each(['__proto__', 'constructor', 'toString', '../clients', '%00', "' OR 1=1 --", 'x'.repeat(8000), '\u0000'])(
    'leads nowhere for a client id that is none: %#',
    async (id) => {
      const response = await ask({ client_id: id })
      expect([400, 401]).toContain(response.status)
      expect(response.headers.get('location')).toBeNull()
      await response.body?.cancel()
    },
  )
})

describe('hints', () => {
  const nonsense = '"><script>alert(1)</script>\r\nx: y'

  it('are neither shown nor passed on to the identity provider', async () => {
    const hints = { scope: 'openid mcp:tools', login_hint: nonsense, ui_locales: nonsense, display: 'popup', nonce: nonsense }
    const browser = createBrowser()
    const page = await openConsentPage(browser, createRequest(origin, client, { resource: first, ...hints }).url)
    expect(page.html).toContain('Allow Raw client')
    expect(page.html).not.toContain('alert(1)')
    const { redirect } = await authorize(origin, client, alice, { resource: first, ...hints })
    expect(redirect.searchParams.get('code')).not.toBeNull()
    expect([...redirect.searchParams.keys()].sort()).toEqual(['code', 'iss', 'state'])
  })
})

describe('the metadata', () => {
  it('names nothing that is not there (RFC 8414 §2)', async () => {
    const document = (await (await fetch(`${origin}/.well-known/oauth-authorization-server`)).json()) as Record<string, unknown>
    const endpoints = Object.entries(document).filter(([name]) => name.endsWith('_endpoint') || name === 'jwks_uri')
    expect(endpoints.length).toBeGreaterThan(5)
    for (const [name, url] of endpoints) {
      const answer = await fetch(String(url), {
        method: name === 'authorization_endpoint' || name === 'jwks_uri' ? 'GET' : 'POST',
      })
      await answer.body?.cancel()
      expect([name, answer.status]).not.toEqual([name, 404])
    }
    expect(document.response_modes_supported).toEqual(['query'])
    // RFC 8414 §3.2: an empty list is left out.
    expect(Object.entries(document).filter(([, value]) => Array.isArray(value) && value.length === 0)).toEqual([])
    // Tokens that are bound to a key are refused at the servers: who asks for one would get nothing that works.
    expect(document).not.toHaveProperty('dpop_signing_alg_values_supported')
    expect(document).not.toHaveProperty('pushed_authorization_request_endpoint')
    expect(document).not.toHaveProperty('end_session_endpoint')
    expect(document).not.toHaveProperty('userinfo_endpoint')
  })

  it('is believed: a client that proves a key anyway gets a token that works (RFC 9449 §5)', async () => {
    const { privateKey, publicKey } = await generateKeyPair('ES256')
    const proof = await new SignJWT({ htm: 'POST', htu: `${origin}/token`, jti: crypto.randomUUID() })
      .setProtectedHeader({ typ: 'dpop+jwt', alg: 'ES256', jwk: await exportJWK(publicKey) })
      .setIssuedAt()
      .sign(privateKey)
    const { code, verifier } = await authorize(origin, client, alice, { resource: first })
    const form = { grant_type: 'authorization_code', client_id: client.id, redirect_uri: client.redirectUri, code }
    const response = await postForm(`${origin}/token`, { ...form, code_verifier: verifier }, { dpop: proof })
    const tokens = await readJson(response)
    expect([response.status, tokens.token_type]).toEqual([200, 'Bearer'])
    expect(await callMcp(first, tokens.access_token)).toBe(200)
  })
})

describe('tokens where there are two servers', () => {
  it('are for the one that was named, and of no use at the other (RFC 8707 §2, RFC 9068 §4)', async () => {
    const tokens = await obtainTokens(origin, client, alice, { resource: first })
    expect(decodeJwt(tokens.access_token).aud).toBe(first)
    expect(await callMcp(first, tokens.access_token)).toBe(200)
    expect(await callMcp(second, tokens.access_token)).toBe(401)
  })

  it('stay for that one when they are refreshed, whatever the refresh names (RFC 8707 §2.2)', async () => {
    const tokens = await obtainTokens(origin, client, alice, { resource: first })
    const other = await refresh(origin, client, tokens.refresh_token, { resource: second })
    expect([other.status, await readJson(other)]).toMatchObject([400, { error: 'invalid_target' }])
    const fresh = await readJson(await refresh(origin, client, tokens.refresh_token))
    expect(decodeJwt(fresh.access_token).aud).toBe(first)
    expect(await callMcp(second, fresh.access_token)).toBe(401)
  })

  it('are refused for a code of the other, which is not used up by that (RFC 8707 §2.2)', async () => {
    const code = await authorize(origin, client, alice, { resource: first })
    const wrong = await redeem(origin, client, code, { resource: second })
    expect([wrong.status, await readJson(wrong)]).toMatchObject([400, { error: 'invalid_target' }])
    expect((await redeem(origin, client, code, { resource: first })).status).toBe(200)
  })

  it('are refused for both at once, also where we know both: which one it is for must be plain (RFC 8707 §2)', async () => {
    const { url } = createRequest(origin, client, { resource: first })
    url.searchParams.append('resource', second)
    expect(await readRefusal(await fetch(url, { redirect: 'manual' }))).toBe('invalid_target')
    const code = await authorize(origin, client, alice, { resource: first })
    const form = new URLSearchParams({
      grant_type: 'authorization_code',
      client_id: client.id,
      redirect_uri: client.redirectUri,
      code: code.code,
      code_verifier: code.verifier,
    })
    for (const resource of [first, second]) form.append('resource', resource)
    const response = await fetch(`${origin}/token`, { method: 'POST', body: form })
    expect([response.status, await readJson(response)]).toMatchObject([400, { error: 'invalid_target' }])
  })

  it('are refused where none is named: it could be either (RFC 8707 §2)', async () => {
    expect(await readRefusal(await ask({ resource: undefined }))).toBe('invalid_target')
  })

  it('have no scopes of the other: those that it does not know are left out (RFC 6749 §3.3)', async () => {
    const [, bob] = SAMPLE_USERS
    const tokens = await obtainTokens(origin, client, bob, { resource: second, scope: 'mcp:tools mcp:admin' })
    expect(tokens.scope).toBe('mcp:tools')
  })

  it('are asked about by their own client alone, whichever server they are for (RFC 7662 §4)', async () => {
    const confidential = await createRawClient(origin, { token_endpoint_auth_method: 'client_secret_post' })
    const secret = { client_id: confidential.id, client_secret: confidential.secret }
    const tokens = await obtainTokens(origin, client, alice, { resource: second })
    for (const token of [tokens.access_token, tokens.refresh_token])
      expect(await readJson(await postForm(`${origin}/introspect`, { token, ...secret }))).toEqual({ active: false })
  })

  it('are no ID tokens: what identifies a user opens nothing (RFC 8725 §3.11, RFC 9068 §5)', async () => {
    const tokens = (await obtainTokens(origin, client, alice, { resource: first, scope: 'openid mcp:tools' })) as unknown as {
      id_token: string
    }
    expect(decodeJwt(tokens.id_token).aud).toBe(client.id)
    for (const server of [first, second]) expect(await callMcp(server, tokens.id_token)).toBe(401)
  })
})

describe('what a user allowed at one server', () => {
  it('is asked for again at the other, in the same browser by the same client', async () => {
    const fresh = await createRawClient(origin)
    const browser = await signInBrowser(createRequest(origin, fresh, { resource: first }).url, alice)
    const again = await browser.open(createRequest(origin, fresh, { resource: first }).url)
    expect(new URL(again.headers.get('location') ?? '').searchParams.get('code')).not.toBeNull()
    const other = await browser.open(createRequest(origin, fresh, { resource: second }).url)
    expect(other.headers.get('location')).toContain('/sign-in/')
  })
})

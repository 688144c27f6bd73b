// OpenID Connect Back-Channel Logout 1.0: what an issuer says of users who logged out holds at once, and nothing else is taken for it.
import { randomUUID } from 'node:crypto'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import { Provider } from 'oidc-provider'
import { afterEach, describe, expect, it } from 'vitest'
import { callMcp, readJson, refresh } from '../support/broker-client.ts'
import { SUBJECT, VENDOR_CLIENT, type Vendor } from '../support/identity-profiles/vendor.ts'
import { startTestProxy } from '../support/proxy.ts'
import { startRecordingUpstream } from '../support/recording-upstream.ts'
import { startIssuer, type TestIssuer } from '../support/tokens.ts'
import { signInAtVendor } from '../support/vendor-sign-in.ts'
import { OIDC_VENDOR, startVendorStage } from '../support/vendor-stage.ts'

const open: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close()
})

const now = () => Math.floor(Date.now() / 1000)
const EVENTS = { 'http://schemas.openid.net/event/backchannel-logout': {} }
const PATH = '/oauth/backchannel-logout'

async function startProxy(issuers: (object | string)[], ofOther?: object[]) {
  const upstream = await startRecordingUpstream()
  const proxy = await startTestProxy({
    issuers: issuers as never,
    servers: [
      { path: '/mcp', upstream: `${upstream.origin}/mcp` },
      ...(ofOther ? [{ path: '/other', upstream: `${upstream.origin}/mcp`, issuers: ofOther as never }] : []),
    ],
  })
  open.push(upstream.close, () => proxy.close())
  const call = async (token: string): Promise<number> => {
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
    const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list' })
    const answer = await fetch(`${proxy.origin}/mcp`, { method: 'POST', headers, body })
    await answer.arrayBuffer()
    return answer.status
  }
  const logOut = async (...tokens: string[]): Promise<number> => {
    const body = new URLSearchParams(tokens.map((token): [string, string] => ['logout_token', token]))
    const answer = await fetch(`${proxy.origin}${PATH}`, { method: 'POST', body })
    expect(answer.headers.get('cache-control')).toContain('no-store')
    return answer.status
  }
  return { proxy, call, logOut }
}

async function start() {
  const issuer = await startIssuer()
  open.push(issuer.close)
  const stage = await startProxy([{ issuer: issuer.issuer, backchannel_logout: { client_ids: ['mcp-client'] } }])
  const mint = (claims: object) => issuer.mint({ claims: { aud: `${stage.proxy.origin}/mcp`, iat: now(), ...claims } })
  return { ...stage, issuer, mint }
}

/** A right logout token, but for what is told. */
function mintLogout(issuer: TestIssuer, claims: object = {}, header: object = {}): Promise<string> {
  const usual = { aud: 'mcp-client', sub: 'alice', jti: randomUUID(), iat: now(), exp: now() + 120, events: EVENTS }
  const absent = { client_id: undefined, scope: undefined, nbf: undefined }
  return issuer.mint({ claims: { ...absent, ...usual, ...claims }, header: { typ: 'logout+jwt', ...header } })
}

describe('a logout token', () => {
  it.each([
    ['of a user', { sub: 'alice' }, { sub: 'alice' }],
    ['of a session', { sub: undefined, sid: 's-1' }, { sub: 'alice', sid: 's-1' }],
    ['without an end of its own', { exp: undefined }, { sub: 'alice' }],
    ['as Keycloak writes it', { typ: 'Logout', sid: 's-1' }, { sub: 'alice' }],
    ['for several clients', { aud: ['other', 'mcp-client'] }, { sub: 'alice' }],
  ])('%s has the tokens refused, and no others', async (_name, claims, of) => {
    const { issuer, call, mint, logOut } = await start()
    const [own, other] = await Promise.all([mint(of), mint({ sub: 'bob', sid: 's-2' })])
    expect([await call(own), await call(other)]).toEqual([200, 200])
    expect(await logOut(await mintLogout(issuer, claims))).toBe(200)
    expect([await call(own), await call(other)]).toEqual([401, 200])
    expect(await call(await mint({ sub: 'alice', iat: now() + 2, sid: 's-3' }))).toBe(200)
  })

  it.each<[string, object, object?]>([
    ['for another client', { aud: 'another-client' }],
    ['for no client', { aud: undefined }],
    ['of another issuer', { iss: 'https://elsewhere.example.com' }],
    ['that is an ID token', { events: undefined, nonce: 'n' }, { typ: 'JWT' }],
    ['that is an access token', { events: undefined }, { typ: 'at+jwt' }],
    ['with the type of an access token', {}, { typ: 'at+jwt' }],
    ['with a nonce', { nonce: 'n' }],
    ['that calls itself an ID token', { typ: 'ID' }],
    ['of another event', { events: { 'https://schemas.openid.net/secevent/risc/event-type/account-disabled': {} } }],
    ['whose event is no object', { events: { 'http://schemas.openid.net/event/backchannel-logout': true } }],
    ['whose events are a list', { events: Object.keys(EVENTS) }],
    ['of no user', { sub: undefined }],
    ['of an empty user', { sub: '' }],
    ['of a user that is no text', { sub: ['alice'] }],
    ['without jti', { jti: undefined }],
    ['without iat', { iat: undefined }],
    ['of the future', { iat: now() + 3600, exp: now() + 7200 }],
    ['that has expired', { exp: now() - 120 }],
    ['that is old, whatever its exp', { iat: now() - 3600, exp: now() + 3600 }],
    ['that is old and has no exp', { iat: now() - 3600, exp: undefined }],
  ])('%s is refused, and nothing ends', async (_name, claims, header) => {
    const { issuer, call, mint, logOut, proxy } = await start()
    const token = await mint({ sub: 'alice' })
    expect(await logOut(await mintLogout(issuer, claims, header))).toBe(400)
    expect(await call(token)).toBe(200)
    expect(proxy.log.text()).toContain('"code":"logout_refused"')
  })

  it('is refused unless its issuer signed it', async () => {
    const { issuer, call, mint, logOut } = await start()
    const token = await mint({ sub: 'alice' })
    const right = await mintLogout(issuer)
    const [header = '', payload = '', signature = ''] = right.split('.')
    const none = Buffer.from(JSON.stringify({ alg: 'none', typ: 'logout+jwt' })).toString('base64url')
    const stranger = await startIssuer()
    open.push(stranger.close)
    const forged = await mintLogout(stranger, { iss: issuer.issuer }, { kid: issuer.signingKey.kid })
    for (const wrong of [`${none}.${payload}.`, `${header}.${payload}.${signature.slice(0, -4)}AAAA`, forged, 'x', 'a.b.c', ''])
      expect([wrong.slice(0, 20), await logOut(wrong)]).toEqual([wrong.slice(0, 20), 400])
    expect(await call(token)).toBe(200)
  })

  it('is no access token', async () => {
    const { issuer, call, proxy } = await start()
    for (const typ of ['logout+jwt', 'JWT', 'at+jwt'])
      expect(await call(await mintLogout(issuer, { aud: `${proxy.origin}/mcp` }, { typ }))).toBe(401)
  })

  it('counts once: sent again it would end a later sign-in', async () => {
    const { issuer, logOut, proxy } = await start()
    const logout = await mintLogout(issuer)
    expect([await logOut(logout), await logOut(logout)]).toEqual([200, 200])
    expect(proxy.events.filter(({ kind }) => kind === 'token_revoked')).toHaveLength(1)
    expect(await logOut(await mintLogout(issuer))).toBe(200)
    expect(proxy.events.filter(({ kind }) => kind === 'token_revoked')).toHaveLength(2)
  })

  it('is posted once, as a form', async () => {
    const { issuer, logOut, proxy } = await start()
    const token = await mintLogout(issuer)
    expect(await logOut(token, token)).toBe(400)
    expect(await logOut()).toBe(400)
    expect((await fetch(`${proxy.origin}${PATH}?logout_token=${token}`)).status).toBe(405)
    const json = {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ logout_token: token }),
    }
    expect((await fetch(`${proxy.origin}${PATH}`, json)).status).toBe(400)
  })

  it('may be for the client of any server that names the issuer', async () => {
    const issuer = await startIssuer()
    open.push(issuer.close)
    const name = (client: string) => [{ issuer: issuer.issuer, backchannel_logout: { client_ids: [client] } }]
    const { logOut } = await startProxy(name('mcp-client'), name('other-client'))
    for (const aud of ['mcp-client', 'other-client'])
      expect([aud, await logOut(await mintLogout(issuer, { aud }))]).toEqual([aud, 200])
    expect(await logOut(await mintLogout(issuer, { aud: 'third-client' }))).toBe(400)
  })

  it('has no path where no issuer is configured for it', async () => {
    const issuer = await startIssuer()
    open.push(issuer.close)
    const { proxy } = await startProxy([issuer.issuer])
    expect((await fetch(`${proxy.origin}${PATH}`, { method: 'POST' })).status).toBe(404)
  })
})

describe('a logout token of the identity provider of the broker', () => {
  async function startSignedIn() {
    const vendor: Vendor = { ...OIDC_VENDOR, idToken: () => ({ sid: 'session-1' }) }
    const stage = await startVendorStage({ vendor })
    open.push(() => stage.close())
    const { origin, client, profile, url } = stage
    const tokens = await signInAtVendor(origin, client)
    expect(await callMcp(url, tokens.access_token)).toBe(200)
    const logOut = async (claims: object): Promise<number> => {
      const usual = {
        iss: profile.issuer,
        aud: VENDOR_CLIENT.id,
        jti: randomUUID(),
        iat: now(),
        exp: now() + 120,
        events: EVENTS,
      }
      const body = new URLSearchParams({ logout_token: await profile.sign({ ...usual, ...claims }) })
      return (await fetch(`${origin}${PATH}`, { method: 'POST', body })).status
    }
    return { origin, client, url, tokens, logOut }
  }

  it.each([
    ['the user', { sub: SUBJECT }],
    ['the session', { sid: 'session-1' }],
    ['both', { sub: SUBJECT, sid: 'session-1' }],
  ])('that names %s ends what the user has here', async (_name, claims) => {
    const { origin, client, url, tokens, logOut } = await startSignedIn()
    expect(await logOut(claims)).toBe(200)
    expect(await callMcp(url, tokens.access_token)).toBe(401)
    expect(await readJson(await refresh(origin, client, tokens.refresh_token))).toMatchObject({ error: 'invalid_grant' })
  })

  it.each([
    ['another user', { sub: 'someone-else' }, 200],
    ['another session', { sid: 'session-2' }, 200],
    ['another client', { sub: SUBJECT, aud: 'another-client' }, 400],
  ])('that is about %s ends nothing', async (_name, claims, status) => {
    const { origin, client, url, tokens, logOut } = await startSignedIn()
    expect(await logOut(claims)).toBe(status)
    expect(await callMcp(url, tokens.access_token)).toBe(200)
    expect((await refresh(origin, client, tokens.refresh_token)).status).toBe(200)
  })
})

describe('oidc-provider', () => {
  it('logs a user out, whose tokens are refused then', async () => {
    const { privateKey } = await generateKeyPair('ES256', { extractable: true })
    const jwk = { ...(await exportJWK(privateKey)), kid: 'key', alg: 'ES256', use: 'sig' }
    const server: Server = createServer((request, response) => void provider.callback()(request, response))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    open.push(async () => void server.close())
    const iss = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    const { proxy, call } = await startProxy([{ issuer: iss, backchannel_logout: { client_ids: ['mcp-client'] } }])
    const provider = new Provider(iss, {
      jwks: { keys: [jwk] },
      // The library sends nothing to this machine.
      fetch: (url, init) => fetch(url, Object.fromEntries(Object.entries(init ?? {}).filter(([name]) => name !== 'dispatcher'))),
      features: { backchannelLogout: { enabled: true } },
      enabledJWA: { idTokenSigningAlgValues: ['ES256'] },
      clients: [
        {
          client_id: 'mcp-client',
          redirect_uris: ['http://localhost/cb'],
          token_endpoint_auth_method: 'none',
          id_token_signed_response_alg: 'ES256',
          backchannel_logout_uri: `${proxy.origin}${PATH}`,
        },
      ],
    })
    const token = await new SignJWT({ sub: 'alice', client_id: 'mcp-client', jti: 'x', aud: `${proxy.origin}/mcp` })
      .setProtectedHeader({ alg: 'ES256', kid: 'key', typ: 'at+jwt' })
      .setIssuer(iss)
      .setIssuedAt()
      .setExpirationTime('1h')
      .sign(privateKey)
    expect(await call(token)).toBe(200)
    const client = (await provider.Client.find('mcp-client')) as unknown as {
      backchannelLogout(sub: string, sid: string): Promise<void>
    }
    await client.backchannelLogout('alice', 'session-1')
    expect(await call(token)).toBe(401)
  })
})

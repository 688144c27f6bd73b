import { generateKeyPairSync } from 'node:crypto'
import type { ServerResponse } from 'node:http'
import { decodeJwt } from 'jose'
import { afterEach, describe, expect, it } from 'vitest'
import { SAMPLE_USERS } from '../src/sandbox/users.ts'
import { createRawClient, obtainTokens } from './support/broker-client.ts'
import { startBrokerStage } from './support/broker-stage.ts'
import { createRequest, sendMcp } from './support/mcp-requests.ts'
import { startTestProxy } from './support/proxy.ts'
import { answerJson, startRecordingUpstream } from './support/recording-upstream.ts'
import { type AnswerTokens, issueToken, refuseToken, startTokenServer } from './support/token-server.ts'
import { startIssuer } from './support/tokens.ts'

const [alice] = SAMPLE_USERS
const open: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close()
})

const GRANT = 'urn:ietf:params:oauth:grant-type:'
const TYPE = 'urn:ietf:params:oauth:token-type:'
const SECRET = 'secret-of-the-proxy-at-the-token-server'

async function start(credential: Record<string, unknown> = { kind: 'token_exchange' }) {
  const [issuer, server, upstream] = await Promise.all([startIssuer(), startTokenServer(), startRecordingUpstream()])
  const client = { issuer: server.issuer, client_id: 'the-proxy', client_secret: { env: 'CLIENT_SECRET' } }
  const proxy = await startTestProxy(
    {
      issuers: [issuer.issuer],
      servers: [
        { name: 'files', path: '/mcp', upstream: `${upstream.origin}/mcp`, credential: { ...client, ...credential } as never },
      ],
    },
    { CLIENT_SECRET: SECRET },
  )
  open.push(upstream.close, server.close, issuer.close, () => proxy.close())
  const mint = (claims: Record<string, unknown> = {}) =>
    issuer.mint({ claims: { aud: `${proxy.origin}/mcp`, sub: 'alice', ...claims } })
  const call = (user: string) => sendMcp(`${proxy.origin}/mcp`, { user, body: createRequest('ping', {}, 7) })
  const shown = () => upstream.requests.map(({ headers }) => headers.authorization)
  return { proxy, issuer, server, upstream, mint, call, shown }
}

describe('an MCP server with `credential: { kind: token_exchange }`', () => {
  it('gets a token that was issued in exchange for that of the caller (RFC 8693 §2.1), never the caller’s', async () => {
    const { mint, call, server, shown } = await start({
      kind: 'token_exchange',
      audience: ['files', 'archive'],
      resource: ['https://files.example.com/mcp'],
      scopes: ['files:read', 'files:write'],
    })
    const token = await mint()
    expect((await call(token)).status).toBe(200)
    expect(shown()).toEqual(['Bearer issued-1'])
    expect([...(server.requests[0]?.form ?? [])]).toEqual([
      ['grant_type', `${GRANT}token-exchange`],
      ['subject_token', token],
      ['subject_token_type', `${TYPE}access_token`],
      ['requested_token_type', `${TYPE}access_token`],
      ['audience', 'files'],
      ['audience', 'archive'],
      ['resource', 'https://files.example.com/mcp'],
      ['scope', 'files:read files:write'],
    ])
    const basic = Buffer.from(`the-proxy:${SECRET}`).toString('base64')
    expect(server.requests[0]?.headers.authorization).toBe(`Basic ${basic}`)
  })

  it('asks the issuer of the callers where no other is named', async () => {
    const { mint, call, issuer, proxy } = await start({ kind: 'token_exchange', issuer: undefined })
    expect((await call(await mint())).status).toBe(503)
    expect(issuer.requests).toContain('/token')
    expect(proxy.log.text()).toContain(`${new URL(issuer.issuer).host}/token: status 404`)
  })

  it('asks once for calls of one user, however many, and again for another one', async () => {
    const { mint, call, server, shown } = await start()
    const [alice, bob] = await Promise.all([mint(), mint({ sub: 'bob' })])
    const all = await Promise.all([alice, alice, bob, alice, bob, alice].map(call))
    expect(all.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200, 200])
    await call(alice)
    expect(server.requests).toHaveLength(2)
    const tokens = server.requests.map(({ form }) => form.get('subject_token'))
    expect(shown().toSorted()).toEqual(
      [...Array(5).fill(tokens.indexOf(alice)), ...Array(2).fill(tokens.indexOf(bob))]
        .map((at) => `Bearer issued-${at + 1}`)
        .toSorted(),
    )
  })

  it('uses what it has for a fresh token with the same claims, and asks anew for one that may do something else', async () => {
    const { mint, call, server } = await start()
    await call(await mint({ scope: 'a b', jti: '1' }))
    await call(await mint({ scope: 'a b', jti: '2', exp: Math.floor(Date.now() / 1000) + 900 }))
    expect(server.requests).toHaveLength(1)
    for (const claims of [{ scope: 'a' }, { scope: 'a b', acr: 'high' }, { scope: 'a b', client_id: 'other' }])
      await call(await mint(claims))
    expect(server.requests).toHaveLength(4)
  })

  it.each([
    ['says that it is over at once', { expires_in: 0 }],
    ['says so in a text', { expires_in: '0' }],
  ])('asks for each call where the authorization server %s', async (_, more) => {
    const { mint, call, server } = await start()
    server.answerWith(() => issueToken('short', more))
    const token = await mint()
    await call(token)
    await call(token)
    expect(server.requests).toHaveLength(2)
  })

  it('tells the audit who got a token for whom', async () => {
    const { mint, call, server, issuer, proxy } = await start()
    await call(await mint({ client_id: 'editor' }))
    server.answerWith((_, response) => refuseToken(response, 'access_denied'))
    await call(await mint({ sub: 'bob', client_id: 'editor' }))
    const common = { kind: 'upstream_token_issued', server: 'files', issuer: issuer.issuer, clientId: 'editor' }
    const detail = `token_exchange at ${server.issuer}`
    expect(proxy.events.filter(({ kind }) => kind === 'upstream_token_issued')).toEqual([
      { ...common, outcome: 'success', subject: 'alice', detail },
      { ...common, outcome: 'upstream_token_refused', subject: 'bob', detail },
    ])
  })

  it('fetches another token after the MCP server has refused one', async () => {
    const { mint, call, shown, upstream } = await start()
    const token = await mint()
    upstream.answerWith((_, response) => void response.writeHead(401, { 'www-authenticate': 'Bearer' }).end())
    const refused = await call(token)
    expect([refused.status, refused.headers.get('www-authenticate')]).toEqual([502, null])
    upstream.answerWith(answerJson({ jsonrpc: '2.0', id: 7, result: {} }))
    expect((await call(token)).status).toBe(200)
    expect(shown()).toEqual(['Bearer issued-1', 'Bearer issued-2'])
  })
})

describe('a client of the proxy', () => {
  it('authenticates with a signed assertion that is good at this authorization server alone (RFC 7523 §2.2)', async () => {
    const [server, issuer, upstream] = await Promise.all([startTokenServer(), startIssuer(), startRecordingUpstream()])
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
    const credential = {
      kind: 'client_credentials' as const,
      issuer: server.issuer,
      client_id: 'the-proxy',
      client_authentication: 'private_key_jwt' as const,
      private_key: { env: 'CLIENT_KEY' },
      key_id: 'k1',
      scopes: ['files'],
    }
    const servers = [{ path: '/mcp', upstream: `${upstream.origin}/mcp`, credential }]
    const proxy = await startTestProxy({ issuers: [issuer.issuer], servers }, { CLIENT_KEY: pem })
    open.push(server.close, issuer.close, upstream.close, () => proxy.close())
    for (const sub of ['alice', 'bob']) {
      const user = await issuer.mint({ claims: { aud: `${proxy.origin}/mcp`, sub } })
      expect((await sendMcp(`${proxy.origin}/mcp`, { user, body: createRequest('ping', {}, 1) })).status).toBe(200)
    }
    expect(server.requests).toHaveLength(1)
    const { client_assertion: assertion, ...form } = Object.fromEntries(server.requests[0]?.form ?? [])
    expect(form).toEqual({
      grant_type: 'client_credentials',
      scope: 'files',
      client_id: 'the-proxy',
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    })
    expect(decodeJwt(assertion ?? '')).toMatchObject({ iss: 'the-proxy', sub: 'the-proxy', aud: server.issuer })
  })
})

describe('`on_behalf_of`', () => {
  it('sends what Entra ID documents', async () => {
    const { mint, call, server, shown } = await start({
      kind: 'on_behalf_of',
      scopes: ['api://files/.default'],
      client_authentication: 'client_secret_post',
    })
    server.answerWith(() => ({
      access_token: 'for-files',
      token_type: 'Bearer',
      scope: 'api://files/.default',
      expires_in: 3599,
      ext_expires_in: 3599,
    }))
    const token = await mint()
    expect((await call(token)).status).toBe(200)
    expect(Object.fromEntries(server.requests[0]?.form ?? [])).toEqual({
      grant_type: `${GRANT}jwt-bearer`,
      assertion: token,
      requested_token_use: 'on_behalf_of',
      scope: 'api://files/.default',
      client_id: 'the-proxy',
      client_secret: SECRET,
    })
    expect(shown()).toEqual(['Bearer for-files'])
  })

  it.each([
    ['consent_required', 403, 'interaction_required'],
    ['basic_action', 403, 'interaction_required'],
    ['bad_token', 401, 'delegation_refused'],
    [undefined, 401, 'delegation_refused'],
  ])('understands invalid_grant with the suberror %s', async (suberror, status, reason) => {
    const { mint, call, server, proxy } = await start({ kind: 'on_behalf_of', scopes: ['x'] })
    const description = 'AADSTS65001: The user or administrator has not consented to use the application.'
    server.answerWith((_, response) => refuseToken(response, 'invalid_grant', { suberror, error_description: description }))
    expect((await call(await mint())).status).toBe(status)
    expect(proxy.log.text()).toContain(`"reason":"${reason}"`)
    expect(proxy.log.text()).toContain('AADSTS65001')
  })
})

describe('`identity_assertion`', () => {
  it('gets an assertion of the identity provider, and with it a token of the MCP server’s authorization server', async () => {
    const provider = await startTokenServer()
    open.push(provider.close)
    const { mint, call, server, shown, upstream } = await start({
      kind: 'identity_assertion',
      scopes: ['files:read'],
      subject_token_type: 'access_token',
      identity_provider: { issuer: provider.issuer, client_id: 'at-provider', client_secret: { env: 'CLIENT_SECRET' } },
    })
    provider.answerWith(() =>
      issueToken('the-assertion', { token_type: 'N_A', issued_token_type: `${TYPE}id-jag`, expires_in: 300 }),
    )
    const token = await mint()
    expect((await call(token)).status).toBe(200)
    expect(Object.fromEntries(provider.requests[0]?.form ?? [])).toEqual({
      grant_type: `${GRANT}token-exchange`,
      subject_token: token,
      subject_token_type: `${TYPE}access_token`,
      requested_token_type: `${TYPE}id-jag`,
      audience: server.issuer,
      resource: `${upstream.origin}/mcp`,
      scope: 'files:read',
    })
    expect(Object.fromEntries(server.requests[0]?.form ?? [])).toEqual({
      grant_type: `${GRANT}jwt-bearer`,
      assertion: 'the-assertion',
      resource: `${upstream.origin}/mcp`,
      scope: 'files:read',
    })
    expect(shown()).toEqual(['Bearer issued-1'])
  })

  it.each([
    ['an access token', { issued_token_type: `${TYPE}access_token`, token_type: 'N_A' }],
    ['a bearer token', { issued_token_type: `${TYPE}id-jag`, token_type: 'Bearer' }],
    ['something it does not name', { issued_token_type: undefined, token_type: 'N_A' }],
  ])('keeps to itself %s that came in the place of an assertion', async (_, more) => {
    const provider = await startTokenServer()
    open.push(provider.close)
    const identityProvider = { issuer: provider.issuer, client_id: 'at-provider', client_secret: { env: 'CLIENT_SECRET' } }
    const { mint, call, server, upstream } = await start({
      kind: 'identity_assertion',
      subject_token_type: 'access_token',
      identity_provider: identityProvider,
    })
    provider.answerWith(() => issueToken('not-an-assertion', more))
    expect((await call(await mint())).status).toBe(503)
    expect([server.requests.length, upstream.requests.length]).toEqual([0, 0])
  })
})

describe('an authorization server', () => {
  const html = (_: unknown, response: ServerResponse) =>
    response.writeHead(200, { 'content-type': 'text/html' }).end('<h1>Sign in</h1>')
  it.each<[string, AnswerTokens]>([
    ['answers 500', (_, response) => response.writeHead(500).end()],
    ['answers with a page', html],
    ['answers 400 without an error', (_, response) => refuseToken(response, '')],
    ['redirects', (_, response) => response.writeHead(302, { location: 'https://elsewhere.example.com/token' }).end()],
    ['cuts the connection', (_, response) => response.destroy()],
    ['gives no token', () => issueToken('x', { access_token: undefined })],
    ['gives a token that breaks the header', () => issueToken('a\r\nx-admin: 1')],
    ['gives an empty token', () => issueToken('')],
    ['gives a token of another kind', () => issueToken('x', { token_type: 'DPoP' })],
    ['gives a refresh token', () => issueToken('x', { issued_token_type: `${TYPE}refresh_token` })],
    ['says nonsense of its end', () => issueToken('x', { expires_in: 'soon' })],
    ['is out of order for now', (_, response) => refuseToken(response, 'temporarily_unavailable', {}, 400)],
    ['has too much to do', (_, response) => refuseToken(response, 'slow_down', {}, 429)],
  ])('that %s is no fault of the caller: 503, and the call goes nowhere', async (_, answer) => {
    const { mint, call, server, upstream } = await start()
    server.answerWith(answer)
    const token = await mint()
    const response = await call(token)
    expect([response.status, response.headers.get('retry-after')]).toEqual([503, '5'])
    expect(await response.json()).toMatchObject({ id: 7, error: { data: { error: 'upstream_token_unavailable' } } })
    server.answerWith(() => issueToken('good'))
    expect((await call(token)).status).toBe(200)
    expect(upstream.requests.map(({ headers }) => headers.authorization)).toEqual(['Bearer good'])
  })

  it.each(['invalid_client', 'unauthorized_client', 'unsupported_grant_type', 'invalid_scope', 'invalid_target', 'whatever'])(
    'that answers %s shows a mistake of the configuration: 502, which no sign-in would mend',
    async (error) => {
      const { mint, call, server, proxy } = await start()
      server.answerWith((_, response) => refuseToken(response, error, { error_description: 'ask your administrator' }, 401))
      const response = await call(await mint())
      expect([response.status, response.headers.get('www-authenticate')]).toEqual([502, null])
      expect(await response.text()).not.toContain('ask your administrator')
      expect(proxy.log.text()).toContain(`${error}: ask your administrator`)
    },
  )

  it.each(['access_denied', 'interaction_required', 'login_required', 'consent_required'])(
    'that answers %s forbids the call: no challenge, so no client loops',
    async (error) => {
      const { mint, call, server } = await start()
      server.answerWith((_, response) => refuseToken(response, error))
      const response = await call(await mint())
      expect([response.status, response.headers.get('www-authenticate')]).toEqual([403, null])
      expect(await response.json()).toMatchObject({ id: 7, error: { data: { error: 'upstream_token_refused' } } })
    },
  )

  it.each(['invalid_grant', 'invalid_request', 'invalid_token'])(
    'that answers %s has the caller sign in again, once: a new token that it refuses as well is forbidden',
    async (error) => {
      const { mint, call, server } = await start()
      server.answerWith((_, response) => refuseToken(response, error))
      const old = await mint({ jti: '1' })
      const first = await call(old)
      expect([first.status, first.headers.get('www-authenticate')]).toEqual([
        401,
        expect.stringContaining('error="invalid_token"'),
      ])
      // A client that has not signed in again yet is told the same, and the authorization server not asked again.
      expect([(await call(old)).status, server.requests.length]).toEqual([401, 1])
      const second = await call(await mint({ jti: '2' }))
      expect([second.status, second.headers.get('www-authenticate')]).toEqual([403, null])
      server.answerWith(() => issueToken('at-last'))
      expect((await call(await mint({ jti: '3' }))).status).toBe(200)
    },
  )
})

describe('users who sign in with the proxy', () => {
  it('are shown by what their identity provider issued: the token of the proxy says nothing elsewhere', async () => {
    const server = await startTokenServer()
    const upstream = await startRecordingUpstream()
    open.push(server.close, upstream.close)
    const stage = await startBrokerStage({
      servers: () => [
        {
          path: '/mcp',
          upstream: `${upstream.origin}/mcp`,
          credential: { kind: 'token_exchange', issuer: server.issuer, client_id: 'p', client_secret: { env: 'BROKER_SECRET' } },
        },
        {
          path: '/other',
          upstream: `${upstream.origin}/mcp`,
          credential: {
            kind: 'token_exchange',
            subject_token_type: 'id_token',
            issuer: server.issuer,
            client_id: 'p',
            client_secret: { env: 'BROKER_SECRET' },
          },
        },
      ],
    })
    open.push(stage.close)
    const subjects: string[] = []
    for (const path of ['/mcp', '/other']) {
      const client = await createRawClient(stage.proxy.origin)
      const { access_token: user } = await obtainTokens(stage.proxy.origin, client, alice, {
        resource: `${stage.proxy.origin}${path}`,
      })
      expect((await sendMcp(`${stage.proxy.origin}${path}`, { user, body: createRequest('ping', {}, 1) })).status).toBe(200)
      const subject = server.requests.at(-1)?.form.get('subject_token') ?? ''
      expect(subject).not.toBe(user)
      subjects.push(subject)
    }
    expect(server.requests.map(({ form }) => form.get('subject_token_type'))).toEqual([`${TYPE}access_token`, `${TYPE}id_token`])
    expect(decodeJwt(subjects[1] ?? '')).toMatchObject({ iss: stage.identityProvider.issuer, aud: 'the-broker' })
    expect(upstream.requests.map(({ headers }) => headers.authorization)).toEqual(['Bearer issued-1', 'Bearer issued-2'])
  })
})

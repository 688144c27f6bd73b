import { createHash } from 'node:crypto'
import { decodeJwt, decodeProtectedHeader } from 'jose'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { SAMPLE_USERS } from '../../src/sandbox/users.ts'
import {
  authorize,
  callMcp,
  createRawClient,
  createRequest,
  obtainTokens,
  postForm,
  type RawClient,
  readJson,
  redeem,
  refresh,
} from '../support/broker-client.ts'
import { type BrokerStage, startBrokerStage } from '../support/broker-stage.ts'

const [alice] = SAMPLE_USERS

let stage: BrokerStage
let origin: string
let client: RawClient
let other: RawClient

beforeAll(async () => {
  stage = await startBrokerStage({ broker: { registration: { per_minute: 10_000 }, refresh_grace_seconds: 0 } })
  origin = stage.proxy.origin
  client = await createRawClient(origin)
  other = await createRawClient(origin)
})
afterAll(() => stage?.close())

/** A client that registers a key, of which the other half is not needed. */
const KEY_HOLDER = {
  token_endpoint_auth_method: 'private_key_jwt',
  jwks: {
    keys: [
      {
        kty: 'EC',
        crv: 'P-256',
        x: 'f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU',
        y: 'x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0',
      },
    ],
  },
}

async function expectRefusal(response: Response, error: string, status = 400): Promise<void> {
  expect([response.status, await readJson(response)]).toMatchObject([status, { error }])
}

describe('PKCE (RFC 7636, RFC 9700 §2.1.1)', () => {
  it.each([
    ['no challenge', { code_challenge: undefined, code_challenge_method: undefined }],
    ['no challenge but a method', { code_challenge: undefined }],
    ['the method plain', { code_challenge_method: 'plain' }],
    ['no method, which means plain', { code_challenge_method: undefined }],
    ['an unknown method', { code_challenge_method: 'S512' }],
    ['a challenge of 42 characters', { code_challenge: 'a'.repeat(42) }],
    ['a challenge with strange characters', { code_challenge: '!'.repeat(43) }],
  ])('refuses a request with %s, and tells the client', async (_name, changes) => {
    const response = await fetch(createRequest(origin, client, changes).url, { redirect: 'manual' })
    const location = new URL(response.headers.get('location') ?? '')
    expect(location.searchParams.get('error')).toBe('invalid_request')
    expect(location.searchParams.get('code')).toBeNull()
  })

  it('is asked of clients with a secret, too (RFC 9700 §2.1.1)', async () => {
    const confidential = await createRawClient(origin, { token_endpoint_auth_method: 'client_secret_post' })
    const without = { code_challenge: undefined, code_challenge_method: undefined }
    const response = await fetch(createRequest(origin, confidential, without).url, { redirect: 'manual' })
    const { searchParams } = new URL(response.headers.get('location') ?? '')
    expect([searchParams.get('error'), searchParams.get('code')]).toEqual(['invalid_request', null])
  })

  it('keeps codes with the same challenge apart: each is good once, with that verifier (RFC 7636 §4.6)', async () => {
    const verifier = 'v'.repeat(43)
    const code_challenge = createHash('sha256').update(verifier).digest('base64url')
    const codes = [
      await authorize(origin, client, alice, { code_challenge }),
      await authorize(origin, client, alice, { code_challenge }),
    ]
    for (const code of codes) expect((await redeem(origin, client, { ...code, verifier })).status).toBe(200)
    for (const code of codes) await expectRefusal(await redeem(origin, client, { ...code, verifier }), 'invalid_grant')
  })

  it.each([
    ['no verifier', undefined, 'invalid_grant'],
    ['an empty one', '', 'invalid_grant'],
    ['a wrong one', 'w'.repeat(43), 'invalid_grant'],
    ['one of 42 characters', 'a'.repeat(42), 'invalid_request'],
    ['one of 129 characters', 'a'.repeat(129), 'invalid_request'],
    ['one with strange characters', `${'a'.repeat(42)} `, 'invalid_request'],
    ['the challenge itself', 'CHALLENGE', 'invalid_grant'],
  ])('refuses a code with %s, and the code stays good for its client', async (_name, verifier, error) => {
    const code = await authorize(origin, client, alice)
    const challenge = createHash('sha256').update(code.verifier).digest('base64url')
    const response = await redeem(origin, client, code, { code_verifier: verifier === 'CHALLENGE' ? challenge : verifier })
    await expectRefusal(response, error)
    expect((await redeem(origin, client, code)).status).toBe(200)
  })
})

describe('an authorization code', () => {
  it('is good for one use; a second one ends what the first led to (RFC 6749 §4.1.2)', async () => {
    const code = await authorize(origin, client, alice)
    const tokens = await readJson(await redeem(origin, client, code))
    expect(await callMcp(stage.url, tokens.access_token)).toBe(200)
    await expectRefusal(await redeem(origin, client, code), 'invalid_grant')
    expect(await callMcp(stage.url, tokens.access_token)).toBe(401)
    await expectRefusal(await refresh(origin, client, tokens.refresh_token), 'invalid_grant')
  })

  it('gives tokens to at most one of those who use it at the same moment (RFC 6749 §4.1.2)', async () => {
    for (let round = 0; round < 5; round++) {
      const code = await authorize(origin, client, alice)
      const answers = await Promise.all(Array.from({ length: 8 }, () => redeem(origin, client, code)))
      expect(answers.filter(({ status }) => status === 200)).toHaveLength(1)
    }
  })

  it('is of no use to another client (RFC 6749 §10.5)', async () => {
    const code = await authorize(origin, client, alice)
    await expectRefusal(await redeem(origin, other, code), 'invalid_grant')
    expect((await redeem(origin, client, code)).status).toBe(200)
  })

  it('ends after a minute (RFC 6749 §4.1.2)', async () => {
    const code = await authorize(origin, client, alice)
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 61_000 })
    try {
      await expectRefusal(await redeem(origin, client, code), 'invalid_grant')
    } finally {
      vi.useRealTimers()
    }
  })

  it('gives nothing for another resource, not even to its client, and is not used up by the try (RFC 8707 §2.2)', async () => {
    const code = await authorize(origin, client, alice)
    await expectRefusal(await redeem(origin, client, code, { resource: `${origin}/other` }), 'invalid_target')
    expect((await redeem(origin, client, code)).status).toBe(200)
  })

  it('never stands in the log, nor does the state (RFC 9700 §4.2)', async () => {
    const code = await authorize(origin, client, alice, { state: 'this-is-a-state-to-look-for' })
    await redeem(origin, client, code)
    expect(stage.proxy.log.text()).not.toContain(code.code)
    expect(stage.proxy.log.text()).not.toContain('this-is-a-state-to-look-for')
  })
})

describe('resource indicators (RFC 8707)', () => {
  it.each([
    ['of another server', 'https://elsewhere.example/mcp'],
    ['below ours', 'ORIGIN/mcp/evil'],
    ['that ours only begins with', 'ORIGIN/mc'],
    ['with a fragment', 'ORIGIN/mcp#x'],
    ['with a query', 'ORIGIN/mcp?x=1'],
    ['with user information', 'http://user@localhost/mcp'],
    ['that is no URL', 'mcp'],
  ])('refuses a resource %s', async (_name, resource) => {
    const { url } = createRequest(origin, client, { resource: resource.replace('ORIGIN', origin) })
    const response = await fetch(url, { redirect: 'manual' })
    expect(new URL(response.headers.get('location') ?? '').searchParams.get('error')).toBe('invalid_target')
  })

  it('takes a final slash for what it is meant, and the audience is the identifier itself (RFC 9068 §3)', async () => {
    for (const resource of [`${origin}/mcp`, `${origin}/mcp/`, undefined]) {
      const tokens = await obtainTokens(origin, client, alice, { resource })
      expect(JSON.parse(Buffer.from(tokens.access_token.split('.')[1] ?? '', 'base64url').toString()).aud).toBe(`${origin}/mcp`)
      expect(await callMcp(stage.url, tokens.access_token)).toBe(200)
    }
  })

  it('takes at the token endpoint whatever spelling it took at the authorization endpoint, and none of another resource', async () => {
    const spellings = [
      `${origin}/mcp`,
      `${origin}/mcp/`,
      `${origin.toUpperCase()}/mcp`,
      `${origin.replace('localhost', 'LocalHost')}/mcp/`,
    ]
    for (const first of [...spellings, undefined]) {
      for (const second of [...spellings, undefined]) {
        const code = await authorize(origin, client, alice, { resource: first })
        const response = await redeem(origin, client, code, { resource: second })
        expect([first, second, response.status]).toEqual([first, second, 200])
        const tokens = await readJson(response)
        const refreshed = await refresh(origin, client, tokens.refresh_token, { resource: second })
        expect([first, second, refreshed.status]).toEqual([first, second, 200])
        const { refresh_token: token } = await readJson(refreshed)
        await expectRefusal(await refresh(origin, client, token, { resource: `${origin}/MCP` }), 'invalid_target')
      }
    }
  })

  it('refuses two resources where the token could be for either (§2)', async () => {
    const request = createRequest(origin, client)
    request.url.searchParams.append('resource', 'https://elsewhere.example/mcp')
    const response = await fetch(request.url, { redirect: 'manual' })
    expect(new URL(response.headers.get('location') ?? '').searchParams.get('error')).toBe('invalid_target')
  })
})

describe('scopes (RFC 6749 §3.3)', () => {
  it('are never more than the user allowed: not at the token endpoint, not on refresh (RFC 6749 §6)', async () => {
    const code = await authorize(origin, client, alice, { scope: 'mcp:tools' })
    const tokens = await readJson(await redeem(origin, client, code, { scope: 'mcp:tools mcp:admin' }))
    expect(tokens.scope).toBe('mcp:tools')
    await expectRefusal(await refresh(origin, client, tokens.refresh_token, { scope: 'mcp:tools mcp:admin' }), 'invalid_scope')
  })

  it.each(['mcp:tools offline_access', 'openid profile email', 'offline_access', 'nonsense'])(
    'that were left out at the beginning are left out at a refresh, too: %j',
    async (scope) => {
      const tokens = await obtainTokens(origin, client, alice, { scope })
      expect(tokens.scope).toContain('mcp:tools')
      const response = await refresh(origin, client, tokens.refresh_token, { scope })
      expect([response.status, (await readJson(response)).scope]).toEqual([200, tokens.scope])
    },
  )

  it('that are unknown are left out, and none at all become those that the server needs', async () => {
    for (const scope of ['profile of everything', undefined, ''])
      expect((await obtainTokens(origin, client, alice, { scope })).scope).toBe('mcp:tools')
  })
})

describe('a refresh token', () => {
  it('is replaced when used; used again, it ends everything that it led to (RFC 9700 §4.14.2)', async () => {
    const first = await obtainTokens(origin, client, alice)
    const second = await readJson(await refresh(origin, client, first.refresh_token))
    expect(second.refresh_token).not.toBe(first.refresh_token)
    expect(await callMcp(stage.url, second.access_token)).toBe(200)
    await expectRefusal(await refresh(origin, client, first.refresh_token), 'invalid_grant')
    await expectRefusal(await refresh(origin, client, second.refresh_token), 'invalid_grant')
    expect(await callMcp(stage.url, second.access_token)).toBe(401)
  })

  it('is of no use to another client (RFC 6749 §6, §10.4)', async () => {
    const tokens = await obtainTokens(origin, client, alice)
    await expectRefusal(await refresh(origin, other, tokens.refresh_token), 'invalid_grant')
    expect((await refresh(origin, client, tokens.refresh_token)).status).toBe(200)
  })

  it('is of no use to those who guess, not by a single letter', async () => {
    const tokens = await obtainTokens(origin, client, alice)
    const changed = `${tokens.refresh_token.slice(0, -1)}${tokens.refresh_token.endsWith('A') ? 'B' : 'A'}`
    for (const guess of [changed, `${tokens.refresh_token} `, '', '__proto__', tokens.refresh_token.toLowerCase()])
      expect((await refresh(origin, client, guess)).status).toBe(400)
    expect((await refresh(origin, client, tokens.refresh_token)).status).toBe(200)
  })

  it('used by two at the same moment goes on for one of them at most (RFC 9700 §4.14.2)', async () => {
    const tokens = await obtainTokens(origin, client, alice)
    const answers = await Promise.all(Array.from({ length: 6 }, () => refresh(origin, client, tokens.refresh_token)))
    expect(answers.filter(({ status }) => status === 200).length).toBeLessThanOrEqual(1)
    for (const answer of answers.filter(({ status }) => status === 200)) {
      const fresh = await readJson(answer)
      expect(await callMcp(stage.url, fresh.access_token)).toBe(401)
    }
  })

  it('is no access token, and an access token is no refresh token (RFC 6749 §1.5)', async () => {
    const tokens = await obtainTokens(origin, client, alice)
    expect(await callMcp(stage.url, tokens.refresh_token)).toBe(401)
    await expectRefusal(await refresh(origin, client, tokens.access_token), 'invalid_grant')
  })
})

describe('a refresh token with a grace window', () => {
  it('works again for a client that never got the answer, and for windows that refresh together (RFC 9700 §4.14.2)', async () => {
    const lenient = await startBrokerStage({ broker: { refresh_grace_seconds: 30 } })
    try {
      const mine = await createRawClient(lenient.proxy.origin)
      const { refresh_token: token } = await obtainTokens(lenient.proxy.origin, mine, alice)
      const answers = await Promise.all(Array.from({ length: 4 }, () => refresh(lenient.proxy.origin, mine, token)))
      expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200])
      vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 31_000 })
      await expectRefusal(await refresh(lenient.proxy.origin, mine, token), 'invalid_grant')
    } finally {
      vi.useRealTimers()
      await lenient.close()
    }
  })
})

describe('revocation (RFC 7009)', () => {
  it.each(['access_token', 'refresh_token'] as const)('of the %s ends the other too, at once', async (name) => {
    const tokens = await obtainTokens(origin, client, alice)
    expect(await callMcp(stage.url, tokens.access_token)).toBe(200)
    const response = await postForm(`${origin}/revoke`, { token: tokens[name], client_id: client.id })
    expect(response.status).toBe(200)
    expect(await callMcp(stage.url, tokens.access_token)).toBe(401)
    await expectRefusal(await refresh(origin, client, tokens.refresh_token), 'invalid_grant')
  })

  it('and introspection of access tokens succeed, and the log says so', async () => {
    const machine = await createRawClient(origin, { token_endpoint_auth_method: 'client_secret_post' })
    const secret = { client_id: machine.id, client_secret: machine.secret }
    const tokens = await readJson(await redeem(origin, machine, await authorize(origin, machine, alice), secret))
    const before = stage.proxy.log.text().length
    for (const path of ['introspect', 'revoke', 'introspect', 'revoke'])
      expect((await postForm(`${origin}/${path}`, { token: tokens.access_token, ...secret })).status).toBe(200)
    await vi.waitFor(() =>
      expect(
        stage.proxy.log
          .text()
          .slice(before)
          .match(/"path":"\/revoke"/g),
      ).toHaveLength(2),
    )
    expect(stage.proxy.log.text().slice(before)).not.toMatch(/"level":"(?:warn|error)"|"code"/)
  })

  it('by another client changes nothing, which it is told and the log says (RFC 7009 §2.1)', async () => {
    const tokens = await obtainTokens(origin, client, alice)
    const before = stage.proxy.log.records().length
    for (const token of [tokens.access_token, tokens.refresh_token])
      await expectRefusal(await postForm(`${origin}/revoke`, { token, client_id: other.id }), 'invalid_grant')
    expect(await callMcp(stage.url, tokens.access_token)).toBe(200)
    expect((await refresh(origin, client, tokens.refresh_token)).status).toBe(200)
    const told = stage.proxy.log
      .records()
      .slice(before)
      .filter(({ path }) => path === '/revoke')
    expect(told.map(({ code }) => code)).toEqual(['authorization_refused', 'authorization_refused'])
  })

  it.each(['access_token', 'refresh_token'] as const)(
    'of a token that is unknown, or no longer good, succeeds, whatever the hint says it is: %s (RFC 7009 §2.2)',
    async (hint) => {
      const tokens = await obtainTokens(origin, client, alice)
      const revoke = (token: string) => postForm(`${origin}/revoke`, { token, token_type_hint: hint, client_id: client.id })
      for (const token of ['unknown', 'a.b.c', tokens.refresh_token, tokens.access_token, tokens.refresh_token])
        expect((await revoke(token)).status).toBe(200)
      expect(await callMcp(stage.url, tokens.access_token)).toBe(401)
      await expectRefusal(await refresh(origin, client, tokens.refresh_token), 'invalid_grant')
    },
  )
})

describe('introspection (RFC 7662 §2.1, §4)', () => {
  it('tells a client with a secret about its own tokens, and no other client', async () => {
    const confidential = await createRawClient(origin, { token_endpoint_auth_method: 'client_secret_post' })
    const secret = { client_secret: confidential.secret }
    const code = await authorize(origin, confidential, alice)
    const tokens = await readJson(await redeem(origin, confidential, code, secret))
    const ask = async (form: Record<string, string | undefined>) => readJson(await postForm(`${origin}/introspect`, form))
    const own = await ask({ token: tokens.access_token, client_id: confidential.id, ...secret })
    expect(own).toMatchObject({
      active: true,
      sub: 'alice',
      client_id: confidential.id,
      aud: `${origin}/mcp`,
      scope: 'mcp:tools',
    })
    const foreign = await obtainTokens(origin, client, alice)
    expect(await ask({ token: foreign.access_token, client_id: confidential.id, ...secret })).toEqual({ active: false })
    expect(await ask({ token: foreign.access_token, client_id: client.id })).toEqual({ active: false })
    expect(await ask({ token: foreign.refresh_token, client_id: client.id })).toEqual({ active: false })
    expect(await ask({ token: tokens.access_token, client_id: confidential.id })).toMatchObject({ error: 'invalid_client' })
    expect(await ask({ token: tokens.access_token })).toMatchObject({ error: 'invalid_request' })
  })
})

describe('introspection by clients of the configuration (RFC 7662 §2.1)', () => {
  it('is about everybody’s tokens for one with users and a secret, and about its own alone for a machine', async () => {
    const secret = (name: string) => `secret-of-the-${name}-0123456789`
    const other = await startBrokerStage({
      env: { GATEWAY: secret('gateway'), JOB: secret('job') },
      broker: {
        clients: [
          { client_id: 'gateway', client_secret: { env: 'GATEWAY' }, redirect_uris: ['https://gateway.example/cb'] },
          { client_id: 'job', client_secret: { env: 'JOB' }, grants: ['client_credentials'] },
        ],
      },
    })
    try {
      const at = other.proxy.origin
      const tokens = await obtainTokens(at, await createRawClient(at), alice)
      const job = { client_id: 'job', client_secret: secret('job') }
      const own = await readJson(await postForm(`${at}/token`, { grant_type: 'client_credentials', ...job }))
      const ask = async (name: string, token: string) =>
        (await readJson(await postForm(`${at}/introspect`, { token, client_id: name, client_secret: secret(name) }))).active
      for (const token of [tokens.access_token, tokens.refresh_token]) {
        expect(await ask('gateway', token)).toBe(true)
        expect(await ask('job', token)).toBe(false)
      }
      expect(await ask('job', own.access_token)).toBe(true)
      // To ask is not to end.
      await postForm(`${at}/revoke`, { token: tokens.access_token, client_id: 'gateway', client_secret: secret('gateway') })
      expect(await callMcp(other.url, tokens.access_token)).toBe(200)
    } finally {
      await other.close()
    }
  })
})

describe('an access token', () => {
  it('has the claims of the profile, another id each time, and lasts an hour unless configured (RFC 9068 §2.2)', async () => {
    const before = Math.floor(Date.now() / 1000)
    const first = await obtainTokens(origin, client, alice)
    const second = await readJson(await refresh(origin, client, first.refresh_token))
    expect(decodeProtectedHeader(first.access_token)).toMatchObject({ typ: 'at+jwt', alg: 'ES256', kid: expect.any(String) })
    const [claims, later] = [decodeJwt(first.access_token), decodeJwt(second.access_token)]
    expect(claims).toMatchObject({ iss: origin, aud: stage.url, sub: 'alice', client_id: client.id, scope: 'mcp:tools' })
    expect(claims.jti).toEqual(expect.any(String))
    expect(claims.jti).not.toBe(later.jti)
    expect(claims.iat).toBeGreaterThanOrEqual(before)
    expect(claims.iat).toBeLessThanOrEqual(Math.ceil(Date.now() / 1000))
    expect([(claims.exp ?? 0) - (claims.iat ?? 0), first.expires_in]).toEqual([3600, 3600])
  })
})

describe('the token endpoint', () => {
  it('tells unknown clients 401 invalid_client, so that they register anew (RFC 6749 §5.2)', async () => {
    const code = await authorize(origin, client, alice)
    await expectRefusal(await redeem(origin, { ...client, id: 'unknown' }, code), 'invalid_client', 401)
    await expectRefusal(await redeem(origin, { ...client, id: 'https://localhost:1/nothing.json' }, code), 'invalid_client', 401)
  })

  it('holds clients to the way of authentication that they registered, and to one at a time (RFC 6749 §2.3)', async () => {
    const confidential = await createRawClient(origin, { token_endpoint_auth_method: 'client_secret_basic' })
    const code = await authorize(origin, confidential, alice)
    await expectRefusal(await redeem(origin, confidential, code), 'invalid_client', 401)
    await expectRefusal(await redeem(origin, confidential, code, { client_secret: 'wrong' }), 'invalid_client', 401)
    const basic = (secret: string) => ({
      authorization: `Basic ${Buffer.from(`${confidential.id}:${secret}`).toString('base64')}`,
    })
    const form = {
      grant_type: 'authorization_code',
      code: code.code,
      code_verifier: code.verifier,
      redirect_uri: client.redirectUri,
    }
    await expectRefusal(await postForm(`${origin}/token`, form, basic('wrong')), 'invalid_client', 401)
    const both = { ...form, client_id: confidential.id, client_secret: confidential.secret }
    await expectRefusal(await postForm(`${origin}/token`, both, basic(confidential.secret ?? '')), 'invalid_request')
    expect((await postForm(`${origin}/token`, form, basic(encodeURIComponent(confidential.secret ?? '')))).status).toBe(200)
  })

  it('answers credentials in the header that are wrong with a challenge for that scheme (RFC 6749 §5.2)', async () => {
    const confidential = await createRawClient(origin, { token_endpoint_auth_method: 'client_secret_basic' })
    const basic = { authorization: `Basic ${Buffer.from(`${confidential.id}:wrong`).toString('base64')}` }
    for (const path of ['/token', '/revoke', '/introspect']) {
      const response = await postForm(`${origin}${path}`, { grant_type: 'refresh_token', refresh_token: 'x', token: 'x' }, basic)
      expect([path, response.status, response.headers.get('www-authenticate')]).toEqual([
        path,
        401,
        expect.stringMatching(/^Basic realm="[^"]+"/),
      ])
      await response.body?.cancel()
    }
  })

  it('takes no credentials and no code from the address, where logs and histories keep them (OAuth 2.1 §2.4.1)', async () => {
    const confidential = await createRawClient(origin, { token_endpoint_auth_method: 'client_secret_post' })
    const code = await authorize(origin, confidential, alice)
    const form = {
      grant_type: 'authorization_code',
      client_id: confidential.id,
      code: code.code,
      code_verifier: code.verifier,
      redirect_uri: confidential.redirectUri,
      client_secret: confidential.secret ?? '',
    }
    for (const inAddress of [
      ['client_id', 'client_secret'],
      ['client_secret'],
      ['code'],
      Object.keys(form),
    ] as (keyof typeof form)[][]) {
      const query = new URLSearchParams(Object.fromEntries(inAddress.map((name) => [name, form[name]])))
      const body = Object.fromEntries(Object.entries(form).filter(([name]) => !inAddress.includes(name as keyof typeof form)))
      const response = await postForm(`${origin}/token?${query}`, body)
      expect([inAddress, response.ok, await response.json()]).toEqual([
        inAddress,
        false,
        expect.objectContaining({ error: expect.any(String) }),
      ])
    }
    expect(stage.proxy.log.text()).not.toContain(form.client_secret)
    expect((await postForm(`${origin}/token`, form)).status).toBe(200)
  })

  it('reads secrets in the header as they are to be written, and not otherwise (RFC 6749 §2.3.1)', async () => {
    const secret = 'a:b %41+&=~secret-of-the-machine'
    const known = { client_id: 'ma%63hine:1', client_secret: { env: 'MACHINE' }, grants: ['client_credentials' as const] }
    const other = await startBrokerStage({ env: { MACHINE: secret }, broker: { clients: [known] } })
    const ask = (credentials: string) =>
      postForm(
        `${other.proxy.origin}/token`,
        { grant_type: 'client_credentials' },
        { authorization: `Basic ${Buffer.from(credentials).toString('base64')}` },
      )
    const encode = (text: string) => new URLSearchParams({ '': text }).toString().slice(1)
    try {
      expect((await ask(`${encode(known.client_id)}:${encode(secret)}`)).status).toBe(200)
      const id = known.client_id
      for (const wrong of [`${id}:${secret}`, `${encode(id)}:${secret}`, `machine%3A1:${encode(secret)}`, 'ma%:x', ':', '']) {
        const refused = await ask(wrong)
        expect([400, 401]).toContain(refused.status)
        expect((await readJson(refused)).error).toMatch(/^invalid_(client|request)$/)
      }
      expect(other.proxy.log.text()).not.toContain('secret-of-the-machine')
    } finally {
      await other.close()
    }
  })

  it.each([
    ['no secret, and shows one', { token_endpoint_auth_method: 'none' }, { client_secret: 'guess' }],
    ['a secret, and shows none', { token_endpoint_auth_method: 'client_secret_basic' }, {}],
    ['a key, and shows none', KEY_HOLDER, {}],
    ['a key, and shows a secret', KEY_HOLDER, { client_secret: 'guess' }],
  ])(
    'refuses a client that registered %s, and the code stays good (RFC 7591 §2, RFC 6749 §3.2.1)',
    async (_name, metadata, more) => {
      const mine = await createRawClient(origin, metadata)
      const code = await authorize(origin, mine, alice)
      await expectRefusal(await redeem(origin, mine, code, more), 'invalid_client', 401)
      if (mine.secret !== undefined) expect((await redeem(origin, mine, code, { client_secret: mine.secret })).status).toBe(200)
    },
  )

  it.each([
    ['GET', { method: 'GET' }],
    ['JSON', { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"grant_type":"refresh_token"}' }],
    [
      'two content types',
      {
        method: 'POST',
        headers: { 'content-type': 'application/json, application/x-www-form-urlencoded' },
        body: 'grant_type=refresh_token',
      },
    ],
    [
      'parameters that come twice',
      {
        method: 'POST',
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
        body: 'grant_type=authorization_code&code=a&code=b&client_id=c',
      },
    ],
    [
      'a megabyte',
      { method: 'POST', headers: { 'content-type': 'application/x-www-form-urlencoded' }, body: `code=${'a'.repeat(1_000_000)}` },
    ],
    ['an unknown grant', { method: 'POST', body: new URLSearchParams({ grant_type: 'password', client_id: 'c' }) }],
  ])('refuses %s, and goes on (RFC 6749 §3.2)', async (_name, init) => {
    const response = await fetch(`${origin}/token`, init)
    expect(response.status).toBeGreaterThanOrEqual(400)
    expect(response.status).toBeLessThan(500)
    await response.body?.cancel()
    expect((await obtainTokens(origin, client, alice)).token_type).toBe('Bearer')
  })

  it('keeps refusals out of caches, too (RFC 6749 §5.2)', async () => {
    const refused = [
      await refresh(origin, client, 'guess'),
      await refresh(origin, { ...client, id: 'unknown' }, 'guess'),
      await postForm(`${origin}/introspect`, { token: 'guess', client_id: client.id }),
    ]
    for (const response of refused) {
      expect(response.headers.get('cache-control')).toContain('no-store')
      expect(response.headers.get('access-control-allow-credentials')).toBeNull()
      await response.body?.cancel()
    }
  })

  it('keeps answers out of caches (RFC 6749 §5.1), and shows them to pages without cookies', async () => {
    const code = await authorize(origin, client, alice)
    const response = await redeem(origin, client, code)
    expect(response.headers.get('cache-control')).toContain('no-store')
    expect(response.headers.get('access-control-allow-origin')).toBe('*')
    expect(response.headers.get('access-control-allow-credentials')).toBeNull()
  })
})

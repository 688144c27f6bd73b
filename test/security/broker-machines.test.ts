import { createPublicKey, KeyObject } from 'node:crypto'
import { decodeJwt, exportJWK, importPKCS8, SignJWT } from 'jose'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { SAMPLE_USERS } from '../../src/sandbox/users.ts'
import {
  authorize,
  callMcp,
  createRawClient,
  createRequest,
  obtainTokens,
  postForm,
  readJson,
  redeem,
  refresh,
  register,
} from '../support/broker-client.ts'
import { forge } from '../support/forge.ts'
import {
  ACCESS_TOKEN_TYPE,
  JWT_BEARER,
  MACHINE_SECRETS,
  type MachineStage,
  startMachineStage,
  TOKEN_EXCHANGE,
} from '../support/machine-stage.ts'
import { sendRaw } from '../support/raw-client.ts'

const [alice] = SAMPLE_USERS

let stage: MachineStage
let origin: string
beforeAll(async () => {
  stage = await startMachineStage({ config: { allowed_hosts: ['*'] } })
  origin = stage.proxy.origin
})
afterAll(() => stage?.close())

async function expectRefusal(response: Response, error: string, status = 400): Promise<void> {
  expect([response.status, await readJson(response)]).toMatchObject([status, { error }])
}

const CREDENTIALS = { grant_type: 'client_credentials' }

describe('client credentials (RFC 6749 §4.4)', () => {
  const ask = (form: Parameters<MachineStage['request']>[0] = {}, client = 'job') =>
    stage.request({ ...CREDENTIALS, resource: stage.url, ...form }, client)

  it.each([
    ['a public client of the configuration', { client_id: 'public' }, undefined],
    ['a client whose grant it is not', {}, 'web'],
  ])('are refused to %s (§5.2)', async (_name, form, client) => {
    await expectRefusal(await ask(form, client ?? ''), 'unauthorized_client')
  })

  it('are refused to clients that registered themselves, whatever grants they named (§4.4, RFC 7591 §5)', async () => {
    const response = await register(origin, {
      redirect_uris: ['https://client.example/cb'],
      grant_types: ['authorization_code', 'client_credentials', JWT_BEARER, TOKEN_EXCHANGE],
      token_endpoint_auth_method: 'client_secret_post',
    })
    const client = await readJson(response)
    expect(client.grant_types).toEqual(['authorization_code'])
    for (const grant_type of ['client_credentials', JWT_BEARER, TOKEN_EXCHANGE]) {
      const form = { grant_type, client_id: client.client_id, client_secret: client.client_secret, resource: stage.url }
      await expectRefusal(await stage.request(form), 'unauthorized_client')
    }
  })

  it('are refused to a client that registers under the name of a known one (RFC 7591 §3.2.1)', async () => {
    const grants = ['authorization_code', 'client_credentials']
    const metadata = { client_id: 'admin', redirect_uris: ['https://client.example/cb'], grant_types: grants }
    const client = await readJson(await register(origin, metadata))
    expect([undefined, 'admin']).not.toContain(client.client_id)
    await expectRefusal(await stage.request({ ...CREDENTIALS, client_id: client.client_id }), 'unauthorized_client')
  })

  it.each([
    ['no secret', { client_id: 'job' }],
    ['a wrong secret', { client_id: 'job', client_secret: 'wrong' }],
    ['an empty secret', { client_id: 'job', client_secret: '' }],
    ['an unknown client', { client_id: 'nobody', client_secret: 'x' }],
    ['a secret where keys are expected', { client_id: 'signer', client_secret: 'x' }],
  ])('are refused for %s (§5.2)', async (_name, form) => {
    await expectRefusal(await stage.request({ ...CREDENTIALS, resource: stage.url, ...form }), 'invalid_client', 401)
  })

  it.each([
    ['a resource of somebody else', 'https://elsewhere.example/mcp'],
    ['a server that the client may not have', 'OTHER'],
    ['a resource with a fragment', 'FRAGMENT'],
    ['two resources', ['BOTH', 'OTHER']],
  ])('are refused for %s (RFC 8707 §2)', async (_name, resource) => {
    const places: Record<string, string> = { OTHER: `${origin}/other`, FRAGMENT: `${stage.url}#x`, BOTH: stage.url }
    const named = [resource].flat().map((one) => places[one] ?? one)
    await expectRefusal(await ask({ resource: named }), 'invalid_target')
  })

  it('are refused without a resource where there are several (RFC 8707 §2.2)', async () => {
    await expectRefusal(await ask({ resource: undefined }), 'invalid_target')
  })

  it('give no scope beyond those of the client (§3.3)', async () => {
    await expectRefusal(await ask({ scope: 'mcp:admin' }), 'invalid_scope')
    const answer = await readJson(await ask({ scope: 'mcp:tools mcp:admin offline_access openid' }))
    expect(answer).toMatchObject({ scope: 'mcp:tools' })
    expect(answer).not.toHaveProperty('refresh_token')
    expect(answer).not.toHaveProperty('id_token')
  })

  it('give more than the usual only to a client that has it, and asks for it', async () => {
    expect(await readJson(await ask({}, 'admin'))).toMatchObject({ scope: 'mcp:tools' })
    expect(await readJson(await ask({ scope: 'mcp:admin' }, 'admin'))).toMatchObject({ scope: 'mcp:admin' })
  })

  it('give tokens that stay revoked for as long as they could be accepted, tolerance of clocks included (RFC 7009 §2.1)', async () => {
    const { access_token: token } = await readJson(await ask())
    const credentials = { client_id: 'job', client_secret: MACHINE_SECRETS.job }
    expect((await postForm(`${origin}/revoke`, { token, ...credentials })).status).toBe(200)
    const { exp = 0 } = decodeJwt(token)
    try {
      for (const second of [-1, 0, 1, 3, 4.9]) {
        vi.useFakeTimers({ toFake: ['Date'], now: (exp + second) * 1000 })
        expect([second, await callMcp(stage.url, token)]).toEqual([second, 401])
        const told = await readJson(await postForm(`${origin}/introspect`, { token, ...credentials }))
        expect([second, told]).toEqual([second, { active: false }])
      }
    } finally {
      vi.useRealTimers()
    }
  })

  it('give no answer that a cache may keep (§5.1)', async () => {
    expect((await ask()).headers.get('cache-control')).toBe('no-store')
  })
})

describe('a client assertion (RFC 7523 §3)', () => {
  const TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'
  const now = () => Math.floor(Date.now() / 1000)

  async function sign(changes: Record<string, unknown> = {}): Promise<string> {
    const key = await importPKCS8(stage.signerKey, 'ES256')
    const claims = {
      iss: 'signer',
      sub: 'signer',
      aud: origin,
      jti: crypto.randomUUID(),
      iat: now(),
      exp: now() + 60,
      ...changes,
    }
    const defined = Object.fromEntries(Object.entries(claims).filter(([, value]) => value !== undefined))
    return new SignJWT(defined).setProtectedHeader({ alg: 'ES256' }).sign(key)
  }
  const show = (assertion: string, form = {}) =>
    stage.request({ ...CREDENTIALS, resource: stage.url, client_assertion_type: TYPE, client_assertion: assertion, ...form })

  it('is good once', async () => {
    const assertion = await sign()
    expect((await show(assertion)).status).toBe(200)
    await expectRefusal(await show(assertion), 'invalid_client', 401)
  })

  it('is good once for those who use it at the same moment, too', async () => {
    const assertion = await sign()
    const answers = await Promise.all(Array.from({ length: 8 }, () => show(assertion)))
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1)
  })

  it.each([
    ['for somebody else', { aud: 'https://elsewhere.example' }],
    ['for nobody', { aud: undefined }],
    ['for a host that only the request names', { aud: 'http://evil.example/token' }],
    ['for us and another authorization server', { aud: ['ORIGIN', 'https://elsewhere.example'] }],
    ['for us twice', { aud: ['ORIGIN', 'ORIGIN'] }],
    ['for a list within a list', { aud: [['ORIGIN']] }],
    ['for the token endpoint, which another server can claim to be its own', { aud: 'ORIGIN/token' }],
    ['for the issuer and the token endpoint', { aud: ['ORIGIN', 'ORIGIN/token'] }],
    ['for a path of ours', { aud: 'ORIGIN/mcp' }],
    ['for our name in other letters', { aud: 'ORIGIN//' }],
    ['that is over', { exp: 1_000_000_000 }],
    ['that never ends', { exp: undefined }],
    ['that lasts so long that it would have to be remembered for years', { exp: 4_000_000_000 }],
    ['without an id', { jti: undefined }],
    ['of another issuer', { iss: 'job' }],
    ['about another client', { sub: 'job' }],
  ])('is refused %s', async (_name, changes) => {
    const placed = JSON.parse(JSON.stringify(changes, (_key, value) => value ?? null).replaceAll('ORIGIN', origin)) as object
    const given = Object.fromEntries(Object.entries(placed).map(([name, value]) => [name, value ?? undefined]))
    await expectRefusal(await show(await sign(given)), 'invalid_client', 401)
  })

  it.each([['as a text'], ['in a list of one'], ['with the slash that URL libraries add']])(
    'names us as its audience %s (RFC 7523bis §4)',
    async (how) => {
      const audiences: Record<string, unknown> = { 'as a text': origin, 'in a list of one': [origin] }
      expect((await show(await sign({ aud: audiences[how] ?? `${origin}/` }))).status).toBe(200)
    },
  )

  it('is for us by our own name, whatever host the request names', async () => {
    const form = { ...CREDENTIALS, resource: stage.url, client_assertion_type: TYPE }
    const post = async (target: string, aud: string) => {
      const body = new URLSearchParams({ ...form, client_assertion: await sign({ aud }) }).toString()
      const fields = `Host: evil.example\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: ${body.length}`
      const sent = `POST ${target} HTTP/1.1\r\n${fields}\r\nX-Forwarded-Host: evil.example\r\nConnection: close\r\n\r\n${body}`
      return (await sendRaw(Number(new URL(origin).port), sent)).status
    }
    for (const target of ['/token', 'http://evil.example/token', 'https://evil.example/token']) {
      for (const aud of ['http://evil.example/token', 'http://evil.example', 'https://evil.example/token'])
        expect([target, aud, await post(target, aud)]).toEqual([target, aud, 401])
      expect([target, await post(target, origin)]).toEqual([target, 200])
    }
  })

  it('is refused with no signature, or one made with the public key as a secret (RFC 8725 §2.1)', async () => {
    const payload = { iss: 'signer', sub: 'signer', aud: origin, jti: 'x', iat: now(), exp: now() + 60 }
    const pem = createPublicKey({ key: JSON.parse(stage.signerPublicKey), format: 'jwk' }).export({ type: 'spki', format: 'pem' })
    await expectRefusal(await show(forge({ header: { alg: 'none' }, payload }, undefined)), 'invalid_client', 401)
    for (const secret of [pem.toString(), stage.signerPublicKey]) {
      await expectRefusal(await show(forge({ header: { alg: 'HS256' }, payload }, secret, 'HS256')), 'invalid_client', 401)
    }
  })

  it('is refused beside another way to authenticate (RFC 6749 §2.3)', async () => {
    await expectRefusal(await show(await sign(), { client_secret: 'x' }), 'invalid_request')
  })
})

describe('an identity assertion (ID-JAG; RFC 7523 §3)', () => {
  const show = (assertion: string | undefined, form: Parameters<MachineStage['request']>[0] = {}, client = 'agent') =>
    stage.request({ grant_type: JWT_BEARER, assertion, resource: stage.url, ...form }, client)

  it('is good once, also for those who use it at the same moment (RFC 7523 §3, 7)', async () => {
    const assertion = await stage.mintAssertion()
    const answers = await Promise.all(Array.from({ length: 8 }, () => show(assertion)))
    expect(answers.map(({ status }) => status).toSorted()).toEqual([200, ...Array(7).fill(400)])
    await expectRefusal(await show(assertion), 'invalid_grant')
  })

  it('is not good again where only the tolerance of clocks would accept it still', async () => {
    const [used, unused] = [await stage.mintAssertion(), await stage.mintAssertion()]
    expect((await show(used)).status).toBe(200)
    const { exp = 0 } = decodeJwt(used)
    try {
      for (const second of [0, 1, 20]) {
        vi.useFakeTimers({ toFake: ['Date'], now: (exp + second) * 1000 })
        await expectRefusal(await show(used), 'invalid_grant')
      }
      expect((await show(unused)).status).toBe(200)
    } finally {
      vi.useRealTimers()
    }
  })

  it('stays good when it is refused for another reason', async () => {
    const assertion = await stage.mintAssertion()
    await expectRefusal(await show(assertion, { resource: `${origin}/other` }), 'invalid_target')
    await expectRefusal(await show(assertion, { scope: 'mcp:admin' }), 'invalid_scope')
    expect((await show(assertion)).status).toBe(200)
  })

  it.each([
    ['for another authorization server', { aud: 'https://elsewhere.example' }],
    ['for us and somebody else', { aud: ['ORIGIN', 'https://elsewhere.example'] }],
    ['for nobody', { aud: undefined }],
    ['for our server rather than for us', { aud: 'RESOURCE' }],
    ['given to another client', { client_id: 'job' }],
    ['given to no client', { client_id: undefined }],
    ['that is over', { iat: 1_000_000_000, exp: 1_000_000_300 }],
    ['that never ends', { exp: undefined }],
    ['that lasts for a day', { exp: 4_000_000_000 }],
    ['that says not when it was issued', { iat: undefined }],
    ['from the future', { iat: 4_000_000_000, exp: 4_000_000_100 }],
    ['without an id', { jti: undefined }],
    ['with an id that is no text', { jti: { $ne: null } }],
    ['about nobody', { sub: undefined }],
    ['about an empty name', { sub: '' }],
    ['without a resource', { resource: undefined }],
    ['with resources that are no texts', { resource: [1] }],
    ['with no resources', { resource: [] }],
    ['with scopes that are no text', { scope: ['mcp:tools'] }],
    ["bound to a key, which it can't be checked for (RFC 7800)", { cnf: { jkt: 'x' } }],
    ['with details that are not understood (RFC 9396)', { authorization_details: [{ type: 'x' }] }],
    ['of an issuer that is not trusted', { iss: 'https://elsewhere.example' }],
    ['of the issuer of other tokens', { iss: 'TOKENS' }],
    ['of ourselves', { iss: 'ORIGIN' }],
  ])('is refused: %s', async (_name, claims) => {
    const places: Record<string, string> = { ORIGIN: origin, RESOURCE: stage.url, TOKENS: stage.tokenIssuer.issuer }
    const place = (value: unknown) => (typeof value === 'string' ? (places[value] ?? value) : value)
    const placed = Object.entries(claims).map(([name, value]) => [name, Array.isArray(value) ? value.map(place) : place(value)])
    await expectRefusal(await show(await stage.mintAssertion(Object.fromEntries(placed))), 'invalid_grant')
  })

  it.each([['JWT'], ['at+jwt'], ['oauth-id-jag'], [undefined]])('is refused with the type %s (RFC 8725 §3.11)', async (typ) => {
    await expectRefusal(await show(await stage.mintAssertion({}, { typ })), 'invalid_grant')
  })

  it('is refused with no signature, a changed one, or one made with the public key as a secret (RFC 8725 §2.1)', async () => {
    const assertion = await stage.mintAssertion()
    const payload = { ...decodeJwt(assertion), sub: 'bob' }
    const { publicJwk, kid, privateKey } = stage.assertionIssuer.signingKey
    const header = { typ: 'oauth-id-jag+jwt', kid }
    const pem = createPublicKey({ key: publicJwk as never, format: 'jwk' })
      .export({ type: 'spki', format: 'pem' })
      .toString()
    await expectRefusal(await show(forge({ header: { ...header, alg: 'none' }, payload }, undefined)), 'invalid_grant')
    await expectRefusal(await show(forge({ header: { ...header, alg: 'HS256' }, payload }, pem, 'HS256')), 'invalid_grant')
    const [head, , signature] = assertion.split('.')
    const changed = `${head}.${Buffer.from(JSON.stringify(payload)).toString('base64url')}.${signature}`
    await expectRefusal(await show(changed), 'invalid_grant')
    // The attacker's own key, sent along (RFC 8725 §3.10 on `jwk`).
    const own = KeyObject.from(await importPKCS8(stage.signerKey, 'ES256', { extractable: true }))
    const jwk = await exportJWK(createPublicKey(own))
    await expectRefusal(await show(forge({ header: { ...header, alg: 'ES256', jwk }, payload }, own, 'ES256')), 'invalid_grant')
    expect((await show(forge({ header: { ...header, alg: 'RS256' }, payload }, privateKey))).status).toBe(200)
  })

  it('gives no scope beyond those of the assertion, the client, and the server (RFC 6749 §3.3)', async () => {
    const wide = await stage.mintAssertion({ scope: 'mcp:tools mcp:admin other' })
    expect(await readJson(await show(wide, { scope: 'mcp:tools mcp:admin other' }))).toMatchObject({ scope: 'mcp:tools' })
    await expectRefusal(await show(await stage.mintAssertion({ scope: 'other' })), 'invalid_scope')
    await expectRefusal(await show(await stage.mintAssertion({ scope: '' })), 'invalid_scope')
  })

  it('is refused to clients without the grant, and to public ones', async () => {
    for (const client of ['job', 'gateway', 'web']) {
      const assertion = await stage.mintAssertion({ client_id: client })
      await expectRefusal(await show(assertion, {}, client), 'unauthorized_client')
    }
    const assertion = await stage.mintAssertion({ client_id: 'public' })
    await expectRefusal(await show(assertion, { client_id: 'public' }, ''), 'unauthorized_client')
  })

  it.each([[undefined], [''], ['x'], ['a.b.c'], ['x'.repeat(20_000)]])('is refused when it is none', async (assertion) => {
    const response = await show(assertion)
    expect([response.status, (await readJson(response)).error]).toEqual([400, expect.stringMatching(/^invalid_(grant|request)$/)])
  })
})

describe('token exchange (RFC 8693)', () => {
  const exchange = (token: string | undefined, form: Parameters<MachineStage['request']>[0] = {}, client = 'gateway') =>
    stage.request(
      { grant_type: TOKEN_EXCHANGE, subject_token: token, subject_token_type: ACCESS_TOKEN_TYPE, resource: stage.url, ...form },
      client,
    )
  const mint = (claims: Record<string, unknown> = {}, header?: Record<string, unknown>) =>
    stage.tokenIssuer.mint({ claims: { aud: origin, ...claims }, ...(header && { header }) })

  it.each([
    ['without an audience', { aud: undefined }, {}],
    ['for somebody else', { aud: 'https://elsewhere.example/api' }, {}],
    ['of an unknown issuer', { iss: 'https://elsewhere.example' }, {}],
    ['that is over', { iat: 1_000_000_000, exp: 1_000_000_300 }, {}],
    ['that never ends', { exp: undefined }, {}],
    ['about nobody', { sub: undefined }, {}],
    ['bound to a key (RFC 7800)', { cnf: { jkt: 'x' } }, {}],
    ['that another client alone may act with (§4.4)', { may_act: { sub: 'somebody' } }, {}],
    ['with a word on who may act that is no object (§4.4)', { may_act: 'gateway' }, {}],
    ['that is an ID token', { nonce: 'n', at_hash: 'h' }, { typ: 'JWT' }],
    ['that is an identity assertion', {}, { typ: 'oauth-id-jag+jwt' }],
    ['with too many who act for each other', { act: { act: { act: { act: { act: { sub: 'x' } } } } } }, {}],
  ])('refuses a token %s (§2.2.2)', async (_name, claims, header) => {
    await expectRefusal(await exchange(await mint(claims, header)), 'invalid_request')
  })

  it.each([
    ['no type', { subject_token_type: undefined }],
    ['the type of a refresh token', { subject_token_type: 'urn:ietf:params:oauth:token-type:refresh_token' }],
    ['the type of an ID token', { subject_token_type: 'urn:ietf:params:oauth:token-type:id_token' }],
    ['a token for an actor', { actor_token: 'x', actor_token_type: ACCESS_TOKEN_TYPE }],
    ['a wish for a refresh token', { requested_token_type: 'urn:ietf:params:oauth:token-type:refresh_token' }],
    ['a wish for an identity assertion', { requested_token_type: 'urn:ietf:params:oauth:token-type:id-jag' }],
  ])('refuses a request with %s (§2.1)', async (_name, form) => {
    await expectRefusal(await exchange(await mint(), form), 'invalid_request')
  })

  it.each([
    ['a resource of somebody else', { resource: 'https://elsewhere.example/mcp' }],
    ['an audience of somebody else', { resource: undefined, audience: 'https://elsewhere.example/mcp' }],
    ['an audience that is not the resource', { audience: 'OTHER' }],
    ['neither, where there are several', { resource: undefined }],
  ])('refuses %s (§2.2.2)', async (_name, form) => {
    const placed = { ...form, ...('audience' in form && form.audience === 'OTHER' && { audience: `${origin}/other` }) }
    await expectRefusal(await exchange(await mint(), placed), 'invalid_target')
  })

  it('never widens scopes (§5)', async () => {
    await expectRefusal(await exchange(await mint({ scope: 'mcp:tools' }), { scope: 'mcp:admin' }), 'invalid_scope')
    await expectRefusal(await exchange(await mint({ scope: 'other' })), 'invalid_scope')
    await expectRefusal(await exchange(await mint({ scope: undefined })), 'invalid_scope')
    const answer = await readJson(await exchange(await mint({ scope: 'mcp:tools other' }), { scope: 'mcp:tools mcp:admin' }))
    expect(answer.scope).toBe('mcp:tools')
  })

  it('never lengthens a life', async () => {
    const answer = await readJson(await exchange(await mint({ exp: Math.floor(Date.now() / 1000) + 100 })))
    expect(answer.expires_in).toBeLessThanOrEqual(100)
  })

  it('refuses a token that was signed with the public key as a secret, or not at all (RFC 8725 §2.1)', async () => {
    const { publicJwk, kid } = stage.tokenIssuer.signingKey
    const payload = decodeJwt(await mint())
    const pem = createPublicKey({ key: publicJwk as never, format: 'jwk' })
      .export({ type: 'spki', format: 'pem' })
      .toString()
    await expectRefusal(await exchange(forge({ header: { alg: 'none', typ: 'at+jwt' }, payload }, undefined)), 'invalid_request')
    const header = { alg: 'HS256', typ: 'at+jwt', kid }
    await expectRefusal(await exchange(forge({ header, payload }, pem, 'HS256')), 'invalid_request')
  })

  it('is for clients that have the grant', async () => {
    for (const client of ['job', 'agent', 'web'])
      await expectRefusal(await exchange(await mint(), {}, client), 'unauthorized_client')
    await expectRefusal(await exchange(await mint(), { client_id: 'public' }, ''), 'unauthorized_client')
  })

  it('refuses what a user was given here and revoked, and the other tokens of a sign-in', async () => {
    const client = await createRawClient(origin)
    const code = await authorize(origin, client, alice)
    const tokens = await readJson(await redeem(origin, client, code))
    await expectRefusal(await exchange(tokens.refresh_token), 'invalid_request')
    await expectRefusal(await exchange(code.code), 'invalid_request')
    expect((await exchange(tokens.access_token)).status).toBe(200)
    // A code that is used twice ends what it led to (RFC 6749 §4.1.2).
    await redeem(origin, client, code)
    await expectRefusal(await exchange(tokens.access_token), 'invalid_request')
  })

  describe('leaves the sign-in alone whose token was exchanged', () => {
    const callAdmin = (token: string) =>
      fetch(stage.url, {
        method: 'POST',
        headers: {
          authorization: `Bearer ${token}`,
          'content-type': 'application/json',
          accept: 'application/json, text/event-stream',
        },
        body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'admin_reset', arguments: {} } }),
      })
    const start = async () => {
      const client = await createRawClient(origin)
      const tokens = await obtainTokens(origin, client, alice)
      const { access_token: exchanged } = await readJson(await exchange(tokens.access_token))
      const { access_token: again } = await readJson(await exchange(exchanged))
      return { client, tokens, exchanged, again }
    }

    it('when the gateway is told that it needs more scope', async () => {
      const { client, tokens, exchanged, again } = await start()
      for (const token of [exchanged, again]) expect((await callAdmin(token)).status).toBe(403)
      expect((await refresh(origin, client, tokens.refresh_token)).status).toBe(200)
    })

    it('when the gateway revokes its own token (RFC 7009 §2.1)', async () => {
      const { client, tokens, exchanged, again } = await start()
      for (const token of [again, exchanged]) {
        expect(await callMcp(stage.url, token)).toBe(200)
        const form = { token, client_id: 'gateway', client_secret: MACHINE_SECRETS.gateway }
        expect((await postForm(`${origin}/revoke`, form)).status).toBe(200)
        expect(await callMcp(stage.url, token)).toBe(401)
      }
      expect(await callMcp(stage.url, tokens.access_token)).toBe(200)
      expect((await refresh(origin, client, tokens.refresh_token)).status).toBe(200)
    })

    it('but ends with it, and says nothing of it', async () => {
      const { client, tokens, exchanged, again } = await start()
      const form = { token: exchanged, client_id: 'gateway', client_secret: MACHINE_SECRETS.gateway }
      const told = await readJson(await postForm(`${origin}/introspect`, form))
      expect(told).toMatchObject({ active: true, act: { sub: 'gateway' } })
      expect(Object.keys(told).filter((name) => name.includes('grant'))).toEqual([])
      await postForm(`${origin}/revoke`, { token: tokens.refresh_token, client_id: client.id })
      for (const token of [exchanged, again]) expect(await callMcp(stage.url, token)).toBe(401)
      await expectRefusal(await exchange(exchanged), 'invalid_request')
    })
  })

  it('says nothing about why, and notes it in the log', async () => {
    const response = await exchange(await mint({ aud: 'https://elsewhere.example/secret-place' }))
    expect(JSON.stringify(await readJson(response))).not.toMatch(/elsewhere|secret-place/)
    expect(stage.proxy.log.text()).toMatch(/token_audience_mismatch/)
  })
})

describe('subjects of different issuers', () => {
  it('never meet: the same name is another user (RFC 7519 §4.1.2)', async () => {
    const client = await createRawClient(origin)
    const { access_token: token } = await obtainTokens(origin, client, alice)
    const { sub } = decodeJwt(token)
    const assertion = await stage.mintAssertion({ sub })
    const answer = await readJson(await stage.request({ grant_type: JWT_BEARER, assertion, resource: stage.url }, 'agent'))
    expect(decodeJwt(answer.access_token).sub).toBe(`${stage.assertionIssuer.issuer}|${sub}`)
    expect(await callMcp(stage.url, answer.access_token)).toBe(200)
  })
})

describe('the rules for users', () => {
  it('hold for those whom an identity assertion is about, and for those of exchanged tokens', async () => {
    const allow = [{ claim: 'email_domain', values: ['example.com'] }]
    const grant = [{ scopes: ['mcp:tools'] }, { claim: 'groups', values: ['admins'], scopes: ['mcp:admin'] }]
    const strict = await startMachineStage({ provider: { allow, grant } })
    try {
      const resource = strict.url
      const show = async (claims: object, scope?: string) =>
        strict.request({ grant_type: JWT_BEARER, assertion: await strict.mintAssertion({ ...claims }), resource, scope }, 'agent')
      const exchange = async (claims: object, scope?: string) => {
        const usual = { aud: strict.proxy.origin, scope: 'mcp:tools mcp:admin', ...claims }
        const token = await strict.tokenIssuer.mint({ claims: usual })
        const form = { grant_type: TOKEN_EXCHANGE, subject_token: token, subject_token_type: ACCESS_TOKEN_TYPE, resource, scope }
        return strict.request(form, 'gateway')
      }
      const good = { email: 'alice@example.com', email_verified: true }
      await expectRefusal(await show({ email_verified: false }), 'invalid_grant')
      await expectRefusal(await show({ ...good, email: 'alice@elsewhere.example' }), 'invalid_grant')
      expect((await show(good)).status).toBe(200)
      await expectRefusal(await exchange({}), 'invalid_request')
      await expectRefusal(await exchange(good, 'mcp:admin'), 'invalid_scope')
      expect(await readJson(await exchange({ ...good, groups: ['admins'] }, 'mcp:admin'))).toMatchObject({ scope: 'mcp:admin' })
    } finally {
      await strict.close()
    }
  })
})

describe('a known client with users', () => {
  const client = { id: 'web', redirectUri: 'https://client.example/cb', secret: undefined }

  it('gets no scopes beyond its own, whatever its user may have (RFC 6749 §3.3)', async () => {
    const code = await authorize(origin, client, alice, { scope: 'mcp:tools mcp:admin' })
    const answer = await readJson(await redeem(origin, client, code, { client_secret: MACHINE_SECRETS.web }))
    expect(decodeJwt(answer.access_token)).toMatchObject({ scope: 'mcp:tools', aud: stage.url })
  })

  it('is told that it may have nothing of a server that is not for it (RFC 8707 §2)', async () => {
    const request = createRequest(origin, client, { resource: `${origin}/other` })
    const response = await fetch(request.url, { redirect: 'manual' })
    const location = new URL(response.headers.get('location') ?? '')
    expect([location.host, location.searchParams.get('error')]).toEqual(['client.example', 'invalid_target'])
  })
})

describe('an issuer that cannot be asked for its keys', () => {
  // Of its own: what others showed may have had the issuer asked a moment ago, and it is not asked again at once.
  let away: MachineStage
  beforeAll(async () => {
    away = await startMachineStage()
  })
  afterAll(() => away?.close())

  it('makes us say so, and no client gets a token (RFC 6749 §5.2 has no error for it: 503)', async () => {
    await away.assertionIssuer.setOutage('refuse')
    const assertion = await away.mintAssertion()
    const response = await away.request({ grant_type: JWT_BEARER, assertion, resource: away.url }, 'agent')
    await expectRefusal(response, 'temporarily_unavailable', 503)
  })
})

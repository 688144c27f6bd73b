// What an identity provider, or a user who can change what it says of them, may answer: nobody gets more by it, and nobody else is hurt.
import { afterEach, describe, expect, it, vi } from 'vitest'
import { startAuthorizationServer } from '../../src/sandbox/authorization-server.ts'
import { SAMPLE_USERS } from '../../src/sandbox/users.ts'
import { callMcp, createRawClient, obtainTokens, readJson, refresh } from '../support/broker-client.ts'
import { BROKER_CLIENT, startBrokerStage } from '../support/broker-stage.ts'
import { type Claims, SUBJECT, sendJson, type Vendor } from '../support/identity-profiles/vendor.ts'
import { returnFromVendor, signInAtVendor } from '../support/vendor-sign-in.ts'
import { OIDC_VENDOR, startVendorStage, type VendorStage, type VendorStageOptions } from '../support/vendor-stage.ts'

const [alice] = SAMPLE_USERS

let stage: VendorStage | undefined
afterEach(async () => {
  vi.useRealTimers()
  await stage?.close()
  stage = undefined
})

async function start(options: VendorStageOptions = {}): Promise<VendorStage> {
  stage = await startVendorStage(options)
  return stage
}

const later = (seconds: number) => vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + seconds * 1000 })

/** A provider of one user, of whom a test says what stands in ID tokens and at the userinfo endpoint. Refreshes bring no ID token. */
function createVendor(told: { idToken: Claims; userinfo: Claims }, answer: Claims = {}): Vendor {
  let isSignIn = true
  return {
    ...OIDC_VENDOR,
    idToken: () => told.idToken,
    users: () => ({ sub: SUBJECT, ...told.userinfo }),
    sendTokens: (_request, response, status, tokens) => {
      const { id_token: idToken, ...others } = tokens
      sendJson(response, status, { ...others, ...answer, ...(isSignIn && { id_token: idToken }) })
      isSignIn = false
    },
  }
}

describe('the verification of an address (OpenID Connect Core §5.1)', () => {
  const corp = [{ claim: 'email_domain', values: ['corp.example'] }]
  const boss = [{ claim: 'email', values: ['boss@corp.example'] }]
  const home = { email: 'ann@home.example', email_verified: true }

  it.each([
    ['by its domain', corp, home, { email: 'boss@corp.example' }],
    ['by itself', boss, home, { email: 'boss@corp.example' }],
    ['by itself, though nobody verified it', boss, {}, { email: 'boss@corp.example', email_verified: false }],
    ['by itself, where the word on it is none', boss, {}, { email: 'boss@corp.example', email_verified: null }],
  ])('of another one lets no user in %s', async (_name, allow, idToken, userinfo) => {
    const { origin, client } = await start({ vendor: createVendor({ idToken, userinfo }), provider: () => ({ allow }) })
    expect((await returnFromVendor(origin, client)).answer.status).toBe(403)
  })

  it.each([
    ['both say it', { email: 'boss@corp.example', email_verified: true }, { email: 'boss@corp.example' }],
    ['the userinfo endpoint alone says it', {}, { email: 'boss@corp.example', email_verified: true }],
    ['the ID token alone says it', { email: 'boss@corp.example', email_verified: true }, {}],
  ])('lets its owner in, and go on: %s', async (_name, idToken, userinfo) => {
    const vendor = createVendor({ idToken, userinfo })
    const { origin, client, url } = await start({ vendor, provider: () => ({ allow: corp }) })
    let { refresh_token: token } = await signInAtVendor(origin, client)
    for (const hours of [1, 2, 3]) {
      later(hours * 3700)
      const answer = await readJson(await refresh(origin, client, token))
      expect(await callMcp(url, answer.access_token)).toBe(200)
      token = answer.refresh_token
    }
  })

  it('does not go over to the address that its user takes later', async () => {
    const told = { idToken: { email: 'ann@corp.example', email_verified: true }, userinfo: { email: 'ann@corp.example' } }
    const allow = [{ claim: 'email_domain', values: ['corp.example'] }]
    const grant = [{ scopes: ['mcp:tools'] }, { claim: 'email', values: ['boss@corp.example'], scopes: ['mcp:admin'] }]
    const { origin, client } = await start({ vendor: createVendor(told), provider: () => ({ allow, grant }) })
    const tokens = await signInAtVendor(origin, client)
    told.userinfo.email = 'boss@corp.example'
    later(3700)
    const answer = await refresh(origin, client, tokens.refresh_token)
    expect([answer.status, await readJson(answer)]).toMatchObject([400, { error: 'invalid_grant' }])
  })
})

describe('a time at which the user authenticated', () => {
  const OPENID = { scope: 'openid mcp:tools' }

  it.each([
    ['in milliseconds', () => Date.now()],
    ['tomorrow', () => Date.now() / 1000 + 86_400],
  ])('that is yet to come is none: %s', async (_name, time) => {
    const vendor: Vendor = { ...OIDC_VENDOR, idToken: () => ({ auth_time: Math.floor(time()) }) }
    const { origin, client } = await start({ vendor })
    const young = await returnFromVendor(origin, client, { changes: { ...OPENID, max_age: '600' } })
    expect([young.answer.status, await young.answer.text()]).toEqual([
      403,
      expect.stringContaining('A fresh sign-in is required'),
    ])
    const { browser } = await signInAtVendor(origin, client, { changes: OPENID })
    const again = await returnFromVendor(origin, client, { browser, changes: { ...OPENID, max_age: '600' } })
    expect(again.sent.searchParams.get('max_age')).toBe('600')
  })
})

describe('the lifetime of an answer', () => {
  it.each([-1, -1e308, '-5', '1e309', 'soon', true, { seconds: 3600 }])(
    'of %j is none: nobody is signed in',
    async (lifetime) => {
      const vendor = createVendor({ idToken: {}, userinfo: {} }, { expires_in: lifetime })
      const { origin, client } = await start({ vendor })
      expect((await returnFromVendor(origin, client)).answer.status).toBe(503)
    },
  )

  it.each([0, '0', 60, 1e15, 1e308])('of %j keeps the provider from being asked for eight hours at most', async (lifetime) => {
    const vendor = createVendor({ idToken: {}, userinfo: {} }, { expires_in: lifetime })
    const { origin, client, profile } = await start({ vendor })
    const tokens = await signInAtVendor(origin, client)
    profile.endSessions()
    later(28_801)
    expect((await refresh(origin, client, tokens.refresh_token)).status).toBe(400)
  })
})

describe('what is said of a user', () => {
  const nest = (depth: number) => `${'['.repeat(depth)}"staff"${']'.repeat(depth)}`

  it.each([
    ['a few thousand levels deep', `{"sub":"${SUBJECT}","groups":${nest(5_000)}}`],
    ['as deep as there is room', `{"sub":"${SUBJECT}","groups":${nest(30_000)}}`],
    ['made of names that objects have', `{"sub":"${SUBJECT}","__proto__":{"groups":["staff"]},"constructor":{"groups":"staff"}}`],
    ['of other types', `{"sub":"${SUBJECT}","groups":{"staff":true},"email":["a@corp.example"],"name":{"first":"Ann"}}`],
    ['a list in a list', `{"sub":"${SUBJECT}","groups":${nest(2)}}`],
    ['said twice', `{"sub":"${SUBJECT}","groups":["visitors"],"groups":["visitors"],"sub":"${SUBJECT}"}`],
  ])('meets no condition when it is %s, and the proxy goes on', async (_name, text) => {
    const provider = () => ({ allow: [{ claim: 'groups', values: ['staff'] }] })
    const { origin, client, profile, proxy } = await start({ provider })
    profile.interfere(OIDC_VENDOR.paths.userinfo, (response) => {
      response.writeHead(200, { 'content-type': 'application/json' }).end(text)
    })
    const { answer } = await returnFromVendor(origin, client)
    expect([403, 503]).toContain(answer.status)
    expect(proxy.log.records().filter(({ code }) => code === 'internal_error')).toEqual([])
    expect((await fetch(`${origin}/healthz`)).status).toBe(200)
  })
})

describe('an address by which a provider without OpenID Connect knows its users', () => {
  it.each([
    [true, true],
    ['true', true],
    [undefined, true],
    [false, false],
    [null, false],
  ])('names its user when it is verified (email_verified: %j): %j', async (verified, isSignedIn) => {
    await expectSignIn({ email_verified: verified }, isSignedIn ? undefined : '403')
  })

  it.each([
    ['https://ci.example.com|robot', '503'],
    ['spiffe://example.com|spiffe://example.com/ci', '503'],
    ['auth0|robot', undefined],
    ['https://ann.example.com', undefined],
  ])('is not that of a user whom another issuer vouched for: %s', async (email, refused) => {
    await expectSignIn({ email, email_verified: true }, refused)
  })

  /** @param refused - part of the message with which the sign-in fails */
  async function expectSignIn(claims: object, refused: string | undefined): Promise<void> {
    const user = { ...alice, claims: { ...alice.claims, ...claims } }
    const client = { ...BROKER_CLIENT, token_endpoint_auth_method: 'client_secret_post' as const }
    const identityProvider = await startAuthorizationServer({ clients: [client], users: [user] })
    const { issuer } = identityProvider
    const endpoints = { authorization_endpoint: `${issuer}/authorize`, token_endpoint: `${issuer}/token` }
    const oauth = { ...endpoints, userinfo_endpoint: `${issuer}/userinfo`, subject_claim: 'email' }
    const broker = await startBrokerStage({ provider: { issuer: undefined, oauth, scopes: ['openid', 'email'] } })
    const tokens = obtainTokens(broker.proxy.origin, await createRawClient(broker.proxy.origin), user)
    if (refused === undefined) expect((await tokens).scope).toBe('mcp:tools')
    else await expect(tokens).rejects.toThrow(refused)
    await Promise.all([broker.close(), identityProvider.close()])
  }
})

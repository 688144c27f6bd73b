import { decodeJwt } from 'jose'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { type ExampleMcpServer, startMcpServer } from '../../demo/mcp-server.ts'
import { createOAuthClient } from '../../demo/oauth-client.ts'
import type { ConfigInput } from '../../src/config/schema/schema.ts'
import { SAMPLE_USERS } from '../../src/sandbox/users.ts'
import {
  callMcp,
  createBrowser,
  createRawClient,
  createRequest,
  obtainTokens,
  openConsentPage,
  readRefresh,
  refresh,
  sendConsent,
} from '../support/broker-client.ts'
import { type Profile, startProfile } from '../support/identity-profiles/profile.ts'
import { SUBJECT, VENDOR_CLIENT, type Vendor } from '../support/identity-profiles/vendor.ts'
import {
  AUTH0,
  COGNITO,
  COGNITO_POOL,
  createOkta,
  ENTRA,
  ENTRA_TENANT,
  GITHUB,
  GOOGLE,
  KEYCLOAK,
} from '../support/identity-profiles/vendors.ts'
import { findSecrets } from '../support/log.ts'
import { startTestProxy, type TestProxy } from '../support/proxy.ts'
import { connectSdkClient, type Generation } from '../support/sdk-clients.ts'

const [alice] = SAMPLE_USERS
const GENERATIONS: Generation[] = ['v1', 'v2 legacy', 'v2 auto']

type ProviderInput = NonNullable<ConfigInput['identity_provider']>
type Written = Omit<ProviderInput, 'client_id'>

interface Stage {
  readonly profile: Profile
  readonly mcpServer: ExampleMcpServer
  readonly proxy: TestProxy
  readonly url: string
}

const closing: (() => Promise<void>)[] = []
afterEach(async () => {
  vi.useRealTimers()
  for (const close of closing.splice(0).reverse()) await close()
})

async function start(vendor: Vendor, write: (profile: Profile) => Written, server: object = {}): Promise<Stage> {
  const profile = await startProfile(vendor)
  const mcpServer = await startMcpServer()
  closing.push(profile.close, mcpServer.close)
  const proxy = await startTestProxy(
    {
      identity_provider: { client_id: VENDOR_CLIENT.id, client_secret: { env: 'VENDOR_SECRET' }, ...write(profile) },
      broker: { store: { kind: 'memory' }, authorizations_per_minute: 100_000 },
      servers: [{ path: '/mcp', upstream: mcpServer.streamableHttpUrl, scopes: ['mcp:tools'], ...server }],
    },
    { VENDOR_SECRET: VENDOR_CLIENT.secret },
  )
  closing.push(proxy.close)
  return { profile, mcpServer, proxy, url: `${proxy.origin}/mcp` }
}

interface Case {
  readonly vendor: Vendor
  /** What a user writes. The address of the profile stands for that of the vendor. */
  readonly write: (profile: Profile) => Written
  readonly subject?: string
  readonly offline: boolean
}

const CASES: Readonly<Record<string, Case>> = {
  auth0: { vendor: AUTH0, write: ({ issuer }) => ({ kind: 'auth0', issuer }), offline: true },
  'auth0 with an API': {
    vendor: AUTH0,
    write: ({ issuer }) => ({ kind: 'auth0', issuer, audience: 'https://api.example.com' }),
    offline: true,
  },
  keycloak: {
    vendor: KEYCLOAK,
    write: ({ origin }) => ({
      kind: 'keycloak',
      base_url: origin,
      realm: 'main',
      allow: [{ claim: 'realm_access.roles', values: ['mcp-user'] }],
    }),
    offline: true,
  },
  'okta, the organization': {
    vendor: createOkta(),
    write: ({ issuer }) => ({
      kind: 'okta',
      issuer,
      scopes: ['openid', 'profile', 'email', 'offline_access', 'groups'],
      allow: [{ claim: 'groups', values: ['mcp-users'] }],
    }),
    offline: true,
  },
  'okta, a custom authorization server': {
    vendor: createOkta('default'),
    write: ({ issuer }) => ({ kind: 'okta', issuer }),
    offline: true,
  },
  entra: {
    vendor: ENTRA,
    write: ({ origin }) => ({
      kind: 'entra',
      base_url: origin,
      tenant: ENTRA_TENANT.toUpperCase(),
      allow: [{ claim: 'roles', values: ['Mcp.User'] }],
    }),
    offline: true,
  },
  google: { vendor: GOOGLE, write: ({ issuer }) => ({ kind: 'google', issuer, domain: 'example.com' }), offline: true },
  github: {
    vendor: GITHUB,
    write: ({ origin }) => ({ kind: 'github', base_url: origin, organization: 'acme' }),
    subject: '583231',
    offline: false,
  },
  cognito: {
    vendor: COGNITO,
    write: ({ issuer }) => ({ kind: 'cognito', issuer, allow: [{ claim: 'cognito:groups', values: ['mcp-users'] }] }),
    offline: true,
  },
}

describe.each(Object.entries(CASES))('signing in with %s', (_, { vendor, write, subject = SUBJECT, offline }) => {
  it.each(GENERATIONS)('takes the %s client from nothing to a tool call', async (generation) => {
    const { url, profile, proxy } = await start(vendor, write)
    const oauth = createOAuthClient({ name: 'Test client', redirectUri: 'http://localhost:50124/callback' })
    const client = await connectSdkClient({ generation, transport: 'streamable', url, oauth, user: alice })
    expect(await client.callTool('echo', { message: 'hello' })).toContain('hello')
    await client.close()
    expect(decodeJwt(oauth.tokens()?.access_token ?? '')).toMatchObject({ iss: proxy.origin, aud: url, sub: subject })
    expect(findSecrets(proxy.log.text(), [VENDOR_CLIENT.secret, ...profile.accessTokens])).toEqual([])
    for (const { length } of profile.accessTokens) expect(length).toBeGreaterThan(0)
    for (const request of [...profile.authorizations, ...profile.tokenRequests]) expect(request.has('resource')).toBe(false)
  })

  it(`${offline ? 'ends when the session there ends' : 'lasts as long as our own grant does'}`, async () => {
    const { url, proxy, profile } = await start(vendor, write)
    const client = await createRawClient(proxy.origin)
    const tokens = await obtainTokens(proxy.origin, client, alice)
    expect(await callMcp(url, tokens.access_token)).toBe(200)
    profile.endSessions()
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 3_600_000 })
    const answer = await refresh(proxy.origin, client, tokens.refresh_token)
    expect(answer.status).toBe(offline ? 400 : 200)
    if (offline) expect(await answer.json()).toMatchObject({ error: 'invalid_grant' })
  })
})

describe('an identity provider that changes its key', () => {
  it('keeps no user waiting until the keys that were fetched before are old', async () => {
    const { profile, proxy } = await start(KEYCLOAK, CASES.keycloak!.write)
    const client = await createRawClient(proxy.origin)
    await obtainTokens(proxy.origin, client, alice)
    for (let changes = 0; changes < 2; changes += 1) {
      await profile.rotateKey()
      expect((await obtainTokens(proxy.origin, client, alice)).access_token).not.toBe('')
    }
  })
})

describe('who is kept out', () => {
  const refused = /answers 403/

  async function expectRefusal(vendor: Vendor, write: Case['write'], said: RegExp = refused): Promise<Stage> {
    const stage = await start(vendor, write)
    const client = await createRawClient(stage.proxy.origin)
    await expect(obtainTokens(stage.proxy.origin, client, alice)).rejects.toThrow(said)
    return stage
  }

  it('an account of another Workspace, whatever the browser chose at Google', () =>
    expectRefusal(GOOGLE, ({ issuer }) => ({ kind: 'google', issuer, domain: 'example.org' })))

  it('a GitHub user who is no member of the organization', () =>
    expectRefusal(GITHUB, ({ origin }) => ({ kind: 'github', base_url: origin, organization: 'acme-labs' })))

  it('a GitHub user whose organizations the application may not see', () =>
    expectRefusal(GITHUB, ({ origin }) => ({
      kind: 'github',
      base_url: origin,
      scopes: ['read:user'],
      allow: [{ claim: 'organizations', values: ['acme'] }],
    })))

  it('a user of Entra ID by the domain of an unverified email address', () =>
    expectRefusal(ENTRA, ({ origin }) => ({
      kind: 'entra',
      base_url: origin,
      tenant: ENTRA_TENANT,
      allow: [{ claim: 'email_domain', values: ['example.com'] }],
    })))

  it('everybody, where Entra ID is sent a resource after all', async () => {
    const { profile } = await expectRefusal(
      ENTRA,
      ({ origin }) => ({
        kind: 'entra',
        base_url: origin,
        tenant: ENTRA_TENANT,
        authorization_parameters: { resource: 'https://mcp.example.com/mcp' },
      }),
      /503/,
    )
    expect(profile.tokenRequests).toEqual([])
  })

  it('everybody, where Auth0 does not know the API', () =>
    expectRefusal(AUTH0, ({ issuer }) => ({ kind: 'auth0', issuer, audience: 'https://unknown' }), /not signed in|refus/i))

  it('who cancelled', async () => {
    const { profile, proxy } = await start(GOOGLE, ({ issuer }) => ({ kind: 'google', issuer }))
    profile.cancelNext()
    const client = await createRawClient(proxy.origin)
    await expect(obtainTokens(proxy.origin, client, alice)).rejects.toThrow(/not signed in/)
  })
})

describe('what is special to a kind', () => {
  it('Google: a refresh token comes with every sign-in, and choosing another account keeps that', async () => {
    const { profile, proxy } = await start(GOOGLE, ({ issuer }) => ({ kind: 'google', issuer }))
    const client = await createRawClient(proxy.origin)
    await obtainTokens(proxy.origin, client, alice)
    const browser = createBrowser()
    const { url } = createRequest(proxy.origin, client)
    const page = await openConsentPage(browser, url)
    const away = readRefresh(await (await sendConsent(browser, page, { action: 'switch' })).text())
    await fetch(away, { redirect: 'manual' })
    expect(profile.authorizations.at(-1)?.get('prompt')).toBe('consent select_account')
    for (const request of profile.authorizations) {
      expect(request.get('access_type')).toBe('offline')
      expect(request.get('prompt')?.split(' ')).toContain('consent')
    }
  })

  it('GitHub: the verified primary address counts, not what the profile shows', async () => {
    const { proxy } = await start(GITHUB, ({ origin }) => ({
      kind: 'github',
      base_url: origin,
      allow: [{ claim: 'email_domain', values: ['example.com'] }],
      token_claims: ['email', 'login'],
    }))
    const tokens = await obtainTokens(proxy.origin, await createRawClient(proxy.origin), alice)
    expect(decodeJwt(tokens.access_token)).toMatchObject({ email: 'alice@example.com', login: 'alice', sub: '583231' })
  })

  it('Cognito: scopes are named, and its endpoints are found on another host', async () => {
    const { profile, proxy } = await start(COGNITO, ({ issuer }) => ({ kind: 'cognito', issuer }))
    expect(new URL(profile.issuer).pathname).toBe(`/${COGNITO_POOL}`)
    await obtainTokens(proxy.origin, await createRawClient(proxy.origin), alice)
    expect(profile.authorizations[0]?.get('scope')).toBe('openid email')
  })

  it('Auth0: the user’s own token is for the API that the configuration names', async () => {
    const { mcpServer, proxy, profile, url } = await start(
      AUTH0,
      ({ issuer }) => ({ kind: 'auth0', issuer, audience: 'https://api.example.com' }),
      { credential: 'identity_provider_token' },
    )
    const tokens = await obtainTokens(proxy.origin, await createRawClient(proxy.origin), alice)
    expect(await callMcp(url, tokens.access_token)).toBe(200)
    expect(decodeJwt(profile.accessTokens[0] ?? '').aud).toContain('https://api.example.com')
    expect(mcpServer.received.withCredentials).toBe(mcpServer.received.requests)
  })
})

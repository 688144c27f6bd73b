// What the doctor tells of identity providers: what they know of the proxy, and whether users get through.
import { createServer } from 'node:https'
import { text } from 'node:stream/consumers'
import { afterEach, describe, expect, it } from 'vitest'
import { loadConfigValue } from '../src/config/load.ts'
import { DIRECT } from '../src/core/plan/egress-plan.ts'
import { CLIENT_DOCUMENTS } from '../src/doctor/check-documents.ts'
import { examine } from '../src/doctor/doctor.ts'
import type { Finding } from '../src/doctor/finding.ts'
import { probeDocuments } from '../src/doctor/probe-documents.ts'
import { closeServer, listenOnLoopback } from '../src/sandbox/listen.ts'
import { createCertificate } from './support/certificate.ts'
import { type Profile, startProfile } from './support/identity-profiles/profile.ts'
import { sendJson, VENDOR_CLIENT, type Vendor } from './support/identity-profiles/vendor.ts'
import { GITHUB } from './support/identity-profiles/vendors.ts'
import { OIDC_VENDOR } from './support/vendor-stage.ts'

const profiles: Profile[] = []
afterEach(() => Promise.all(profiles.splice(0).map((profile) => profile.close())))

async function start(vendor: Vendor = OIDC_VENDOR): Promise<Profile> {
  const profile = await startProfile(vendor)
  profiles.push(profile)
  return profile
}

const SCOPES = ['openid', 'profile', 'email', 'offline_access']

/** The findings about the identity provider, and those about the users of the server, of a configuration with some members changed. */
async function diagnose(profile: Profile, provider: object = {}, more: object = {}, secret = VENDOR_CLIENT.secret) {
  const config = {
    public_url: 'http://localhost:1',
    identity_provider: {
      issuer: profile.issuer,
      client_id: VENDOR_CLIENT.id,
      client_secret: { env: 'SECRET' },
      client_authentication: OIDC_VENDOR.authentication,
      scopes: SCOPES,
      ...provider,
    },
    broker: { store: { kind: 'memory' } },
    servers: [{ path: '/mcp', upstream: 'http://127.0.0.1:1/mcp', scopes: ['mcp:tools'] }],
    ...more,
  }
  const { plan } = loadConfigValue(config, { env: { SECRET: secret }, directory: '/', terminal: false })
  const { findings } = await examine(plan, undefined, () => Promise.resolve(new Map()))
  expect(JSON.stringify(findings)).not.toContain(secret)
  return findings
}

const find = (findings: readonly Finding[], id: string) => findings.find((finding) => finding.id === id)
const BASIC = `Basic ${Buffer.from(`${VENDOR_CLIENT.id}:`).toString('base64').slice(0, 8)}`
const problemsOf = (findings: readonly Finding[]) =>
  findings.filter(({ about, verdict }) => about.startsWith('identity provider') && verdict !== 'ok')

describe('whether the identity provider knows the client', () => {
  it('is said where it tells the client from one that cannot exist, and users are let through', async () => {
    const findings = await diagnose(await start())
    expect(find(findings, 'client')).toMatchObject({ verdict: 'ok', says: expect.stringContaining('knows the client') })
    expect(find(findings, 'sign_in')).toMatchObject({ verdict: 'ok' })
    expect(problemsOf(findings)).toEqual([])
  })

  it('is left open where any id gets the same answer, since it looks at the code first', async () => {
    const profile = await start()
    profile.interfere(OIDC_VENDOR.paths.token, (response) => sendJson(response, 400, { error: 'invalid_grant' }))
    const findings = await diagnose(profile, { client_id: 'nobody-there' })
    expect(find(findings, 'client')).toBeUndefined()
    expect(find(findings, 'client_unclear')).toMatchObject({
      verdict: 'skipped',
      says: expect.stringContaining('every client the same answer'),
    })
  })

  it('is left open where there is no telling whether another one would be refused', async () => {
    const profile = await start()
    let asked = 0
    profile.interfere(OIDC_VENDOR.paths.token, (response) => {
      asked += 1
      if (asked === 1) sendJson(response, 400, { error: 'invalid_grant' })
      else response.destroy()
    })
    expect(find(await diagnose(profile), 'client_unclear')).toMatchObject({ verdict: 'skipped' })
  })

  describe('where it has a word of its own for the code (Glewlwyd)', () => {
    /** Knows the client by its secret in the form alone, as it decodes nothing in Basic. */
    const startOwnWords = async () => {
      const profile = await start()
      profile.interfere(OIDC_VENDOR.paths.token, async (response, request) => {
        const isKnown = new URLSearchParams(await text(request)).get('client_id') === VENDOR_CLIENT.id
        sendJson(response, 403, { error: isKnown ? 'invalid_code' : 'unauthorized_client' })
      })
      return profile
    }

    it('is said, since another client is refused', async () => {
      const findings = await diagnose(await startOwnWords(), { client_authentication: 'client_secret_post' })
      expect(find(findings, 'client')).toMatchObject({ verdict: 'ok', says: expect.stringContaining('knows the client') })
    })

    it('is a matter of how the secret is sent, where it takes it in the other way', async () => {
      const findings = await diagnose(await startOwnWords(), { client_authentication: 'client_secret_basic' })
      expect(find(findings, 'client_authentication')).toMatchObject({
        fix: expect.stringContaining('client_authentication: client_secret_post'),
      })
    })
  })

  it('is refused where the other way to send the secret is refused in other words than for a client that cannot exist', async () => {
    const profile = await start()
    profile.interfere(OIDC_VENDOR.paths.token, async (response, request) => {
      const isKnown = new URLSearchParams(await text(request)).get('client_id') === VENDOR_CLIENT.id
      sendJson(response, isKnown ? 403 : 401, { error: isKnown ? 'unauthorized_client' : 'invalid_client' })
    })
    const findings = await diagnose(profile, { client_authentication: 'client_secret_basic' })
    expect(find(findings, 'client_refused')).toMatchObject({ verdict: 'problem' })
  })

  it('is left open where it is out of order for this client', async () => {
    const profile = await start()
    profile.interfere(OIDC_VENDOR.paths.token, async (response, request) => {
      const isKnown = (await text(request)).includes(VENDOR_CLIENT.id) || request.headers.authorization?.startsWith(BASIC)
      sendJson(response, isKnown ? 503 : 401, { error: isKnown ? 'temporarily_unavailable' : 'invalid_client' })
    })
    const findings = await diagnose(profile)
    expect(find(findings, 'client')).toBeUndefined()
    expect(find(findings, 'client_unclear')).toMatchObject({ verdict: 'skipped' })
  })

  it('is a problem where it refuses the client by each way to send the secret', async () => {
    const findings = await diagnose(await start(), {}, {}, 'an-old-secret-of-the-proxy')
    expect(find(findings, 'client_refused')).toMatchObject({ verdict: 'problem' })
  })

  it.each([
    ['client_secret_basic', 'client_secret_post'],
    ['client_secret_post', 'client_secret_basic'],
  ] as const)('is a problem with a line to write where it refuses %s and takes %s', async (configured, taken) => {
    const profile = await start({ ...OIDC_VENDOR, authentication: taken })
    const findings = await diagnose(profile, { client_authentication: configured })
    expect(find(findings, 'client_authentication')).toMatchObject({
      verdict: 'problem',
      fix: expect.stringContaining(`client_authentication: ${taken}`),
    })
    expect(find(findings, 'client_refused')).toBeUndefined()
  })

  it('is refused, not a matter of how the secret is sent, where any client passes the other way', async () => {
    const profile = await start()
    profile.interfere(OIDC_VENDOR.paths.token, (response, request) => {
      const isBasic = request.headers.authorization !== undefined
      sendJson(response, isBasic ? 401 : 400, { error: isBasic ? 'invalid_client' : 'invalid_grant' })
    })
    const findings = await diagnose(profile, { client_authentication: 'client_secret_basic' })
    expect(find(findings, 'client_refused')).toMatchObject({ verdict: 'problem' })
  })

  it('is of no account where tokens are given for any code', async () => {
    const profile = await start()
    profile.interfere(OIDC_VENDOR.paths.token, (response) => sendJson(response, 200, { access_token: 'x', token_type: 'bearer' }))
    expect(find(await diagnose(profile), 'token_endpoint_open')).toMatchObject({ verdict: 'warning' })
  })

  it('is a problem where no token endpoint is', async () => {
    const profile = await start()
    profile.interfere(OIDC_VENDOR.paths.token, (response) => void response.writeHead(404).end('nothing here'))
    expect(find(await diagnose(profile), 'token_endpoint_fails')).toMatchObject({ verdict: 'problem' })
  })
})

describe('whether users get to the sign-in', () => {
  const interfering = async (answer: Parameters<Profile['interfere']>[1]) => {
    const profile = await start()
    profile.interfere(OIDC_VENDOR.paths.authorize, answer)
    return diagnose(profile)
  }

  it('is a problem where the redirect URI or the client is not known there', async () => {
    const findings = await interfering((response) => void response.writeHead(400).end('<h1>Invalid redirect_uri</h1>'))
    expect(find(findings, 'sign_in_refused')).toMatchObject({
      verdict: 'problem',
      fix: expect.stringContaining('http://localhost:1/oauth/callback'),
    })
  })

  it('is a problem where it sends browsers back with an error', async () => {
    const profile = await start({ ...OIDC_VENDOR, scopesSupported: ['openid'] })
    expect(find(await diagnose(profile), 'sign_in_refused')).toMatchObject({
      verdict: 'problem',
      says: expect.stringContaining('invalid_scope'),
    })
  })

  it('is not said of what keeps programs out', async () => {
    const findings = await interfering((response) => void response.writeHead(403).end())
    expect(find(findings, 'sign_in_unseen')).toMatchObject({ verdict: 'skipped' })
  })

  it('is a warning where the page is out of order', async () => {
    const findings = await interfering((response) => void response.destroy())
    expect(find(findings, 'sign_in_unreachable')).toMatchObject({ verdict: 'warning' })
  })

  it('asks what users ask', async () => {
    const profile = await start()
    await diagnose(profile, { authorization_parameters: { audience: 'api' } })
    expect(Object.fromEntries(profile.authorizations[0] ?? [])).toMatchObject({
      audience: 'api',
      client_id: VENDOR_CLIENT.id,
      redirect_uri: 'http://localhost:1/oauth/callback',
      scope: SCOPES.join(' '),
      code_challenge_method: 'S256',
    })
  })
})

describe('a provider without OpenID Connect', () => {
  it('is asked at the endpoints of the configuration', async () => {
    const profile = await start({ ...GITHUB, authentication: OIDC_VENDOR.authentication })
    const { paths } = GITHUB
    const findings = await diagnose(profile, {
      issuer: undefined,
      kind: 'oauth',
      scopes: ['user'],
      oauth: {
        authorization_endpoint: profile.origin + paths.authorize,
        token_endpoint: profile.origin + paths.token,
        userinfo_endpoint: profile.origin + paths.userinfo,
      },
    })
    expect(profile.authorizations).toHaveLength(1)
    expect(problemsOf(findings).filter(({ verdict }) => verdict !== 'skipped')).toEqual([])
  })
})

describe('the metadata of the identity provider', () => {
  const nowhere = 'http://localhost:1'
  const split: Vendor = {
    ...OIDC_VENDOR,
    issuer: () => nowhere,
    metadata: () => ({
      authorization_endpoint: `${nowhere}${OIDC_VENDOR.paths.authorize}`,
      token_endpoint: `${nowhere}${OIDC_VENDOR.paths.token}`,
      userinfo_endpoint: `${nowhere}${OIDC_VENDOR.paths.userinfo}`,
      jwks_uri: `${nowhere}${OIDC_VENDOR.paths.keys}`,
    }),
  }
  const at = (profile: Profile, path = '/.well-known/openid-configuration') => ({ metadata_url: `${profile.origin}${path}` })

  it('is looked for at `metadata_url`, and its endpoints with it; where browsers go cannot be seen from there', async () => {
    const profile = await start(split)
    const findings = await diagnose(profile, at(profile))
    expect(find(findings, 'client')).toMatchObject({ verdict: 'ok' })
    expect(find(findings, 'sign_in_unseen')).toMatchObject({ verdict: 'skipped' })
    expect(problemsOf(findings).filter(({ verdict }) => verdict === 'problem')).toEqual([])
  })

  it('is missing where `metadata_url` leads to nothing', async () => {
    const profile = await start(split)
    expect(find(await diagnose(profile, at(profile, '/elsewhere')), 'issuer_metadata_missing')).toMatchObject({
      verdict: 'problem',
      says: expect.stringContaining(`${profile.origin}/elsewhere`),
      fix: expect.stringContaining('metadata_url'),
    })
  })

  it('has to name the issuer there, too', async () => {
    const profile = await start()
    const findings = await diagnose(profile, { issuer: nowhere, ...at(profile) })
    expect(find(findings, 'issuer_mismatch')).toMatchObject({ verdict: 'problem' })
  })

  it('is that which the broker takes, where two documents name endpoints', async () => {
    const profile = await start()
    const other = { issuer: profile.issuer, token_endpoint: `${profile.origin}/other`, jwks_uri: `${profile.origin}/other` }
    profile.interfere('/.well-known/oauth-authorization-server', (response) => sendJson(response, 200, other))
    expect(find(await diagnose(profile), 'client')).toMatchObject({ verdict: 'ok' })
  })
})

describe('OpenID Connect', () => {
  const OAUTH_METADATA = '/.well-known/oauth-authorization-server'
  const plain = { scopes_supported: undefined, id_token_signing_alg_values_supported: undefined }

  it('is missed where the metadata is that of OAuth alone and does not speak of it', async () => {
    const profile = await start({ ...OIDC_VENDOR, metadataPath: OAUTH_METADATA, metadata: () => plain })
    expect(find(await diagnose(profile), 'openid_unannounced')).toMatchObject({
      verdict: 'warning',
      fix: expect.stringContaining('kind: oauth'),
    })
  })

  it.each([
    { ...plain, scopes_supported: ['openid'] },
    { ...plain, id_token_signing_alg_values_supported: ['RS256'] },
  ])('is there where that metadata speaks of it: %j', async (members) => {
    const profile = await start({ ...OIDC_VENDOR, metadataPath: OAUTH_METADATA, metadata: () => members })
    expect(find(await diagnose(profile), 'openid_unannounced')).toBeUndefined()
  })
})

describe('the userinfo endpoint', () => {
  const silent = async () => {
    const profile = await start()
    profile.interfere(OIDC_VENDOR.paths.userinfo, (response) => void response.writeHead(404).end())
    return profile
  }

  it('is a problem where nothing is there, since each sign-in asks it', async () => {
    expect(find(await diagnose(await silent()), 'userinfo_fails')).toMatchObject({
      verdict: 'problem',
      fix: expect.stringContaining('userinfo: false'),
    })
  })

  it('is not asked with `userinfo: false`', async () => {
    const profile = await silent()
    expect(find(await diagnose(profile, { userinfo: false }), 'userinfo_fails')).toBeUndefined()
    expect(profile.interferences).toBe(0)
  })
})

describe('a refresh token', () => {
  const metadata = () => ({ scopes_supported: SCOPES })

  it('is missed where the provider gives one for `offline_access`, which is not asked for', async () => {
    const profile = await start({ ...OIDC_VENDOR, metadata })
    expect(find(await diagnose(profile, { scopes: ['openid', 'email'] }), 'offline_access_missing')).toMatchObject({
      verdict: 'warning',
      fix: expect.stringContaining('offline_access'),
    })
  })

  it('is not reported where it is asked for, or was never mentioned', async () => {
    expect(find(await diagnose(await start({ ...OIDC_VENDOR, metadata })), 'offline_access_missing')).toBeUndefined()
    expect(
      find(
        await diagnose(await start({ ...OIDC_VENDOR, metadata: () => ({}) }), { scopes: ['openid'] }),
        'offline_access_missing',
      ),
    ).toBeUndefined()
  })

  it('comes from Keycloak without it', async () => {
    const vendor: Vendor = {
      ...OIDC_VENDOR,
      metadata,
      issuer: ({ origin }) => `${origin}/realms/main`,
      metadataPath: '/realms/main/.well-known/openid-configuration',
    }
    const findings = await diagnose(await start(vendor), { scopes: ['openid'] })
    expect(find(findings, 'offline_access_missing')).toBeUndefined()
  })
})

describe('scopes that no `grant` gives', () => {
  const server = (members: object) => ({
    servers: [{ path: '/mcp', upstream: 'http://127.0.0.1:1/mcp', scopes: ['mcp:tools'], ...members }],
  })
  const grant = (...scopes: string[]) => ({ grant: [{ scopes }] })

  it('are a problem where every request needs them', async () => {
    expect(find(await diagnose(await start(), grant('mcp:other')), 'base_scope_not_granted')).toMatchObject({
      verdict: 'problem',
      says: expect.stringContaining('mcp:tools'),
    })
  })

  it('are a warning where a rule needs them', async () => {
    const rules = [{ tool: 'admin_*', scopes: ['mcp:admin'] }]
    const findings = await diagnose(await start(), grant('mcp:tools'), server({ rules }))
    expect(find(findings, 'base_scope_not_granted')).toBeUndefined()
    expect(find(findings, 'rule_scope_not_granted')).toMatchObject({
      verdict: 'warning',
      says: expect.stringContaining('mcp:admin'),
    })
  })

  it('are none where another scope implies them, or there is no `grant`', async () => {
    const rules = [{ tool: 'admin_*', scopes: ['mcp:admin'] }]
    const implied = server({ rules, scope_hierarchy: { 'mcp:admin': ['mcp:tools'] } })
    for (const findings of [
      await diagnose(await start(), grant('mcp:admin'), implied),
      await diagnose(await start(), {}, server({ rules })),
    ]) {
      expect(find(findings, 'base_scope_not_granted')).toBeUndefined()
      expect(find(findings, 'rule_scope_not_granted')).toBeUndefined()
    }
  })

  it('are none that machines have', async () => {
    const clients = [
      { client_id: 'robot', client_secret: { env: 'SECRET' }, grants: ['client_credentials'], scopes: ['mcp:tools'] },
    ]
    const broker = { broker: { store: { kind: 'memory' }, clients } }
    const findings = await diagnose(await start(), grant('mcp:other'), broker)
    expect(find(findings, 'base_scope_not_granted')).toBeUndefined()
  })
})

describe('metadata documents of clients', () => {
  const plan = (enabled: boolean) =>
    loadConfigValue(
      {
        public_url: 'http://localhost:1',
        identity_provider: { issuer: 'http://127.0.0.1:1', client_id: 'proxy', client_secret: { env: 'SECRET' } },
        broker: { store: { kind: 'memory' }, client_metadata: { enabled } },
        servers: [{ path: '/mcp', upstream: 'http://127.0.0.1:1/mcp' }],
      },
      { env: { SECRET: 'x' }, directory: '/', terminal: false },
    ).plan

  it('are what keeps a client out that uses its own, where the proxy cannot fetch it', async () => {
    const { findings, clients } = await examine(plan(true), undefined, (urls) =>
      Promise.resolve(
        new Map(urls.filter((url) => url.includes('claude.ai')).map((url) => [url, 'getaddrinfo ENOTFOUND claude.ai'])),
      ),
    )
    expect(find(findings, 'documents_unreachable')).toMatchObject({
      verdict: 'warning',
      fix: expect.stringContaining('client_metadata.enabled'),
    })
    const verdictOf = (name: string) => clients.find(({ client }) => client === name)
    expect(verdictOf('Claude Code')).toMatchObject({ verdict: 'fails', reasons: [expect.stringContaining('ENOTFOUND')] })
    expect(verdictOf('VS Code (and GitHub Copilot)')).toMatchObject({ verdict: 'connects' })
    expect(verdictOf('Cursor')).toMatchObject({ verdict: 'connects' })
  })

  it('are neither asked for nor missed where they are switched off: clients register', async () => {
    const { findings, clients } = await examine(plan(false), undefined)
    expect(find(findings, 'documents_unreachable')).toBeUndefined()
    expect(clients.find(({ client }) => client === 'Claude Code')).toMatchObject({ verdict: 'connects' })
  })

  it('are fetched as the broker does: a document is one that comes as JSON over verified TLS', async () => {
    const { cert, key } = createCertificate()
    const server = createServer({ cert, key }, ({ url }, response) => {
      const isDocument = url === '/client.json'
      response.writeHead(200, { 'content-type': isDocument ? 'application/json' : 'text/html' }).end('{}')
    })
    const origin = `https://localhost:${await listenOnLoopback(server, 0)}`
    const urls = [`${origin}/client.json`, `${origin}/page`]
    const settings = { enabled: true, allowPrivateNetwork: true, ca: cert, egress: DIRECT }
    try {
      expect([...(await probeDocuments(urls, settings)).keys()]).toEqual([`${origin}/page`])
      expect((await probeDocuments(urls, { ...settings, ca: undefined })).size).toBe(2)
      expect((await probeDocuments(urls, { ...settings, allowPrivateNetwork: false })).size).toBe(2)
      expect((await probeDocuments(urls, { ...settings, enabled: false })).size).toBe(0)
    } finally {
      await closeServer(server)
    }
  })

  it('of well-known clients are at https addresses', () => {
    expect(CLIENT_DOCUMENTS.length).toBeGreaterThan(3)
    for (const url of CLIENT_DOCUMENTS) expect(url).toMatch(/^https:/)
  })
})

describe('groups and claims that servers decide by', () => {
  const access = (...entries: object[]) => ({
    servers: [{ path: '/mcp', upstream: 'http://127.0.0.1:1/mcp', access: entries.map((entry) => ({ ...entry, tools: ['*'] })) }],
  })
  const byGroup = access({ groups: ['support'] })

  it('are a warning with the fix where the product sends them only once that is set up', async () => {
    const profile = await start()
    for (const more of [byGroup, access({ who: "'support' in principal.groups" })])
      expect(find(await diagnose(profile, { kind: 'keycloak' }, more), 'groups_setup')).toMatchObject({
        verdict: 'warning',
        about: 'server mcp',
        fix: expect.stringContaining('Group Membership'),
      })
  })

  it('are a problem where the product has none, and the configuration names no claim', async () => {
    const profile = await start()
    expect(find(await diagnose(profile, { kind: 'auth0' }, byGroup), 'groups_unknown')).toMatchObject({
      verdict: 'problem',
      fix: expect.stringContaining('groups_claim'),
    })
    const named = await diagnose(profile, { kind: 'auth0', groups_claim: 'https://example.com/groups' }, byGroup)
    expect([find(named, 'groups_unknown'), find(named, 'groups_setup')]).toEqual([undefined, undefined])
  })

  it('are nothing to speak of where no server decides by them', async () => {
    const findings = await diagnose(await start(), { kind: 'auth0' }, access({ who: "'s' in principal.scopes" }))
    expect([find(findings, 'groups_unknown'), find(findings, 'groups_setup')]).toEqual([undefined, undefined])
  })

  it('are a warning where the metadata lists claims, and not these', async () => {
    const withClaims = (...claims_supported: string[]): Vendor => ({
      ...OIDC_VENDOR,
      metadata: () => ({ claims_supported }),
    })
    const policy = access(
      { groups: ['support'] },
      { claim: 'email_domain', values: ['example.com'] },
      { claim: 'a.b', values: ['c'] },
    )
    const findings = await diagnose(await start(withClaims('sub', 'email')), {}, policy)
    expect(find(findings, 'claim_unannounced')).toMatchObject({
      verdict: 'warning',
      says: expect.stringContaining('does not list `groups`, `a.b` among'),
    })
    expect(find(await diagnose(await start(withClaims('email', 'groups', 'a')), {}, policy), 'claim_unannounced')).toBeUndefined()
    expect(find(await diagnose(await start(), {}, policy), 'claim_unannounced')).toBeUndefined()
  })
})

// What access entries and expressions see of users who signed in through the broker: what the identity provider says of them now.
import { createServer, type Server } from 'node:http'
import { decodeJwt } from 'jose'
import { afterEach, describe, expect, it, vi } from 'vitest'
import type { ConfigInput } from '../../src/config/schema/schema.ts'
import { closeServer, listenOnLoopback } from '../../src/sandbox/listen.ts'
import { SAMPLE_USERS, type User } from '../../src/sandbox/users.ts'
import { createRawClient, obtainTokens, postForm, readJson, refresh } from '../support/broker-client.ts'
import { BROKER_CLIENT, type BrokerStage, type BrokerStageOptions, startBrokerStage } from '../support/broker-stage.ts'
import type { Profile } from '../support/identity-profiles/profile.ts'
import type { Vendor } from '../support/identity-profiles/vendor.ts'
import { AUTH0, COGNITO, createOkta, ENTRA, GITHUB, GOOGLE, KEYCLOAK } from '../support/identity-profiles/vendors.ts'
import { ACCESS_TOKEN_TYPE, TOKEN_EXCHANGE } from '../support/machine-stage.ts'
import { startVendorStage } from '../support/vendor-stage.ts'

const [alice, bob] = SAMPLE_USERS
let stage: BrokerStage | undefined
const servers: Server[] = []
afterEach(async () => {
  vi.useRealTimers()
  await stage?.close()
  await Promise.all(servers.splice(0).map(closeServer))
  stage = undefined
})

type ServerInput = NonNullable<ConfigInput['servers']>[number]

/** An MCP server that answers every call, behind a policy. */
async function start(policy: Partial<ServerInput>, options: BrokerStageOptions = {}): Promise<BrokerStage> {
  const upstream = createServer((_request, response) => {
    response.writeHead(200, { 'content-type': 'application/json' }).end('{"jsonrpc":"2.0","id":1,"result":{}}')
  })
  servers.push(upstream)
  const port = await listenOnLoopback(upstream, 0)
  stage = await startBrokerStage({
    ...options,
    servers: () => [{ name: 'tickets', path: '/mcp', upstream: `http://localhost:${port}/mcp`, ...policy }],
  })
  return stage
}

/** `permitted`, `hidden`, or the status. */
async function callTool(url: string, token: string, name = 'refund'): Promise<unknown> {
  const response = await fetch(url, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${token}`,
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
    },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name, arguments: {} } }),
  })
  const body = await readJson(response)
  if (response.status !== 200) return response.status
  return body.error === undefined ? 'permitted' : body.error.code === -32602 ? 'hidden' : body.error
}

async function signIn(user: User): Promise<string> {
  const origin = stage?.proxy.origin ?? ''
  const tokens = await obtainTokens(origin, await createRawClient(origin), user, { scope: undefined })
  return tokens.access_token
}

describe('an access entry about a group', () => {
  it('lets its members in and hides the tool from others, with tokens that do not name groups', async () => {
    const { url } = await start({ access: [{ groups: ['admins', 'support'], tools: ['refund'] }] })
    const token = await signIn(bob)
    expect(Object.keys(decodeJwt(token))).not.toContain('groups')
    expect(await callTool(url, token)).toBe('permitted')
    expect(await callTool(url, token, 'other')).toBe('hidden')
    expect(await callTool(url, await signIn(alice))).toBe('hidden')
  })

  it('reads the claim that the configuration names', async () => {
    const user = { ...alice, claims: { ...alice.claims, groups: 'ops, admins' } }
    const { url } = await start(
      { access: [{ groups: ['admins'], tools: ['*'] }] },
      { identityProvider: { clients: [BROKER_CLIENT], users: [user] }, provider: { groups_separator: ',' } },
    )
    expect(await callTool(url, await signIn(user))).toBe('permitted')
  })

  it.each([
    ['with tokens without groups', []],
    ['with tokens that carry groups', ['groups']],
  ])('hides the tool from a user who left the group, %s', async (_name, tokenClaims) => {
    const claims: Record<string, unknown> = { ...alice.claims, groups: ['support'] }
    const user = { ...alice, claims }
    const { proxy, url } = await start(
      { access: [{ groups: ['support'], tools: ['refund'] }] },
      {
        identityProvider: { accessTokenSeconds: 60, clients: [BROKER_CLIENT], users: [user] },
        provider: { token_claims: tokenClaims },
      },
    )
    const client = await createRawClient(proxy.origin)
    const tokens = await obtainTokens(proxy.origin, client, user, { scope: undefined })
    expect(await callTool(url, tokens.access_token)).toBe('permitted')
    claims.groups = ['visitors']
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 120_000 })
    const fresh = await readJson(await refresh(proxy.origin, client, tokens.refresh_token))
    expect(await callTool(url, fresh.access_token)).toBe('hidden')
    claims.groups = ['support']
    vi.setSystemTime(Date.now() + 120_000)
    const again = await readJson(await refresh(proxy.origin, client, fresh.refresh_token))
    expect(await callTool(url, again.access_token)).toBe('permitted')
  })
})

describe('claims of the user at the identity provider', () => {
  it('count for access entries and for expressions', async () => {
    const { url } = await start({
      access: [
        { claim: 'email_domain', values: ['example.com'], tools: ['refund'] },
        { who: "has(principal.claims.name) && principal.claims.name == 'Bob'", tools: ['export'] },
      ],
      rules: [{ tool: 'refund', require: "'admins' in principal.groups", reason: 'Refunds need an administrator.' }],
    })
    const [ofAlice, ofBob] = [await signIn(alice), await signIn(bob)]
    expect([await callTool(url, ofAlice), await callTool(url, ofBob)]).toEqual([403, 'permitted'])
    expect([await callTool(url, ofAlice, 'export'), await callTool(url, ofBob, 'export')]).toEqual(['hidden', 'permitted'])
  })

  it('are seen by policy alone: introspection tells no more than the token says', async () => {
    const secret = 'secret-of-a-gateway-0123456789'
    const { proxy, url } = await start(
      { access: [{ groups: ['staff'], tools: ['*'] }] },
      {
        env: { GATEWAY: secret },
        broker: { clients: [{ client_id: 'gateway', client_secret: { env: 'GATEWAY' }, redirect_uris: ['http://localhost/x'] }] },
      },
    )
    const token = await signIn(alice)
    expect(await callTool(url, token)).toBe('permitted')
    const form = { token, client_id: 'gateway', client_secret: secret }
    const told = await readJson(await postForm(`${proxy.origin}/introspect`, form))
    expect(told).toMatchObject({ active: true, sub: 'alice' })
    expect(Object.keys(told).filter((name) => ['groups', 'email', 'name'].includes(name))).toEqual([])
  })
})

/** A vendor whose ID tokens and user endpoint say more of the user. */
function saying(vendor: Vendor, claims: Readonly<Record<string, unknown>>): Vendor {
  return {
    ...vendor,
    idToken: (grant) => ({ ...vendor.idToken?.(grant), ...claims }),
    users: (...request) => {
      const told = vendor.users(...request)
      return typeof told === 'object' && told !== null && 'sub' in told ? { ...told, ...claims } : told
    },
  }
}

describe('the group mcp-users', () => {
  const kind =
    (name: string, more: object = {}) =>
    () => ({ kind: name, scopes: undefined, ...more })
  const NAMESPACED = 'https://example.com/groups'

  it.each<[string, Vendor, (profile: Profile) => object, string]>([
    ['Cognito, cognito:groups', COGNITO, kind('cognito'), 'permitted'],
    ['Okta, groups', saying(createOkta('default'), { groups: ['mcp-users'] }), kind('okta'), 'permitted'],
    ['Keycloak, a path', saying(KEYCLOAK, { groups: ['/mcp-users'] }), kind('keycloak'), 'permitted'],
    ['Keycloak, another path', saying(KEYCLOAK, { groups: ['/a/mcp-users'] }), kind('keycloak'), 'hidden'],
    ['Keycloak, roles', saying(KEYCLOAK, { realm_access: { roles: ['mcp-users'] } }), kind('keycloak'), 'hidden'],
    [
      'Keycloak, roles that the configuration names',
      saying(KEYCLOAK, { realm_access: { roles: ['mcp-users'] } }),
      kind('keycloak', { groups_claim: 'realm_access.roles' }),
      'permitted',
    ],
    ['Entra ID, groups', saying(ENTRA, { groups: ['mcp-users'] }), kind('entra'), 'permitted'],
    ['Entra ID, roles', saying(ENTRA, { roles: ['mcp-users'] }), kind('entra'), 'hidden'],
    ['Entra ID, too many', saying(ENTRA, { _claim_names: { groups: 'src1' } }), kind('entra'), 'hidden'],
    ['Auth0, a claim that is not named', saying(AUTH0, { [NAMESPACED]: ['mcp-users'] }), kind('auth0'), 'hidden'],
    ['Auth0, a claim', saying(AUTH0, { [NAMESPACED]: ['mcp-users'] }), kind('auth0', { groups_claim: NAMESPACED }), 'permitted'],
    ['Google, a claim that Google does not send', saying(GOOGLE, { groups: ['mcp-users'] }), kind('google'), 'hidden'],
  ])('of %s', async (name, vendor, provider, outcome) => {
    const server = { access: [{ groups: ['mcp-users'], tools: ['refund'] }] }
    const vendorStage = await startVendorStage({ vendor, provider, server })
    try {
      const { origin, client, url, proxy } = vendorStage
      const tokens = await obtainTokens(origin, client, alice)
      expect(await callTool(url, tokens.access_token)).toBe(outcome)
      const isUnknown = /the groups of the principal are not known/.test(proxy.log.text())
      expect(isUnknown).toBe(/too many|not named|does not send/.test(name))
    } finally {
      await vendorStage.close()
    }
  })

  it('is an organization at GitHub', async () => {
    const provider = ({ origin }: Profile) => ({ kind: 'github', base_url: origin, organization: 'acme' })
    const access = [
      { groups: ['acme'], tools: ['refund'] },
      { groups: ['other'], tools: ['export'] },
    ]
    const vendorStage = await startVendorStage({ vendor: GITHUB, provider, server: { access } })
    try {
      const { origin, client, url } = vendorStage
      const { access_token: token } = await obtainTokens(origin, client, alice)
      expect([await callTool(url, token), await callTool(url, token, 'export')]).toEqual(['permitted', 'hidden'])
    } finally {
      await vendorStage.close()
    }
  })
})

describe('a machine', () => {
  it('has no claims of a user, not even of one with its name, unless it acts for one who signed in', async () => {
    const secret = { client_secret: { env: 'MACHINE' } }
    const { proxy, url } = await start(
      { access: [{ groups: ['staff'], tools: ['refund'] }] },
      {
        env: { MACHINE: 'secret-of-both-machines-0123456789' },
        broker: {
          clients: [
            { client_id: 'alice', ...secret, grants: ['client_credentials'] },
            { client_id: 'gateway', ...secret, grants: ['token_exchange'] },
          ],
        },
      },
    )
    const token = await signIn(alice)
    expect(await callTool(url, token)).toBe('permitted')
    const own = { client_id: 'alice', client_secret: 'secret-of-both-machines-0123456789' }
    const machine = await readJson(await postForm(`${proxy.origin}/token`, { grant_type: 'client_credentials', ...own }))
    expect(decodeJwt(machine.access_token).sub).toBe('alice')
    expect(await callTool(url, machine.access_token)).toBe('hidden')
    const exchange = (subject: string) =>
      postForm(`${proxy.origin}/token`, {
        grant_type: TOKEN_EXCHANGE,
        subject_token: subject,
        subject_token_type: ACCESS_TOKEN_TYPE,
        ...own,
        client_id: 'gateway',
      }).then(readJson)
    expect(await callTool(url, (await exchange(machine.access_token)).access_token)).toBe('hidden')
    expect(await callTool(url, (await exchange(token)).access_token)).toBe('permitted')
  })
})

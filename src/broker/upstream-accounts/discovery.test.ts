// What a hostile MCP server, or its authorization server, can have us do by what it names.
import type { LookupAddress } from 'node:dns'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createAccountPlan } from '../../../test/support/account-processes.ts'
import { createFakeClock } from '../../../test/support/fake-clock.ts'
import {
  describeServer,
  RESOURCE_METADATA,
  type ScriptedAccount,
  SERVER_METADATA,
  startScriptedAccount,
} from '../../../test/support/scripted-account.ts'
import { createEncryption } from '../../core/encryption.ts'
import { DIRECT } from '../../core/plan/egress-plan.ts'
import type { OwnAccountPlan } from '../../core/plan/own-account-plan.ts'
import type { Store } from '../../core/store.ts'
import type { ResolveHost } from '../../oauth/resolve-host.ts'
import { createMemoryStore } from '../../store/memory-store.ts'
import { createReservedUrls } from './reserved-urls.ts'
import { createUpstreamAccounts, type UpstreamAccounts } from './upstream-accounts.ts'

let saas: ScriptedAccount
let inside: ScriptedAccount
let accounts: UpstreamAccounts
let store: Store
beforeEach(async () => {
  listReserved = () => Promise.resolve([])
  ;[saas, inside] = await Promise.all([startScriptedAccount(), startScriptedAccount()])
})
afterEach(async () => {
  await accounts.close()
  await Promise.all([saas.close(), inside.close()])
})

/** A name of both a public address and this machine: the first is what is dialled, and the second makes it no private host. */
const resolveHost: ResolveHost = (hostname, _options, callback) => {
  const addresses = hostname === 'mcp.saas.example' ? ['127.0.0.1', '93.184.216.34'] : ['169.254.169.254']
  callback(
    null,
    addresses.map((address): LookupAddress => ({ address, family: 4 })),
  )
}

let listReserved: () => Promise<readonly string[]>

function begin(changes: Partial<OwnAccountPlan> = {}, origin = 'http://localhost:1', resolver = resolveHost) {
  const plan = { ...createAccountPlan(saas.url), ...changes }
  const clock = createFakeClock()
  store = createMemoryStore(clock)
  accounts = createUpstreamAccounts([plan], {
    origin,
    store,
    encryption: createEncryption([Buffer.alloc(32, 7)]),
    clock,
    resolveHost: plan.upstreamUrl === saas.url ? undefined : resolver,
    grantSeconds: 3600,
    formerReach: { allowPrivateNetwork: false, ca: undefined, egress: DIRECT },
    reserved: createReservedUrls(() => listReserved(), clock),
    report: () => {},
    onIssue: () => {},
  })
  return accounts.find('saas')?.begin([]) ?? Promise.reject(new Error('no account'))
}

/** A name whose name servers now say that it is on this machine, as they did not when the MCP server was configured. */
const resolveInside: ResolveHost = (_hostname, _options, callback) => callback(null, [{ address: '127.0.0.1', family: 4 }])

/** The MCP server by a public name. */
const publicly = () => ({ upstreamUrl: saas.url.replace('127.0.0.1', 'mcp.saas.example') })

describe('an MCP server on the public internet', () => {
  const name = (more: object) => saas.script(RESOURCE_METADATA, () => ({ resource: publicly().upstreamUrl, ...more }))

  it.each([
    ['http://127.0.0.1', () => inside.origin],
    ['http://localhost', () => inside.origin.replace('127.0.0.1', 'localhost')],
    ['https, with an address of this machine', () => inside.origin.replace('http:', 'https:')],
    ['another notation of that address', () => inside.origin.replace('http://127.0.0.1', 'https://2130706433')],
    ['a name that leads to the metadata of a cloud', () => 'https://auth.saas.example'],
    ['http, in the network', () => 'http://auth.saas.example'],
    ['a file', () => 'file:///etc/passwd'],
    ['an issuer with a query', () => 'https://mcp.saas.example/?a=b'],
  ])('names an authorization server by %s in vain', async (_, issuer) => {
    name({ authorization_servers: [issuer()] })
    await expect(begin(publicly())).rejects.toMatchObject({ name: 'AccountError' })
    expect(inside.asked).toEqual([])
  })

  it('names its metadata inside of the network in vain', async () => {
    saas.script('/mcp', (_, response) =>
      response.writeHead(401, { 'www-authenticate': `Bearer resource_metadata="${inside.origin}${RESOURCE_METADATA}"` }).end(),
    )
    await expect(begin(publicly())).rejects.toMatchObject({ kind: 'unavailable' })
    expect(inside.asked).toEqual([])
  })

  it.each([
    ['another host', () => inside.origin],
    ['its own host at another port', () => inside.origin.replace('127.0.0.1', 'mcp.saas.example')],
  ])('leads into the network in vain by what its own name resolves to, and metadata on %s', async (_, origin) => {
    saas.script('/mcp', (_asked, response) =>
      response.writeHead(401, { 'www-authenticate': `Bearer resource_metadata="${origin()}${RESOURCE_METADATA}"` }).end(),
    )
    await expect(begin(publicly(), undefined, resolveInside)).rejects.toMatchObject({ kind: 'unavailable' })
    expect(inside.asked).toEqual([])
  })

  it('may lead into the network where the configuration permits it', async () => {
    saas.script('/mcp', (_, response) =>
      response.writeHead(401, { 'www-authenticate': `Bearer resource_metadata="${inside.origin}${RESOURCE_METADATA}"` }).end(),
    )
    await expect(begin({ ...publicly(), allowPrivateNetwork: true }, undefined, resolveInside)).rejects.toMatchObject({
      kind: 'unusable',
    })
    expect(inside.asked).toHaveLength(1)
  })

  it.each(['registration_endpoint'])(
    'has an authorization server that names a %s inside of the network in vain',
    async (endpoint) => {
      const issuer = publicly().upstreamUrl.replace('/mcp', '')
      name({ authorization_servers: [issuer] })
      saas.script(SERVER_METADATA, () =>
        describeServer(issuer, { authorization_endpoint: 'https://mcp.saas.example/a', [endpoint]: `${inside.origin}/register` }),
      )
      await expect(begin(publicly())).rejects.toMatchObject({ kind: 'unavailable' })
      expect(inside.asked).toEqual([])
    },
  )
})

describe('the metadata of an MCP server', () => {
  it.each([
    ['is of another resource', { resource: 'https://mcp.other.example/mcp' }],
    ['is of a resource below its own', { resource: '/mcp/below' }],
    ['is of a resource whose path only begins like its own', { resource: '/mc' }],
    ['is of a resource too long to keep', { resource: `/mcp?${'x'.repeat(2048)}` }],
    ['is of a resource that is longer than a URL parser has it', { resource: `/mcp${'\n'.repeat(2048)}` }],
    ['names no authorization server', { authorization_servers: [] }],
    ['names an authorization server too long to keep', { authorization_servers: [`https://auth.example/${'x'.repeat(2048)}`] }],
    ['is no list', { authorization_servers: 'x' }],
  ])('is refused when it %s', async (_, more: { readonly resource?: string; readonly authorization_servers?: unknown }) => {
    const resource = more.resource?.startsWith('/') ? `${saas.origin}${more.resource}` : (more.resource ?? saas.url)
    saas.script(RESOURCE_METADATA, () => ({ authorization_servers: [saas.origin], ...more, resource }))
    await expect(begin()).rejects.toMatchObject({ kind: 'unusable' })
    expect(saas.at(SERVER_METADATA)).toEqual([])
  })

  it('may name its whole origin, which is what is asked for then', async () => {
    saas.script(RESOURCE_METADATA, () => ({ resource: saas.origin, authorization_servers: [saas.origin] }))
    expect((await begin()).url.searchParams.get('resource')).toBe(saas.origin)
  })

  it('may be missing, as in 2025-03-26: then the authorization server is at the origin of the MCP server', async () => {
    saas.script(RESOURCE_METADATA, (_, response) => response.writeHead(404).end())
    expect((await begin()).pending.issuer).toBe(saas.origin)
  })

  it('that cannot be had right now is not taken for missing', async () => {
    saas.script(RESOURCE_METADATA, (_, response) => response.writeHead(503).end())
    await expect(begin()).rejects.toMatchObject({ kind: 'unavailable' })
  })

  it('counts only if it names the issuer that the configuration wants', async () => {
    await expect(begin({ issuer: inside.origin })).rejects.toMatchObject({ kind: 'unusable' })
    expect(inside.asked).toEqual([])
  })
})

describe('the metadata of an authorization server', () => {
  it.each([
    ['is of another issuer', { issuer: 'https://other.example' }, 'suspicious'],
    ['does not say that it knows PKCE', { code_challenge_methods_supported: undefined }, 'unusable'],
    ['knows PKCE in plain text alone', { code_challenge_methods_supported: ['plain'] }, 'unusable'],
    ['sends browsers to a script', { authorization_endpoint: 'javascript:alert(1)' }, 'suspicious'],
    ['sends browsers to a host by http', { authorization_endpoint: 'http://auth.example/a' }, 'suspicious'],
    ['has no token endpoint', { token_endpoint: undefined }, 'unusable'],
    ['has a token endpoint too long to keep', { token_endpoint: `https://auth.example/${'x'.repeat(2048)}` }, 'unusable'],
    ['is longer than is read', { more: 'x'.repeat(600_000) }, 'unavailable'],
    ['takes no client', { registration_endpoint: undefined }, 'unusable'],
  ])('is refused when it %s', async (_, more, kind) => {
    saas.script(SERVER_METADATA, () => describeServer(saas.origin, more))
    await expect(begin()).rejects.toMatchObject({ kind })
    expect(saas.at('/register')).toEqual([])
  })
})

describe('an authorization server that users trust for something else', () => {
  const reservedOrigins = ['https://idp.example.com']

  it.each(['https://idp.example.com/authorize', 'https://idp.example.com./authorize', 'https://IDP.example.com:443/authorize'])(
    'is not where another one has its authorization endpoint: %s',
    async (url) => {
      saas.script(SERVER_METADATA, () => describeServer(saas.origin, { authorization_endpoint: url }))
      await expect(begin({ reservedOrigins })).rejects.toMatchObject({ kind: 'unusable' })
      expect(saas.at('/register')).toEqual([])
    },
  )

  it.each(['https://idp.example.com', 'https://idp.example.com./tenant'])('is not asked when it is named: %s', async (issuer) => {
    saas.script(RESOURCE_METADATA, () => ({ resource: saas.url, authorization_servers: [issuer] }))
    await expect(begin({ reservedOrigins })).rejects.toMatchObject({
      kind: 'unusable',
      message: expect.stringContaining('trust for something else'),
    })
  })

  it('is not found out where the identity provider cannot be asked which hosts it has', async () => {
    listReserved = () => Promise.reject(new Error('no answer'))
    await expect(begin()).rejects.toMatchObject({ kind: 'unavailable', message: expect.stringContaining('no answer') })
    expect(saas.asked.map(({ path }) => path)).not.toContain(SERVER_METADATA)
  })

  it('is where users connect accounts if the configuration names the issuer', async () => {
    const reserved = [...reservedOrigins, saas.origin]
    saas.script(SERVER_METADATA, () =>
      describeServer(saas.origin, { authorization_endpoint: 'https://idp.example.com/authorize' }),
    )
    listReserved = () => Promise.reject(new Error('no answer'))
    const { url } = await begin({ reservedOrigins: reserved, issuer: saas.origin })
    expect(url.host).toBe('idp.example.com')
  })
})

describe('the proxy as a client there', () => {
  it('is known by its metadata document where it is reached by https and the authorization server takes one', async () => {
    saas.script(SERVER_METADATA, () => describeServer(saas.origin, { client_id_metadata_document_supported: true }))
    const { url } = await begin({}, 'https://mcp.company.example')
    const [id, redirectUri] = ['client_id', 'redirect_uri'].map((name) => url.searchParams.get(name) ?? '')
    expect(id).toMatch(/^https:\/\/mcp\.company\.example\/connections\/client\/[\w-]{22}$/)
    expect(redirectUri).toBe(id?.replace('/client/', '/callback/'))
    expect(saas.at('/register')).toEqual([])
  })

  it('registers once, with one redirect URI, and is what the authorization server makes of it', async () => {
    await begin()
    await accounts.find('saas')?.begin([])
    const [registration, ...more] = saas.at('/register')
    expect(more).toEqual([])
    expect(JSON.parse(registration?.body ?? '')).toMatchObject({
      redirect_uris: [expect.stringMatching(/^http:\/\/localhost:1\/connections\/callback\/[\w-]{22}$/)],
      token_endpoint_auth_method: 'none',
      application_type: 'native',
    })
  })

  it('names the MCP server to users of the authorization server, and keeps one registration for each', async () => {
    const authorizationServers = [saas.origin, inside.origin, saas.origin]
    let named = saas.origin
    saas.script(RESOURCE_METADATA, () => ({ resource: saas.url, authorization_servers: [named] }))
    await begin()
    for (named of authorizationServers.slice(1)) await accounts.find('saas')?.begin([])
    expect([...saas.at('/register'), ...inside.at('/register')].map(({ body }) => JSON.parse(body).client_name)).toEqual(
      authorizationServers.map(() => 'saas at localhost:1'),
    )
    expect(await store.list('AccountClient', 10)).toHaveLength(1)
  })

  it.each([
    [
      'refuses it',
      (_: unknown, response: import('node:http').ServerResponse) =>
        response.writeHead(400, { 'content-type': 'application/json' }).end('{"error":"invalid_redirect_uri"}'),
      'unusable',
    ],
    [
      'gives a client id too long to keep',
      () => ({ client_id: 'x'.repeat(2049), token_endpoint_auth_method: 'none' }),
      'unusable',
    ],
    ['gives no client id', () => ({ token_endpoint_auth_method: 'none' }), 'unusable'],
    ['wants a secret and gives none', () => ({ client_id: 'a', token_endpoint_auth_method: 'client_secret_basic' }), 'unusable'],
    ['wants a way that was not offered', () => ({ client_id: 'a', token_endpoint_auth_method: 'tls_client_auth' }), 'unusable'],
    ['does not answer', (_: unknown, response: import('node:http').ServerResponse) => response.destroy(), 'unavailable'],
  ] as const)('cannot register where the authorization server %s', async (_, script, kind) => {
    saas.script('/register', script as never)
    await expect(begin()).rejects.toMatchObject({ kind })
  })

  it('asks for the scopes that the challenge names, or else those of the metadata, and for those of the configuration instead', async () => {
    expect((await begin()).pending.scopes).toEqual(['files'])
    await accounts.close()
    saas.script('/mcp', (_, response) => response.writeHead(401, { 'www-authenticate': 'Bearer scope="a b"' }).end())
    expect((await begin()).pending.scopes).toEqual(['a', 'b'])
    await accounts.close()
    expect((await begin({ scopes: ['mine'] })).pending.scopes).toEqual(['mine'])
  })

  it('asks for no scope of the metadata that is none (RFC 6749 §3.3), or too long to keep', async () => {
    const named = ['read', 'x'.repeat(257), 'two words', 'line\nbreak', 'ü', 'write']
    saas.script(RESOURCE_METADATA, () => ({ resource: saas.url, authorization_servers: [saas.origin], scopes_supported: named }))
    const { url, pending } = await begin()
    expect(pending.scopes).toEqual(['read', 'write'])
    expect(url.searchParams.get('scope')).toBe('read write')
  })
})

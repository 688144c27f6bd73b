import { describe, expect, it } from 'vitest'
import { loadConfigFile, loadConfigValue } from '../load.ts'
import { ConfigError } from '../problem/problem.ts'

const fixture = (name: string) => new URL(`../../../test/fixtures/go-proxy/${name}.yaml`, import.meta.url).pathname
const loadFixture = (name: string, asgardeo = false) => loadConfigFile(fixture(name), { env: {}, terminal: false, asgardeo }).plan
const load = (value: unknown, asgardeo = true) =>
  loadConfigValue(value, { env: {}, directory: '.', terminal: false, asgardeo }).plan
const least = { base_url: 'http://localhost:8000', listen_port: 8080 }
const tenant = { org_name: 'acme', client_id: 'machine', client_secret: 'machine-secret' }

function problemsOf(value: unknown): string[] {
  try {
    load(value)
  } catch (error) {
    if (error instanceof ConfigError) return error.problems.map(({ path, reason }) => `${path}: ${reason}`)
    throw error
  }
  return []
}

describe('the asgardeo block of a Go proxy file', () => {
  it('has the proxy sign users in at that organization, with an application of its own', () => {
    const { broker, store, servers, notices } = loadFixture('asgardeo-only')
    expect(broker?.identityProvider).toMatchObject({
      issuer: 'https://api.asgardeo.io/t/acme/oauth2/token',
      asgardeo: {
        base: 'https://api.asgardeo.io/t/acme',
        admin: { clientId: 'machine', clientSecret: 'machine-secret' },
        registration: 'application',
        applicationName: 'open-mcp-auth-proxy_localhost-8080',
        api: undefined,
      },
    })
    expect(store).toMatchObject({ kind: 'sqlite' })
    expect(servers[0]?.issuers.map(({ issuer }) => issuer)).toEqual(['http://localhost:8080'])
    expect(notices).toContainEqual(expect.stringMatching(/^asgardeo: one application is made at Asgardeo for all clients/))
    expect(JSON.stringify(notices)).not.toContain('machine-secret')
  })

  it('keeps what it kept for the next start: the key comes from the secret', () => {
    const [first] = loadFixture('asgardeo-only').broker?.encryptionKeys ?? []
    const [second] = loadFixture('asgardeo-only').broker?.encryptionKeys ?? []
    const [other] = load({ ...least, asgardeo: { ...tenant, client_secret: 'another' } }).broker?.encryptionKeys ?? []
    expect(first).toHaveLength(32)
    expect(first).toEqual(second)
    expect(first).not.toEqual(other)
  })

  it('is used with the flag whatever issuers the file names, whose tokens are accepted beside', () => {
    const { servers, broker } = loadFixture('below-asgardeo', true)
    expect(broker?.identityProvider.kind).toBe('asgardeo')
    expect(servers[0]?.issuers.map(({ issuer }) => issuer)).toEqual(['http://localhost:8080', 'https://tenant.us.auth0.com/'])
  })

  it('is not used without the flag where other issuers are named, and that is said', () => {
    const { broker, notices } = loadFixture('below-asgardeo')
    expect(broker).toBeUndefined()
    expect(notices).toContainEqual(expect.stringMatching(/^asgardeo: is not used.*--asgardeo/))
  })

  it('goes before `default` with the flag, as it did', () => {
    const plan = load({
      ...least,
      asgardeo: tenant,
      default: {
        base_url: 'https://idp.example.com',
        jwks_url: 'https://idp.example.com/jwks',
        path: { '/token': { addBodyParams: [{ name: 'a', value: 'b' }] } },
      },
    })
    expect(plan.servers[0]?.issuers).toHaveLength(1)
  })

  it('is at WSO2 Identity Server where the issuer of the organization is there', () => {
    const servers = ['https://id.example.com:9443/t/acme/oauth2/token']
    const plan = load({ ...least, asgardeo: tenant, authorization_servers: servers })
    expect(plan.broker?.identityProvider.asgardeo?.base).toBe('https://id.example.com:9443/t/acme')
    const elsewhere = load({ ...least, asgardeo: tenant, authorization_servers: ['https://id.example.com/t/acme2/oauth2/token'] })
    expect(elsewhere.broker?.identityProvider.asgardeo?.base).toBe('https://api.asgardeo.io/t/acme')
  })

  it('says who may have the scopes', () => {
    const { notices } = load({ ...least, asgardeo: tenant, scopes_supported: ['a'] })
    expect(notices).toContainEqual(expect.stringMatching(/^scopes_supported: every user of the organization/))
  })

  it.each([
    [least, ['asgardeo: is missing; `--asgardeo` needs it']],
    [{ ...least, asgardeo: { org_name: 'acme' } }, ['asgardeo.client_id: is missing', 'asgardeo.client_secret: is missing']],
    [
      { ...least, asgardeo: { ...tenant, org_name: 'a/b' } },
      [expect.stringMatching(/^asgardeo.org_name: .*cannot be part of a URL/)],
    ],
    [
      { ...least, proxy_base_url: 'http://mcp.example.com', asgardeo: tenant },
      [expect.stringMatching(/^proxy_base_url: uses http/)],
    ],
    [
      {
        listen: { port: 8080 },
        issuers: ['https://idp.example.com'],
        servers: [{ path: '/mcp', upstream: 'http://localhost:8000' }],
      },
      ['identity_provider: is not Asgardeo, which `--asgardeo` asks for'],
    ],
  ])('has its mistakes told where they stand: %j', (value, expected) => {
    expect(problemsOf(value)).toEqual(expected)
  })
})

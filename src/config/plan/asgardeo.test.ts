import { describe, expect, it } from 'vitest'
import { loadConfigValue } from '../load.ts'
import { ConfigError } from '../problem/problem.ts'

const env = { ADMIN: 'admin-secret', OTHER: 'other' }
const admin = { client_id: 'admin', client_secret: { env: 'ADMIN' } }
const least = { kind: 'asgardeo', organization: 'acme', admin }

function load(provider: object, server: object = {}) {
  return loadConfigValue(
    {
      public_url: 'https://mcp.example.com:8443',
      identity_provider: provider,
      broker: { store: { kind: 'memory' } },
      servers: [{ path: '/mcp', upstream: 'http://localhost:8000', ...server }],
    },
    { env, directory: '.', terminal: false },
  ).plan.broker?.identityProvider
}

function problemsOf(provider: object, server?: object): string[] {
  try {
    load(provider, server)
  } catch (error) {
    if (error instanceof ConfigError) return error.problems.map(({ path, reason }) => `${path}: ${reason}`)
    throw error
  }
  return []
}

describe('an identity provider of kind asgardeo with admin', () => {
  it('needs no more than the organization and who makes the application', () => {
    expect(load(least)?.asgardeo).toEqual({
      base: 'https://api.asgardeo.io/t/acme',
      admin: { clientId: 'admin', clientSecret: 'admin-secret' },
      registration: 'application',
      applicationName: 'open-mcp-auth-proxy_mcp.example.com-8443',
      api: undefined,
      mostApplications: 200,
    })
  })

  it.each([
    [{ organization: undefined, base_url: 'https://localhost:9443' }, 'https://localhost:9443'],
    [{ organization: undefined, base_url: 'https://localhost:9443/t/acme/oauth2/token' }, 'https://localhost:9443/t/acme'],
    [{ base_url: 'https://localhost:9443/' }, 'https://localhost:9443/t/acme'],
    [{ organization: undefined, issuer: 'https://api.eu.asgardeo.io/t/acme/oauth2/token' }, 'https://api.eu.asgardeo.io/t/acme'],
  ])('finds the interfaces wherever they are: %j', (place, base) => {
    expect(load({ ...least, ...place })?.asgardeo?.base).toBe(base)
    expect(load({ ...least, ...place })?.issuer).toBe(`${base}/oauth2/token`)
  })

  it('asks for every scope of the servers, where Asgardeo decides who has them', () => {
    const server = { scopes: ['a'], rules: [{ tool: 'x', scopes: ['b'] }], scope_hierarchy: { c: ['a'] } }
    const plan = load({ ...least, api_resource: 'https://mcp.example.com/mcp' }, server)
    expect(plan?.asgardeo?.api).toEqual({ resource: 'https://mcp.example.com/mcp', scopes: ['a', 'b', 'c'] })
    expect(plan?.scopes).toEqual(['openid', 'profile', 'email', 'a', 'b', 'c'])
  })

  it.each([
    [
      { ...least, client_id: 'x', client_secret: { env: 'OTHER' } },
      ['client_id: has no use beside `admin`', 'client_secret: has no use beside `admin`'],
    ],
    [{ ...least, most_applications: 5 }, ['most_applications: has a use with `registration: per_client` only']],
    [{ ...least, application_name: 'with space' }, ['application_name: "with space" cannot be the name']],
    [
      { ...least, api_resource: 'two words' },
      ['api_resource: "two words" cannot be an identifier', 'api_resource: has no use where no server asks for scopes'],
    ],
    [{ ...least, api_resource: 'fine' }, ['api_resource: has no use where no server asks for scopes']],
    [{ ...least, admin: { client_id: 'x' } }, ['admin.client_secret: ']],
    [{ ...least, admin: { client_id: 'x', client_secret: 'plain' } }, ['admin.client_secret: is a secret in plain text']],
    [
      { ...least, admin: { client_id: 'x', client_secret: { env: 'UNSET' } } },
      ['admin.client_secret.env: the environment variable'],
    ],
    [{ ...least, registration: 'both' }, ['registration: ']],
    [
      { kind: 'asgardeo', organization: 'acme', registration: 'per_client' },
      ['registration: has no use without `admin`', 'client_id: is missing', 'client_secret: is missing'],
    ],
    [{ kind: 'okta', domain: 'acme.okta.com', admin }, ['admin: has a use with `kind: asgardeo` only']],
  ])('has every mistake told at once: %j', (provider, expected) => {
    const found = problemsOf(provider)
    expect(found).toHaveLength(expected.length)
    for (const [index, start] of expected.entries()) expect(found[index]).toContain(`identity_provider.${start}`)
  })
})

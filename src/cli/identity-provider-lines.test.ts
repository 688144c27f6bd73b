import { describe, expect, it } from 'vitest'
import { loadConfigValue } from '../config/load.ts'
import { formatIdentityProvider } from './identity-provider-lines.ts'

function tell(provider: Record<string, unknown>): string {
  const value = {
    public_url: 'https://mcp.example.com',
    identity_provider: { client_id: 'the-client', client_secret: { env: 'SECRET' }, ...provider },
    broker: { store: { kind: 'memory' } },
    servers: [{ path: '/mcp', upstream: 'http://127.0.0.1:8000/mcp' }],
  }
  const { plan } = loadConfigValue(value, { env: { SECRET: 'hunter2' }, directory: '.', terminal: false })
  if (plan.broker === undefined) throw new Error('there is a broker')
  return formatIdentityProvider(plan.broker).join('\n')
}

describe('what `check` says of the identity provider', () => {
  it.each([
    [{ kind: 'auth0', domain: 'acme.eu.auth0.com', audience: 'https://api.example.com' }, /sends audience.*client_secret_post/],
    [{ kind: 'keycloak', base_url: 'https://sso.example.com', realm: 'main' }, /realms\/main.*\n.*client_secret_basic/],
    [{ kind: 'okta', domain: 'acme.okta.com' }, /offline_access.*\n.*\n.*organization/],
    [{ kind: 'entra', tenant: '00000000-0000-0000-0000-000000000000' }, /AADSTS9010010/],
    [{ kind: 'google', domain: 'example.com' }, /users whose hd is example\.com/],
    [{ kind: 'github', organization: 'acme' }, /users whose organizations is acme/],
    [{ kind: 'cognito', user_pool: 'eu-west-1_AbC' }, /cognito:groups/],
    [{ kind: 'asgardeo', organization: 'acme' }, /api\.asgardeo\.io\/t\/acme\/oauth2\/token/],
    [{ issuer: 'https://id.example.com' }, /May sign in: every user of it\./],
    [{ kind: 'google' }, /May sign in: everybody with a Google account\./],
  ])('%j', (provider, said) => {
    const text = tell(provider)
    expect(text).toMatch(said)
    expect(text).toContain('redirect URI https://mcp.example.com/oauth/callback')
    expect(text).not.toContain('hunter2')
    expect(text).toMatch(/gives no refresh token sign in again at most 28800 s .*\(identity_provider\.unrefreshed_seconds\)/)
  })

  it.each([
    ['application', /Makes the application open-mcp-auth-proxy_mcp\.example\.com there with the redirect URI/],
    ['per_client', /Makes an application for each MCP client there/],
  ])('and what it makes at Asgardeo by itself, with registration: %s', (registration, said) => {
    const admin = { client_id: 'the-admin', client_secret: { env: 'SECRET' } }
    const none = { client_id: undefined, client_secret: undefined }
    const text = tell({ kind: 'asgardeo', organization: 'acme', registration, admin, ...none })
    expect(text).toMatch(said)
    expect(text).toContain('https://mcp.example.com/oauth/callback, as the-admin')
    expect(text).not.toContain('hunter2')
  })
})

import { describe, expect, it } from 'vitest'
import { loadConfigValue } from '../load.ts'

function listNotices(provider: object): readonly string[] {
  const value = {
    identity_provider: { client_id: 'x', client_authentication: 'none', ...provider },
    broker: { store: { kind: 'memory' } },
    servers: [{ path: '/mcp', upstream: { command: ['node'] } }],
  }
  return loadConfigValue(value, { env: {}, directory: '.', terminal: false }).notices
}

const endpoints = (origin: string) => ({
  authorization_endpoint: `${origin}/authorize`,
  token_endpoint: `${origin}/token`,
  userinfo_endpoint: `${origin}/me`,
})
const allow = [{ claim: 'email', values: ['bob@example.com'] }]
const CONSUMERS = '9188040d-6c67-4c5b-b112-36a304b66dad'

describe('the start says that the public may sign in', () => {
  it.each([
    [{ kind: 'google' }, /everybody with a Google account may sign in/],
    [{ kind: 'github' }, /everybody with a GitHub account may sign in/],
    [{ kind: 'auth0', domain: 'acme.eu.auth0.com' }, /Auth0 lets everybody/],
    [{ kind: 'auth0', domain: 'login.example.com' }, /Auth0 lets everybody/],
    [{ kind: 'cognito', user_pool: 'eu-west-1_AbC' }, /Cognito lets everybody/],
    [{ kind: 'entra', tenant: CONSUMERS }, /everybody with a Microsoft account/],
    [{ kind: 'entra', issuer: 'https://login.microsoftonline.com/common/v2.0' }, /everybody with a Microsoft account/],
    [{ issuer: 'https://accounts.google.com' }, /everybody with a Google account/],
    [{ issuer: 'https://acme.us.auth0.com/' }, /Auth0 lets everybody/],
    [{ oauth: endpoints('https://github.com') }, /everybody with a GitHub account/],
    [
      { kind: 'google', grant: [{ claim: 'email', values: ['a@example.com'], scopes: ['a'] }] },
      /everybody with a Google account/,
    ],
    [{ kind: 'google', allow: [{ claim: 'email_domain', values: ['Gmail.com'] }] }, /anyone can get an address of Gmail\.com/],
  ])('%j', (provider, said) => {
    const notices = listNotices(provider).filter((notice) => notice.startsWith('identity_provider.allow: '))
    expect(notices).toEqual([expect.stringMatching(said)])
  })

  it.each([
    { kind: 'google', domain: 'example.com' },
    { kind: 'google', allow },
    { kind: 'github', organization: 'acme' },
    { kind: 'github', base_url: 'https://git.example.com' },
    { kind: 'auth0', domain: 'acme.eu.auth0.com', allow },
    { kind: 'entra', tenant: '72f988bf-86f1-41af-91ab-2d7cd011db47' },
    { kind: 'okta', domain: 'acme.okta.com' },
    { issuer: 'https://idp.example.com' },
    { oauth: endpoints('https://idp.example.com') },
  ])('but not without reason: %j', (provider) => {
    expect(listNotices(provider)).toEqual([])
  })
})

describe('the start says that no user can have a scope', () => {
  const listServerNotices = (grant: object[], server: object, more: object = {}) => {
    const value = {
      identity_provider: { issuer: 'https://idp.example.com', client_id: 'x', client_authentication: 'none', grant },
      broker: { store: { kind: 'memory' }, ...more },
      servers: [{ path: '/mcp', upstream: { command: ['node'] }, ...server }],
    }
    return loadConfigValue(value, { env: { KEY: 's' }, directory: '.', terminal: false }).notices
  }

  it('where every request needs it, and where a rule does', () => {
    expect(listServerNotices([{ scopes: ['mcp:tool'] }], { scopes: ['mcp:tools'] })).toEqual([
      expect.stringMatching(/^server mcp: unusable: every request needs mcp:tools,/),
    ])
    expect(listServerNotices([{ scopes: ['a'] }], { scopes: ['a'], rules: [{ tool: 't', scopes: ['b'] }] })).toEqual([
      expect.stringMatching(/^server mcp: rules need b,/),
    ])
  })

  it('but not where a wider one is granted', () => {
    const server = { scopes: ['a'], rules: [{ tool: 't', scopes: ['b'] }], scope_hierarchy: { b: ['a'] } }
    expect(listServerNotices([{ scopes: ['b'] }], server)).toEqual([])
  })
})

describe('the start says what it takes until groups arrive', () => {
  const load = (provider: object, server: object, issuers?: object[]) =>
    loadConfigValue(
      {
        ...(issuers === undefined
          ? {
              identity_provider: { client_id: 'x', client_authentication: 'none', allow, ...provider },
              broker: { store: { kind: 'memory' } },
            }
          : { issuers }),
        servers: [{ path: '/mcp', upstream: { command: ['node'] }, audience: ['api'], scopes: ['s'], ...server }],
      },
      { env: {}, directory: '.', terminal: false },
    ).notices.filter((notice) => notice.includes('groups'))
  const entry = { access: [{ groups: ['support'], tools: ['*'] }] }
  const rule = { rules: [{ tool: 'refund', require: "args.amount < 100 || 'finance' in principal.groups" }] }
  const who = { access: [{ who: "'support' in principal.groups", tools: ['*'] }] }
  const keycloak = { kind: 'keycloak', base_url: 'https://sso.example.com', realm: 'main' }
  const entra = { kind: 'entra', tenant: '72f988bf-86f1-41af-91ab-2d7cd011db47' }

  it.each([entry, rule, who])('where a server decides by them: %j', (server) => {
    expect(load(keycloak, server)).toEqual([
      expect.stringMatching(
        /^server mcp: decides by groups of https:\/\/sso\.example\.com\/realms\/main\. .*Group Membership.*`groups_claim`/,
      ),
    ])
  })

  it.each([
    [entra, /more than 200/],
    [{ kind: 'okta', domain: 'acme.okta.com' }, /groups claim filter/],
    [{ kind: 'auth0', domain: 'acme.eu.auth0.com' }, /an Action .*no condition on groups holds/],
    [{ kind: 'google' }, /Google sends no groups.*no condition on groups holds/],
    [{ kind: 'github' }, /Add read:org to `scopes`/],
  ])('for the product: %j', (provider, said) => {
    expect(load(provider, entry)).toEqual([expect.stringMatching(said)])
  })

  it('for issuers that are used directly', () => {
    expect(load({}, entry, [{ issuer: 'https://acme.eu.auth0.com/' }])).toEqual([expect.stringMatching(/an Action/)])
    expect(load({}, entry, [{ issuer: 'https://acme.eu.auth0.com/', groups_claim: 'https://example.com/groups' }])).toEqual([])
  })

  it.each<[object, object]>([
    [keycloak, { rules: [{ tool: 'x', require: 'args.a == 1' }] }],
    [{ ...keycloak, groups_claim: 'groups' }, entry],
    [{ kind: 'cognito', user_pool: 'eu-west-1_AbC' }, entry],
    [{ kind: 'github', organization: 'acme', allow: [] }, entry],
    [{ issuer: 'https://idp.example.com' }, entry],
  ])('but not without reason: %j %j', (provider, server) => {
    expect(load(provider, server)).toEqual([])
  })
})

describe('the start says where a placeholder was left', () => {
  const load = (clientId: string, secret: string) =>
    loadConfigValue(
      {
        identity_provider: { issuer: 'https://idp.example.com', client_id: clientId, client_secret: { env: 'SECRET' } },
        broker: { store: { kind: 'memory' } },
        servers: [{ path: '/mcp', upstream: { command: ['node'] } }],
      },
      { env: { SECRET: secret }, directory: '.', terminal: false },
    ).notices

  it.each(['<client id>', 'your-client-id', 'YOUR_CLIENT_ID', 'changeme', 'TODO', 'CHANGE_ME', '...'])('%s', (text) => {
    expect(load(text, 's3cret')).toEqual(['identity_provider.client_id: looks like a placeholder. Write the real value.'])
    expect(load('x', text)).toEqual(['identity_provider.client_secret: looks like a placeholder. Write the real value.'])
  })

  it.each([
    'https://YOUR_TENANT.example.com',
    'https://idp.example.com/realms/{realm}',
    'https://idp.example.com/<tenant-id>/v2.0',
  ])('%s', (text) => {
    expect(load(text, 's3cret')).toEqual(['identity_provider.client_id: looks like a placeholder. Write the real value.'])
  })

  it.each([
    'https://my-tenant.example.com/todo',
    'https://your-company.example.com',
    'open-mcp-auth-proxy',
    'your-company.example',
    'replacement',
    '1234.apps.googleusercontent.com',
  ])('but not: %s', (text) => {
    expect(load(text, text)).toEqual([])
  })
})

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
    [
      { kind: 'google', allow: [{ claim: 'email_domain', values: ['Gmail.com'] }] },
      /everybody can have an address of Gmail\.com/,
    ],
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

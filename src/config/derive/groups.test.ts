// Where groups are, by the kind of whoever names them and by the configuration.
import { describe, expect, it } from 'vitest'
import { loadConfigValue } from '../load.ts'

const upstream = 'http://127.0.0.1:1/mcp'
const load = (config: object) => loadConfigValue(config, { env: {}, directory: '/', terminal: false }).plan

const groupsOfIssuer = (issuer: object) =>
  load({ issuers: [issuer], servers: [{ path: '/mcp', upstream, audience: ['x'] }] }).servers[0]?.issuers[0]?.groups

const groupsOfProvider = (provider: object) =>
  load({
    public_url: 'https://mcp.example.com',
    identity_provider: { client_id: 'x', client_authentication: 'none', ...provider },
    broker: { store: { kind: 'memory' } },
    servers: [{ path: '/mcp', upstream }],
  }).broker

describe('the claim of groups is that of the product', () => {
  it.each<[string, object, string | undefined, RegExp | undefined]>([
    ['Cognito', { kind: 'cognito', user_pool: 'eu-west-1_AbC' }, 'cognito:groups', undefined],
    ['Entra ID', { kind: 'entra', tenant: '72f988bf-86f1-41af-91ab-2d7cd011db47' }, 'groups', /more than 200/],
    ['Okta', { kind: 'okta', domain: 'acme.okta.com' }, 'groups', /groups claim filter/],
    ['Keycloak', { kind: 'keycloak', base_url: 'https://sso.example.com', realm: 'main' }, 'groups', /Group Membership/],
    ['Asgardeo', { kind: 'asgardeo', organization: 'acme' }, 'groups', /^Add groups to `scopes`\. Asgardeo/],
    ['Asgardeo with the scope', { kind: 'asgardeo', organization: 'acme', scopes: ['openid', 'groups'] }, 'groups', /^Asgardeo/],
    ['Auth0', { kind: 'auth0', domain: 'acme.eu.auth0.com' }, undefined, /Action/],
    ['Google', { kind: 'google' }, undefined, /sends no groups/],
    ['GitHub', { kind: 'github', organization: 'acme' }, 'organizations', undefined],
    ['GitHub without the scope for it', { kind: 'github' }, 'organizations', /^Add read:org to `scopes`\.$/],
    ['OpenID Connect', { issuer: 'https://idp.example.com' }, 'groups', undefined],
    [
      'Cognito by its issuer',
      { issuer: 'https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbC' },
      'cognito:groups',
      undefined,
    ],
  ])('%s', (_name, provider, claim, setup) => {
    const broker = groupsOfProvider(provider)
    const expected = { claim, ...(setup && { setup: expect.stringMatching(setup) }) }
    expect(broker?.identityProvider.groups).toEqual(expected)
    // Tokens of our own hold the same claims under the same names.
    expect(broker?.issuerPlan.groups).toEqual(expected)
  })

  it.each<[string, string | undefined, RegExp | undefined]>([
    ['https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbC', 'cognito:groups', undefined],
    ['https://login.microsoftonline.com/72f988bf-86f1-41af-91ab-2d7cd011db47/v2.0', 'groups', /more than 200/],
    ['https://sts.windows.net/72f988bf-86f1-41af-91ab-2d7cd011db47/', 'groups', /more than 200/],
    ['https://acme.eu.auth0.com/', undefined, /Action/],
    ['https://acme.okta.com/oauth2/default', 'groups', /Okta/],
    ['https://sso.example.com/realms/main', 'groups', /Keycloak/],
    ['https://api.asgardeo.io/t/acme/oauth2/token', 'groups', /Asgardeo/],
    ['https://idp.example.com', 'groups', undefined],
    // Hosts that only look like one of a vendor's.
    ['https://cognito-idp.eu-west-1.amazonaws.com.example.net/x', 'groups', undefined],
    ['https://cognito-idp.example.net/x', 'groups', undefined],
    ['https://auth0.com.example.net/', 'groups', undefined],
    ['https://notauth0.com/', 'groups', undefined],
  ])('of the issuer %s', (issuer, claim, setup) => {
    expect(groupsOfIssuer({ issuer })).toEqual({ claim, ...(setup && { setup: expect.stringMatching(setup) }) })
  })
})

describe('the configuration goes before that', () => {
  it('with the claim and the separator, and nothing is left to be set up', () => {
    const given = { groups_claim: 'https://example.com/groups', groups_separator: ' ' }
    const expected = { claim: 'https://example.com/groups', separator: ' ' }
    expect(groupsOfIssuer({ issuer: 'https://acme.eu.auth0.com/', ...given })).toEqual(expected)
    expect(groupsOfProvider({ kind: 'auth0', domain: 'acme.eu.auth0.com', ...given })?.identityProvider.groups).toEqual(expected)
    expect(groupsOfIssuer({ issuer: 'https://cognito-idp.eu-west-1.amazonaws.com/x', groups_separator: ',' })).toEqual({
      claim: 'cognito:groups',
      separator: ',',
    })
  })

  it('and refuses an empty one', () => {
    expect(() => groupsOfIssuer({ issuer: 'https://idp.example.com', groups_claim: ' ' })).toThrow(/groups_claim/)
    expect(() => groupsOfIssuer({ issuer: 'https://idp.example.com', groups_separator: '' })).toThrow(/groups_separator/)
  })

  it('and a path of Keycloak means the same there as in tokens', () => {
    const { servers } = load({
      issuers: ['https://sso.example.com/realms/main'],
      servers: [{ path: '/mcp', upstream, audience: ['x'], access: [{ groups: ['/finance/admins', 'support'], tools: ['*'] }] }],
    })
    expect(servers[0]?.policy.access?.entries[0]?.groups).toEqual(['finance/admins', 'support'])
  })
})

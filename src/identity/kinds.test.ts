import { describe, expect, it } from 'vitest'
import type { IdentityProviderKind } from '../core/plan/identity-provider-plan.ts'
import type { Place } from './kind.ts'
import { describeKind, findPlaceMistakes, IDENTITY_PROVIDER_KINDS } from './kinds.ts'

const TENANT = '72F988BF-86f1-41af-91ab-2d7cd011db47'
const mistakenKeys = (kind: IdentityProviderKind, place: Place) => findPlaceMistakes(kind, place).map(({ key }) => key)

const PLAIN = {
  authorizationEndpoint: 'https://id.example.com/authorize',
  tokenEndpoint: 'https://id.example.com/token',
  userinfoEndpoint: 'https://id.example.com/me',
  subjectClaim: 'id',
}

describe('the issuer of a kind', () => {
  it.each<[IdentityProviderKind, Place, string]>([
    ['auth0', { domain: 'acme.eu.auth0.com' }, 'https://acme.eu.auth0.com/'],
    [
      'keycloak',
      { base_url: 'https://sso.example.com/auth/', realm: 'my realm' },
      'https://sso.example.com/auth/realms/my%20realm',
    ],
    ['okta', { domain: 'acme.okta.com' }, 'https://acme.okta.com'],
    ['okta', { domain: 'acme.okta.com', authorization_server: 'default' }, 'https://acme.okta.com/oauth2/default'],
    ['entra', { tenant: TENANT }, 'https://login.microsoftonline.com/72f988bf-86f1-41af-91ab-2d7cd011db47/v2.0'],
    ['google', {}, 'https://accounts.google.com'],
    ['github', {}, 'https://github.com/login/oauth'],
    ['github', { base_url: 'https://git.example.com/' }, 'https://git.example.com/login/oauth'],
    ['cognito', { user_pool: 'us-gov-west-1_aBc123' }, 'https://cognito-idp.us-gov-west-1.amazonaws.com/us-gov-west-1_aBc123'],
    ['asgardeo', { organization: 'acme' }, 'https://api.asgardeo.io/t/acme/oauth2/token'],
    ['asgardeo', { base_url: 'https://is.example.com:9443/' }, 'https://is.example.com:9443/oauth2/token'],
    ['oidc', { issuer: 'https://id.example.com/' }, 'https://id.example.com/'],
    ['oauth', { oauth: PLAIN }, 'https://id.example.com'],
  ])('%s at %j is %s', (kind, place, issuer) => {
    expect(findPlaceMistakes(kind, place)).toEqual([])
    expect(describeKind(kind, place).issuer).toBe(issuer)
  })

  it.each(IDENTITY_PROVIDER_KINDS.filter((kind) => kind !== 'github' && kind !== 'oauth'))(
    'can be written down whole instead: %s',
    (kind) => {
      const place = { issuer: 'https://id.example.com/x' }
      expect(findPlaceMistakes(kind, place)).toEqual([])
      expect(describeKind(kind, place).issuer).toBe(place.issuer)
    },
  )
})

describe('a place that cannot be', () => {
  it.each<[IdentityProviderKind, Place, string[]]>([
    ['auth0', {}, ['domain']],
    ['keycloak', { realm: 'x' }, ['base_url']],
    ['keycloak', {}, ['base_url', 'realm']],
    ['okta', { tenant: 'x' }, ['tenant', 'domain']],
    ['okta', { issuer: 'https://acme.okta.com', authorization_server: 'default' }, ['authorization_server']],
    ['auth0', { domain: 'a.example.com', issuer: 'https://a.example.com/' }, ['issuer']],
    ['entra', { tenant: 'contoso.onmicrosoft.com' }, ['tenant']],
    ['entra', { tenant: 'common' }, ['tenant']],
    ['cognito', { user_pool: 'pool' }, ['user_pool']],
    ['cognito', { user_pool: 'eu-west-1_a', region: 'eu-west-2' }, ['region']],
    ['google', { audience: 'x' }, ['audience']],
    ['github', { issuer: 'https://github.com' }, ['issuer']],
    ['asgardeo', { organization: 'a', base_url: 'https://api.asgardeo.io/t/a' }, ['organization']],
    ['oauth', {}, ['oauth']],
  ])('%s at %j: what is wrong with %j is told, with a fix', (kind, place, keys) => {
    expect(mistakenKeys(kind, place)).toEqual(keys)
    for (const { reason, fix } of findPlaceMistakes(kind, place)) expect(`${reason} ${fix}`).toMatch(/^\S.+\.$/)
  })

  it('says nothing of a key whose value could not be read', () => {
    expect(findPlaceMistakes('auth0', {}, (key) => key === 'domain')).toEqual([])
  })
})

describe('what is special to a kind', () => {
  it('Google gives refresh tokens for parameters of its own, and is held to the Workspace domain', () => {
    const { authorizationParameters, scopes, allow } = describeKind('google', { domain: 'example.com' })
    expect(authorizationParameters).toEqual({ access_type: 'offline', prompt: 'consent', hd: 'example.com' })
    expect(scopes).not.toContain('offline_access')
    expect(allow).toEqual([{ claim: 'hd', values: ['example.com'] }])
  })

  it('Auth0 gives tokens of an API for the parameter audience', () => {
    expect(describeKind('auth0', { domain: 'a.example.com', audience: 'https://api' }).authorizationParameters).toEqual({
      audience: 'https://api',
    })
  })

  it('GitHub knows addresses and organizations at places of their own, for the scopes that open them', () => {
    expect(describeKind('github', {}).oauth).toMatchObject({
      subjectClaim: 'id',
      emailsEndpoint: 'https://api.github.com/user/emails',
      organizationsEndpoint: undefined,
    })
    const { allow, oauth, scopes } = describeKind('github', { organization: 'acme' })
    expect(scopes).toContain('read:org')
    expect(allow).toEqual([{ claim: 'organizations', values: ['acme'] }])
    expect(oauth?.organizationsEndpoint).toBe('https://api.github.com/user/orgs?per_page=100')
    expect(describeKind('github', { scopes: [] }).oauth?.emailsEndpoint).toBeUndefined()
  })

  it('Entra ID has no user endpoint for its own tokens', () => {
    expect(describeKind('entra', { tenant: TENANT }).userinfo).toBe(false)
  })
})

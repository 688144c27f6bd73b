import { afterEach, describe, expect, it } from 'vitest'
import { callMcp } from './support/broker-client.ts'
import { type Stage, startStage } from './support/stage.ts'

let stage: Stage | undefined
afterEach(async () => {
  await stage?.close()
  stage = undefined
})

interface Vendor {
  /** Members of the issuer, as docs/identity-providers.md has them. */
  readonly issuer?: Readonly<Record<string, unknown>>
  readonly audience: string
  /** Claims as the vendor puts them into access tokens, beside times and issuer. */
  readonly claims: Readonly<Record<string, unknown>>
  /** Changes with which the same token is for somebody else. */
  readonly elsewhere: Readonly<Record<string, unknown>>
}

const NONE = { aud: undefined, scope: undefined, client_id: undefined }

const VENDORS: Readonly<Record<string, Vendor>> = {
  'Auth0, by scope': {
    audience: 'https://api.example.com',
    claims: {
      ...NONE,
      aud: ['https://api.example.com', 'https://acme.eu.auth0.com/userinfo'],
      azp: 'c',
      scope: 'openid mcp:tools',
    },
    elsewhere: { aud: ['https://acme.eu.auth0.com/userinfo'] },
  },
  'Auth0, by permission': {
    issuer: { scope_claims: ['scope', 'permissions'] },
    audience: 'https://api.example.com',
    claims: { ...NONE, aud: 'https://api.example.com', scope: 'openid', permissions: ['mcp:tools'] },
    elsewhere: { aud: 'https://acme.eu.auth0.com/api/v2/' },
  },
  'Keycloak, by role': {
    issuer: { scope_claims: ['scope', 'realm_access.roles'] },
    audience: 'mcp',
    claims: {
      ...NONE,
      typ: 'Bearer',
      aud: ['mcp', 'account'],
      azp: 'c',
      scope: 'openid',
      realm_access: { roles: ['mcp:tools'] },
    },
    elsewhere: { aud: 'account' },
  },
  'Okta, a list in scp': {
    audience: 'api://default',
    claims: { ...NONE, ver: 1, aud: 'api://default', cid: 'c', uid: 'u', scp: ['openid', 'mcp:tools'] },
    elsewhere: { aud: 'https://acme.okta.com' },
  },
  'Entra ID, version 2': {
    audience: '11111111-2222-3333-4444-555555555555',
    claims: { ...NONE, ver: '2.0', aud: '11111111-2222-3333-4444-555555555555', azp: 'c', scp: 'openid mcp:tools', tid: 't' },
    elsewhere: { aud: '00000003-0000-0000-c000-000000000000' },
  },
  'Entra ID, an application by its role': {
    audience: 'api://mcp',
    claims: { ...NONE, ver: '1.0', aud: 'api://mcp', appid: 'c', roles: ['mcp:tools'], tid: 't' },
    elsewhere: { aud: '00000003-0000-0000-c000-000000000000' },
  },
  'Cognito, the client instead of an audience': {
    issuer: { audience_claims: ['aud', 'client_id'] },
    audience: '1example23456789',
    claims: { ...NONE, token_use: 'access', client_id: '1example23456789', scope: 'openid mcp:tools', username: 'alice' },
    elsewhere: { client_id: 'another-client' },
  },
  'Cognito, bound to the server': {
    issuer: { audience_claims: ['aud', 'client_id'] },
    audience: '1example23456789',
    claims: { ...NONE, token_use: 'access', aud: '1example23456789', client_id: 'x', scope: 'mcp:tools' },
    elsewhere: { aud: 'https://elsewhere.example.com/mcp', client_id: '1example23456789' },
  },
}

describe.each(Object.entries(VENDORS))('an access token of %s', (_, { issuer = {}, audience, claims, elsewhere }) => {
  it('is accepted with its scopes, and refused when it is for another server or lacks them', async () => {
    stage = await startStage({ issuer, server: { audience: [audience] } })
    const url = `${stage.proxy.origin}/mcp`
    const call = async (changes: Record<string, unknown> = {}) =>
      callMcp(url, (await stage?.mint({ ...claims, ...changes })) ?? '')
    expect(await call()).toBe(200)
    expect(await call(elsewhere)).toBe(401)
    expect(
      await call({ scope: 'openid', scp: undefined, permissions: undefined, roles: undefined, realm_access: undefined }),
    ).toBe(403)
  })
})

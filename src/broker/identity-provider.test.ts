import { createServer, type Server } from 'node:http'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { IdentityProviderPlan } from '../core/plan.ts'
import { createSafeFetch, type SafeFetch } from '../oauth/safe-fetch.ts'
import { closeServer, listenOnLoopback } from '../sandbox/listen.ts'
import { createIdentityProvider, type IdentityProvider, type SignedInUser } from './identity-provider.ts'

// A provider that gives no ID token on refresh, as OpenID Connect Core §12.2 permits.
let userinfo: Record<string, unknown>
let server: Server
let door: SafeFetch
let identityProvider: IdentityProvider

beforeEach(async () => {
  server = createServer((request, response) => {
    const origin = `http://${request.headers.host}`
    const answers: Record<string, unknown> = {
      '/.well-known/openid-configuration': {
        issuer: origin,
        authorization_endpoint: `${origin}/authorize`,
        token_endpoint: `${origin}/token`,
        userinfo_endpoint: `${origin}/userinfo`,
      },
      '/token': { access_token: 'token', token_type: 'bearer', refresh_token: 'next' },
      '/userinfo': userinfo,
    }
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answers[request.url ?? '']))
  })
  const issuer = `http://localhost:${await listenOnLoopback(server, 0)}`
  const plan: IdentityProviderPlan = {
    kind: 'oidc',
    name: 'Example ID',
    issuer,
    oauth: undefined,
    clientId: 'broker',
    clientAuthentication: { method: 'client_secret_basic', secret: 'secret' },
    scopes: ['openid'],
    authorizationParameters: {},
    userinfo: true,
    asgardeo: undefined,
    accountPrompt: undefined,
    notes: [],
    allow: [],
    grant: [],
    tokenClaims: [],
    allowPrivateNetwork: true,
    ca: undefined,
  }
  door = createSafeFetch(plan)
  identityProvider = createIdentityProvider({ plan, redirectUri: 'http://localhost/oauth/callback', door })
})
afterEach(async () => {
  await door.close()
  await closeServer(server)
})

const signedIn: SignedInUser = {
  subject: 'alice',
  // As of an ID token that names the department, and one more claim than the userinfo endpoint does.
  claims: { sub: 'alice', department: 'sales', groups: ['admins'] },
  fromUserinfo: ['sub', 'groups'],
  tokens: { accessToken: 'old', refreshToken: 'first', expiresAt: 0 },
}

describe('a refresh that brings no ID token (OpenID Connect Core §12.2)', () => {
  it('takes away what the userinfo endpoint no longer names, and keeps what only the ID token said', async () => {
    userinfo = { sub: 'alice' }
    const { claims } = await identityProvider.refresh(signedIn)
    expect(claims).toEqual({ sub: 'alice', department: 'sales' })
  })

  it('remembers what the userinfo endpoint names for the next one', async () => {
    userinfo = { sub: 'alice', groups: ['staff'], team: 'blue' }
    const fresh = await identityProvider.refresh(signedIn)
    expect(fresh.claims).toEqual({ sub: 'alice', department: 'sales', groups: ['staff'], team: 'blue' })
    userinfo = { sub: 'alice' }
    expect((await identityProvider.refresh(fresh)).claims).toEqual({ sub: 'alice', department: 'sales' })
  })

  it('is refused when the userinfo endpoint speaks of somebody else (§5.3.2)', async () => {
    userinfo = { sub: 'mallory' }
    await expect(identityProvider.refresh(signedIn)).rejects.toThrow()
  })
})

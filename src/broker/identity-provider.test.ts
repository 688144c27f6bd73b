import { createServer, type Server } from 'node:http'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { IdentityProviderPlan } from '../core/plan.ts'
import { createSafeFetch, type SafeFetch } from '../oauth/safe-fetch.ts'
import { closeServer, listenOnLoopback } from '../sandbox/listen.ts'
import { createIdentityProvider, type IdentityProvider, type SignedInUser } from './identity-provider.ts'

// A provider that gives no ID token on refresh, as OpenID Connect Core §12.2 permits.
let userinfo: Record<string, unknown>
const kept: string[] = []
const keep = async (refreshToken: string) => void kept.push(refreshToken)
let server: Server
let door: SafeFetch
let identityProvider: IdentityProvider
let plan: IdentityProviderPlan

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
  plan = {
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
    const { claims } = await identityProvider.refresh(signedIn, keep)
    expect(claims).toEqual({ sub: 'alice', department: 'sales' })
  })

  it('remembers what the userinfo endpoint names for the next one', async () => {
    userinfo = { sub: 'alice', groups: ['staff'], team: 'blue' }
    const fresh = await identityProvider.refresh(signedIn, keep)
    expect(fresh.claims).toEqual({ sub: 'alice', department: 'sales', groups: ['staff'], team: 'blue' })
    userinfo = { sub: 'alice' }
    expect((await identityProvider.refresh(fresh, keep)).claims).toEqual({ sub: 'alice', department: 'sales' })
  })

  it('is refused when the userinfo endpoint speaks of somebody else (§5.3.2)', async () => {
    userinfo = { sub: 'mallory' }
    await expect(identityProvider.refresh(signedIn, keep)).rejects.toThrow()
  })

  it('keeps a new refresh token whatever becomes of the rest: the old one is used up (RFC 9700 §4.14.2)', async () => {
    userinfo = {}
    kept.splice(0)
    await expect(identityProvider.refresh(signedIn, keep)).rejects.toThrow('the userinfo endpoint: ')
    expect(kept).toEqual(['next'])
  })

  it('says when the new refresh token cannot be kept, and asks no more', async () => {
    const refused = identityProvider.refresh(signedIn, () => Promise.reject(new Error('the disk is full')))
    await expect(refused).rejects.toThrow('its new refresh token could not be kept: the disk is full')
  })
})

it('has one bound in time for all questions of a refresh, so that no other process asks meanwhile', async () => {
  userinfo = { sub: 'alice' }
  const bounds: (AbortSignal | undefined)[] = []
  const watched: SafeFetch = {
    ...door,
    fetchRaw(url, request) {
      bounds.push(request.signal)
      return door.fetchRaw(url, request)
    },
  }
  const bounded = createIdentityProvider({ plan, redirectUri: 'http://localhost/oauth/callback', door: watched })
  await bounded.refresh(signedIn, keep)
  const [metadata, ...questions] = bounds
  // The metadata is for everybody who waits, and has a bound of its own.
  expect(metadata).toBeUndefined()
  expect(questions).toHaveLength(2)
  expect(questions[0]).toBeInstanceOf(AbortSignal)
  expect(questions[1]).toBe(questions[0])
})

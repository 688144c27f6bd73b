import { createServer, type Server } from 'node:http'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createIdentityProviderPlan } from '../../../test/support/identity-provider-plan.ts'
import type { IdentityProviderPlan } from '../../core/plan/identity-provider-plan.ts'
import { createSafeFetch, type SafeFetch } from '../../oauth/safe-fetch.ts'
import { closeServer, listenOnLoopback } from '../../sandbox/listen.ts'
import { createIdentityProvider, type IdentityProvider } from './identity-provider.ts'
import type { SignedInUser } from './signed-in-user.ts'

// A provider that gives no ID token on refresh, as OpenID Connect Core §12.2 permits.
let userinfo: Record<string, unknown>
const kept: string[] = []
const keep = async (refreshToken: string) => void kept.push(refreshToken)
let server: Server
let outboundFetch: SafeFetch
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
  plan = createIdentityProviderPlan(issuer)
  outboundFetch = createSafeFetch(plan)
  identityProvider = createIdentityProvider({ plan, redirectUri: 'http://localhost/oauth/callback', outboundFetch })
})
afterEach(async () => {
  await outboundFetch.close()
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

  it('is refused when the userinfo endpoint names another user (§5.3.2)', async () => {
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
    await expect(refused).rejects.toThrow('its new refresh token could not be stored: the disk is full')
  })
})

describe('the time that is waited for a refresh', () => {
  /** An outbound fetch that holds back the answer of the token endpoint. */
  function createSlowFetch() {
    let release = () => {}
    const released = new Promise<void>((resolve) => {
      release = resolve
    })
    const asked: { url: string; signal: AbortSignal | undefined }[] = []
    const slow: SafeFetch = {
      ...outboundFetch,
      async fetchRaw(url, request) {
        asked.push({ url: new URL(url).pathname, signal: request.signal })
        const answer = await outboundFetch.fetchRaw(url, request)
        if (url.endsWith('/token')) await released
        return answer
      },
    }
    return { slow, asked, release }
  }
  const open = (slow: SafeFetch, timeoutSeconds: number) =>
    createIdentityProvider({
      plan: { ...plan, timeoutSeconds },
      redirectUri: 'http://localhost/oauth/callback',
      outboundFetch: slow,
    })

  it('is bounded, and a new refresh token that comes later is kept nevertheless', async () => {
    userinfo = { sub: 'alice' }
    const { slow, release } = createSlowFetch()
    const late = new Promise<string>((resolve) => {
      const refreshed = open(slow, 0.05).refresh(signedIn, async (refreshToken) => resolve(refreshToken))
      refreshed.catch((error: Error) => {
        expect(error.message).toBe('the token endpoint: no complete answer within 0.05 s')
        release()
      })
    })
    expect(await late).toBe('next')
  })

  it('is one for all questions but that for the token, so that no other process asks meanwhile', async () => {
    userinfo = { sub: 'alice' }
    const { slow, asked, release } = createSlowFetch()
    release()
    await open(slow, 10).refresh(signedIn, keep)
    const signals = Object.fromEntries(asked.map(({ url, signal }) => [url, signal]))
    // The metadata is for everybody who waits, and has a bound of its own; the new token is worth waiting for.
    expect(Object.keys(signals)).toEqual(['/.well-known/openid-configuration', '/token', '/userinfo'])
    expect([signals['/.well-known/openid-configuration'], signals['/token']]).toEqual([undefined, undefined])
    expect(signals['/userinfo']).toBeInstanceOf(AbortSignal)
  })
})

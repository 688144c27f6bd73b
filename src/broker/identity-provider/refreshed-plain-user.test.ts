import { createServer, type Server } from 'node:http'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { createIdentityProviderPlan } from '../../../test/support/identity-provider-plan.ts'
import { createSafeFetch, type SafeFetch } from '../../oauth/safe-fetch.ts'
import { closeServer, listenOnLoopback } from '../../sandbox/listen.ts'
import { createIdentityProvider, type IdentityProvider } from './identity-provider.ts'
import type { SignedInUser } from './signed-in-user.ts'

let server: Server
let outboundFetch: SafeFetch
let identityProvider: IdentityProvider
let login: string

beforeEach(async () => {
  server = createServer((request, response) => {
    const answer = request.url === '/token' ? { access_token: 'token', token_type: 'bearer' } : { login, team: 'blue' }
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answer))
  })
  const origin = `http://localhost:${await listenOnLoopback(server, 0)}`
  const plan = createIdentityProviderPlan(origin, {
    oauth: {
      authorizationEndpoint: `${origin}/authorize`,
      tokenEndpoint: `${origin}/token`,
      userinfoEndpoint: `${origin}/user`,
      subjectClaim: 'login',
    },
    scopes: [],
  })
  outboundFetch = createSafeFetch(plan)
  identityProvider = createIdentityProvider({ plan, redirectUri: 'http://localhost/oauth/callback', outboundFetch })
})
afterEach(async () => {
  await outboundFetch.close()
  await closeServer(server)
})

const alice: SignedInUser = {
  subject: 'alice',
  claims: { login: 'alice' },
  tokens: { accessToken: 'old', refreshToken: 'first', expiresAt: 0 },
}
const keep = async () => undefined

it('a refresh at a provider without ID tokens takes what it says of the same user', async () => {
  login = 'alice'
  expect(await identityProvider.refresh(alice, keep)).toMatchObject({ subject: 'alice', claims: { team: 'blue' } })
})

it('a refresh at a provider without ID tokens ends the sign-in when it names another user', async () => {
  login = 'mallory'
  await expect(identityProvider.refresh(alice, keep)).rejects.toMatchObject({ kind: 'ended' })
})

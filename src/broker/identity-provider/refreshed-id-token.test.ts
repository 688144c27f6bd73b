import { generateKeyPairSync, sign } from 'node:crypto'
import { createServer, type Server } from 'node:http'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { createIdentityProviderPlan } from '../../../test/support/identity-provider-plan.ts'
import { createSafeFetch, type SafeFetch } from '../../oauth/safe-fetch.ts'
import { closeServer, listenOnLoopback } from '../../sandbox/listen.ts'
import { createIdentityProvider, type IdentityProvider } from './identity-provider.ts'
import type { SignedInUser } from './signed-in-user.ts'

const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })

let server: Server
let outboundFetch: SafeFetch
let identityProvider: IdentityProvider
let subject: string

function mintIdToken(issuer: string): string {
  const now = Math.floor(Date.now() / 1000)
  const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const claims = { iss: issuer, aud: 'broker', sub: subject, iat: now, exp: now + 60, groups: ['admins'] }
  const input = `${encode({ alg: 'ES256', kid: '1' })}.${encode(claims)}`
  return `${input}.${sign('sha256', Buffer.from(input), { key: privateKey, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`
}

beforeEach(async () => {
  server = createServer((request, response) => {
    const origin = `http://${request.headers.host}`
    const answers: Record<string, unknown> = {
      '/.well-known/openid-configuration': {
        issuer: origin,
        authorization_endpoint: `${origin}/authorize`,
        token_endpoint: `${origin}/token`,
        userinfo_endpoint: `${origin}/userinfo`,
        jwks_uri: `${origin}/jwks`,
        id_token_signing_alg_values_supported: ['ES256'],
      },
      '/jwks': { keys: [{ ...publicKey.export({ format: 'jwk' }), kid: '1', alg: 'ES256', use: 'sig' }] },
      '/token': { access_token: 'token', token_type: 'bearer', id_token: mintIdToken(origin) },
      '/userinfo': { sub: 'alice' },
    }
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answers[request.url ?? '']))
  })
  const issuer = `http://localhost:${await listenOnLoopback(server, 0)}`
  const plan = createIdentityProviderPlan(issuer)
  outboundFetch = createSafeFetch(plan)
  identityProvider = createIdentityProvider({ plan, redirectUri: 'http://localhost/oauth/callback', outboundFetch })
})
afterEach(async () => {
  await outboundFetch.close()
  await closeServer(server)
})

const alice: SignedInUser = {
  subject: 'alice',
  claims: { sub: 'alice' },
  tokens: { accessToken: 'old', refreshToken: 'first', expiresAt: 0 },
}
const keep = async () => undefined

it('a refresh takes the claims of an ID token about the same user', async () => {
  subject = 'alice'
  expect((await identityProvider.refresh(alice, keep)).claims).toMatchObject({ sub: 'alice', groups: ['admins'] })
})

it('a refresh with an ID token of another user is refused, even if the userinfo endpoint names the same user', async () => {
  subject = 'mallory'
  await expect(identityProvider.refresh(alice, keep)).rejects.toMatchObject({ kind: 'suspicious' })
})

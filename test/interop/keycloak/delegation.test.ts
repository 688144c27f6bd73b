// Keycloak issues tokens for the MCP server, in exchange for those of the callers (standard token exchange) and for the proxy itself.
import { createRemoteJWKSet, decodeJwt, jwtVerify } from 'jose'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { findFreePort } from '../../support/free-port.ts'
import { createRequest, sendMcp } from '../../support/mcp-requests.ts'
import { startTestProxy, type TestProxy } from '../../support/proxy.ts'
import { type RecordingUpstream, startRecordingUpstream } from '../../support/recording-upstream.ts'
import { createRealm, type KeycloakAdmin, USERS } from './admin.ts'
import { findKeycloak, type KeycloakServer, startKeycloak } from './server.ts'

const program = findKeycloak()
const EXCHANGER = { id: 'exchanger', secret: 'secret-of-the-exchanger-at-keycloak' }

let keycloak: KeycloakServer
let admin: KeycloakAdmin
let upstream: RecordingUpstream
let proxy: TestProxy

describe.skipIf(program === undefined)('Keycloak', { timeout: 60_000 }, () => {
  beforeAll(async () => {
    keycloak = await startKeycloak(program ?? '')
    upstream = await startRecordingUpstream()
    const port = await findFreePort()
    admin = await createRealm(keycloak, {
      broker: 'http://localhost:1',
      scopes: [
        { name: 'mcp:tools', audience: `http://localhost:${port}/mcp`, type: 'default' },
        { name: 'exchange', audience: EXCHANGER.id, type: 'default' },
        { name: 'files', audience: 'files-api', type: 'optional' },
      ],
    })
    await admin.createClient({ clientId: 'files-api', publicClient: false })
    await admin.createClient({ clientId: 'cli', publicClient: true, directAccessGrantsEnabled: true })
    await admin.createClient({
      clientId: EXCHANGER.id,
      secret: EXCHANGER.secret,
      publicClient: false,
      serviceAccountsEnabled: true,
      attributes: { 'standard.token.exchange.enabled': 'true' },
    })
    const client = { client_id: EXCHANGER.id, client_secret: { env: 'EXCHANGER_SECRET' }, scopes: ['files'] }
    const forFiles = { ...client, kind: 'token_exchange' as const, audience: ['files-api'] }
    const upstreamUrl = `${upstream.origin}/mcp`
    proxy = await startTestProxy(
      {
        issuers: [admin.issuer],
        servers: [
          { path: '/mcp', upstream: upstreamUrl, credential: forFiles },
          ...Object.entries({
            service: { ...client, kind: 'client_credentials' as const, issuer: admin.issuer },
            nowhere: { ...forFiles, audience: ['nobody'] },
            stranger: { ...forFiles, client_id: 'stranger' },
          }).map(([name, credential]) => ({
            name,
            path: `/${name}`,
            upstream: upstreamUrl,
            audience: [`http://localhost:${port}/mcp`],
            credential,
          })),
        ],
      },
      { EXCHANGER_SECRET: EXCHANGER.secret },
      port,
    )
  }, 300_000)
  afterAll(async () => {
    await proxy?.close()
    await Promise.all([upstream?.close(), keycloak?.close()])
  })

  async function signIn({ name, password }: { name: string; password: string }): Promise<string> {
    const body = new URLSearchParams({ grant_type: 'password', client_id: 'cli', username: name, password })
    const response = await fetch(`${admin.issuer}/protocol/openid-connect/token`, { method: 'POST', body })
    const { access_token: token } = (await response.json()) as { access_token?: string }
    if (token === undefined) throw new Error('Keycloak gave no token')
    return token
  }

  const call = (path: string, user: string) => sendMcp(`${proxy.origin}${path}`, { user, body: createRequest('ping', {}, 1) })
  const lastToken = () => String(upstream.requests.at(-1)?.headers.authorization).replace('Bearer ', '')

  it('exchanges the token of each user for one that is meant for the MCP server and that Keycloak signed', async () => {
    const keys = createRemoteJWKSet(new URL(`${admin.issuer}/protocol/openid-connect/certs`))
    for (const user of [USERS.alice, USERS.bob]) {
      const own = await signIn(user)
      expect((await call('/mcp', own)).status).toBe(200)
      expect(lastToken()).not.toBe(own)
      const { payload } = await jwtVerify(lastToken(), keys, { issuer: admin.issuer, audience: 'files-api' })
      expect(payload).toMatchObject({ sub: decodeJwt(own).sub, azp: EXCHANGER.id, preferred_username: user.name })
    }
  })

  it('gives the proxy a token of its own, the same for all users', async () => {
    const tokens: string[] = []
    for (const user of [USERS.alice, USERS.bob]) {
      expect((await call('/service', await signIn(user))).status).toBe(200)
      tokens.push(lastToken())
    }
    expect(tokens[0]).toBe(tokens[1])
    expect(decodeJwt(tokens[0] ?? '')).toMatchObject({ azp: EXCHANGER.id, client_id: EXCHANGER.id })
  })

  it('has a user whose session there has ended sign in again', async () => {
    const own = await signIn(USERS.alice)
    await admin.logOut('alice')
    const response = await call('/mcp', own)
    const answer = [response.status, response.headers.get('www-authenticate')]
    expect(answer).toEqual([401, expect.stringContaining('invalid_token')])
    const again = await signIn(USERS.alice)
    expect((await call('/mcp', again)).status).toBe(200)
  })

  it.each([
    ['an audience that it does not know', '/nowhere'],
    ['a client that it does not know', '/stranger'],
  ])('has no user sign in again because of %s', async (_, path) => {
    for (let round = 0; round < 2; round += 1) expect((await call(path, await signIn(USERS.bob))).status).toBe(502)
    expect(proxy.log.text()).toContain('upstream_token_misconfigured')
  })
})

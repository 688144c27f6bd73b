// An administrator of Keycloak ends a session, and what its user has at the proxy ends with it.
import { createHash, randomBytes } from 'node:crypto'
import { decodeJwt } from 'jose'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type ExampleMcpServer, startMcpServer } from '../../../demo/mcp-server.ts'
import { callMcp, createRawClient, createRequest, redeem, refresh } from '../../support/broker-client.ts'
import { hasChromium } from '../../support/chromium.ts'
import { findFreePort } from '../../support/free-port.ts'
import { waitUntil } from '../../support/processes.ts'
import { startTestProxy, type TestProxy } from '../../support/proxy.ts'
import { createRealm, type KeycloakAdmin, PROXY_CLIENT, REALM, USERS } from './admin.ts'
import { comeBack, openPerson, type Person, signInAtKeycloak, walkBroker } from './person.ts'
import { findKeycloak, type KeycloakServer, startKeycloak } from './server.ts'

const { alice, bob } = USERS
/** What `docs/identity-providers.md` promises. */
const PROMISED_MS = 5_000
const LOGOUT_PATH = '/oauth/backchannel-logout'
const PLAIN_CLIENT = 'mcp-client'
const program = findKeycloak()
const isPossible = hasChromium() && program !== undefined

let keycloak: KeycloakServer
let admin: KeycloakAdmin
let mcpServer: ExampleMcpServer
/** Clients sign their users in at Keycloak. */
let resource: TestProxy
/** The proxy is the client of Keycloak. */
let broker: TestProxy
let person: Person

describe.skipIf(!isPossible)('a session that an administrator of Keycloak ends', { timeout: 120_000 }, () => {
  beforeAll(async () => {
    keycloak = await startKeycloak(program ?? '')
    mcpServer = await startMcpServer()
    const [resourcePort, brokerPort] = [await findFreePort(), await findFreePort()]
    admin = await createRealm(keycloak, {
      broker: `http://localhost:${brokerPort}`,
      scopes: [{ name: 'mcp:tools', audience: `http://localhost:${resourcePort}/mcp`, type: 'default' }],
    })
    person = await openPerson()
    await admin.createClient({
      clientId: PLAIN_CLIENT,
      publicClient: true,
      standardFlowEnabled: true,
      redirectUris: [person.redirectUri],
      attributes: { 'pkce.code.challenge.method': 'S256' },
    })
    await admin.setLogoutUrl(PLAIN_CLIENT, `http://localhost:${resourcePort}${LOGOUT_PATH}`)
    await admin.setLogoutUrl(PROXY_CLIENT.id, `http://localhost:${brokerPort}${LOGOUT_PATH}`)
    const servers = [{ path: '/mcp', upstream: mcpServer.streamableHttpUrl, scopes: ['mcp:tools'] }]
    const issuers = [{ issuer: admin.issuer, backchannel_logout: { client_ids: [PLAIN_CLIENT] } }]
    resource = await startTestProxy({ issuers, servers }, {}, resourcePort)
    broker = await startTestProxy(
      {
        identity_provider: {
          kind: 'keycloak',
          base_url: keycloak.origin,
          realm: REALM,
          client_id: PROXY_CLIENT.id,
          client_secret: { env: 'KEYCLOAK_CLIENT_SECRET' },
          grant: [{ scopes: ['mcp:tools'] }],
        },
        broker: { store: { kind: 'memory' } },
        servers,
      },
      { KEYCLOAK_CLIENT_SECRET: PROXY_CLIENT.secret },
      brokerPort,
    )
  }, 300_000)
  afterAll(async () => {
    await person?.close()
    await Promise.all([resource?.close(), broker?.close()])
    await Promise.all([mcpServer?.close(), keycloak?.close()])
  })
  beforeEach(() => person.forget())

  /** Signs a user in through the broker. */
  async function signIn(account: typeof alice) {
    const client = await createRawClient(broker.origin, { redirectUri: person.redirectUri })
    const request = createRequest(broker.origin, client)
    await person.page.goto(request.url.href)
    await walkBroker(person.page, account)
    const redirect = await comeBack(person.page, person.redirectUri)
    const answer = await redeem(broker.origin, client, { ...request, redirect, code: redirect.searchParams.get('code') ?? '' })
    return { client, tokens: (await answer.json()) as { access_token: string; refresh_token: string } }
  }

  /** Signs a user in at Keycloak, as a client does that Keycloak knows. */
  async function signInAtIssuer(account: typeof alice): Promise<string> {
    const verifier = randomBytes(32).toString('base64url')
    const endpoint = `${admin.issuer}/protocol/openid-connect`
    const parameters = {
      response_type: 'code',
      client_id: PLAIN_CLIENT,
      redirect_uri: person.redirectUri,
      scope: 'openid',
      code_challenge: createHash('sha256').update(verifier).digest('base64url'),
      code_challenge_method: 'S256',
    }
    await person.page.goto(`${endpoint}/auth?${new URLSearchParams(parameters)}`)
    await signInAtKeycloak(person.page, account)
    const code = (await comeBack(person.page, person.redirectUri)).searchParams.get('code') ?? ''
    const { client_id, redirect_uri } = parameters
    const form = { grant_type: 'authorization_code', client_id, redirect_uri, code, code_verifier: verifier }
    const response = await fetch(`${endpoint}/token`, { method: 'POST', body: new URLSearchParams(form) })
    return ((await response.json()) as { access_token: string }).access_token
  }

  /** `iat` has whole seconds: a sign-in within the second of a logout counts as older than it. */
  const secondIsOver = () => {
    const next = (Math.floor(Date.now() / 1000) + 1) * 1000
    return waitUntil(() => Date.now() >= next, 'the second of the logout is over')
  }

  const endsWithin = (url: string, token: string) =>
    waitUntil(async () => (await callMcp(url, token)) === 401, 'the token is refused', PROMISED_MS)

  it('ends what the user has at the broker within five seconds, and nothing of another user', async () => {
    const url = `${broker.origin}/mcp`
    const other = await signIn(bob)
    await person.forget()
    const { client, tokens } = await signIn(alice)
    expect(await callMcp(url, tokens.access_token)).toBe(200)
    await admin.endSession('alice')
    await endsWithin(url, tokens.access_token)
    expect((await refresh(broker.origin, client, tokens.refresh_token)).status).toBe(400)
    expect(await callMcp(url, other.tokens.access_token)).toBe(200)
    expect((await refresh(broker.origin, other.client, other.tokens.refresh_token)).status).toBe(200)
  })

  it('ends the tokens of that session at servers whose clients sign users in at Keycloak, and no others', async () => {
    const url = `${resource.origin}/mcp`
    const other = await signInAtIssuer(bob)
    await person.forget()
    const token = await signInAtIssuer(alice)
    expect(decodeJwt(token)).toMatchObject({ iss: admin.issuer, azp: PLAIN_CLIENT })
    expect(await callMcp(url, token)).toBe(200)
    await admin.endSession('alice')
    await endsWithin(url, token)
    expect(await callMcp(url, other)).toBe(200)
    await person.forget()
    await secondIsOver()
    expect(await callMcp(url, await signInAtIssuer(alice))).toBe(200)
  })
})

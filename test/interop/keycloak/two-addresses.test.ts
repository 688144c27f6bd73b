// Keycloak as in Compose: browsers and clients reach it by one address, which is its issuer, and the proxy by another one.
import { decodeJwt } from 'jose'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type ExampleMcpServer, startMcpServer } from '../../../demo/mcp-server.ts'
import { callMcp, createRawClient, createRequest, readJson, redeem, refresh } from '../../support/broker-client.ts'
import { hasChromium } from '../../support/chromium.ts'
import { findFreePort } from '../../support/free-port.ts'
import { startTestProxy, type TestProxy } from '../../support/proxy.ts'
import { connectSdkClient } from '../../support/sdk-clients.ts'
import { createRealm, type KeycloakAdmin, PROXY_CLIENT, REALM, USERS } from './admin.ts'
import { comeBack, openPerson, type Person, walkBroker, walkKeycloak } from './person.ts'
import { openPublicAddress, type PublicAddress } from './public-address.ts'
import { findKeycloak, type KeycloakServer, startKeycloak } from './server.ts'

const program = findKeycloak()
const isPossible = hasChromium() && program !== undefined
const PROTOCOL = `/realms/${REALM}/protocol/openid-connect`

describe.skipIf(!isPossible)('Keycloak with one address for browsers and one for the proxy', { timeout: 120_000 }, () => {
  let address: PublicAddress
  let keycloak: KeycloakServer
  let admin: KeycloakAdmin
  let mcpServer: ExampleMcpServer
  let resource: TestProxy
  let broker: TestProxy
  let person: Person

  beforeAll(async () => {
    address = await openPublicAddress()
    keycloak = await startKeycloak(program ?? '', address.origin)
    address.leadTo(keycloak.origin)
    mcpServer = await startMcpServer()
    const [resourcePort, brokerPort] = [await findFreePort(), await findFreePort()]
    admin = await createRealm(keycloak, {
      broker: `http://localhost:${brokerPort}`,
      scopes: [{ name: 'mcp:tools', audience: `http://localhost:${resourcePort}/mcp`, type: 'optional' }],
    })
    resource = await startResource(resourcePort)
    broker = await startBroker(brokerPort)
    person = await openPerson()
  }, 300_000)
  afterAll(async () => {
    await person?.close()
    await Promise.all([resource?.close(), broker?.close()])
    await Promise.all([mcpServer?.close(), keycloak?.close(), address?.close()])
  })
  beforeEach(async () => {
    await person.forget()
    address.paths.clear()
  })

  const metadataUrl = () => `${keycloak.origin}/realms/${REALM}/.well-known/openid-configuration`
  const servers = () => [{ path: '/mcp', upstream: mcpServer.streamableHttpUrl, scopes: ['mcp:tools'] }]

  function startResource(port: number): Promise<TestProxy> {
    return startTestProxy({ issuers: [{ issuer: admin.issuer, metadata_url: metadataUrl() }], servers: servers() }, {}, port)
  }

  function startBroker(port: number): Promise<TestProxy> {
    return startTestProxy(
      {
        identity_provider: {
          kind: 'keycloak',
          base_url: address.origin,
          realm: REALM,
          metadata_url: metadataUrl(),
          client_id: PROXY_CLIENT.id,
          client_secret: { env: 'KEYCLOAK_CLIENT_SECRET' },
          allow: [{ claim: 'groups', values: ['mcp-users', 'mcp-admins'] }],
        },
        broker: { store: { kind: 'memory' } },
        servers: servers(),
      },
      { KEYCLOAK_CLIENT_SECRET: PROXY_CLIENT.secret },
      port,
    )
  }

  it('signs users in at the broker, and refreshes them, while only their browser goes to the public address', async () => {
    const raw = await createRawClient(broker.origin, { redirectUri: person.redirectUri })
    const request = createRequest(broker.origin, raw)
    await person.page.goto(request.url.href)
    await walkBroker(person.page, USERS.alice)
    const redirect = await comeBack(person.page, person.redirectUri)
    const answer = await redeem(broker.origin, raw, { ...request, redirect, code: redirect.searchParams.get('code') ?? '' })
    const tokens = await readJson(answer)
    expect(answer.status, JSON.stringify(tokens)).toBe(200)
    expect(await callMcp(`${broker.origin}/mcp`, tokens.access_token)).toBe(200)
    const going = await refresh(broker.origin, raw, tokens.refresh_token)
    expect(going.status).toBe(200)
    await admin.logOut('alice')
    const ended = await refresh(broker.origin, raw, (await readJson(going)).refresh_token)
    expect(await readJson(ended)).toMatchObject({ error: 'invalid_grant' })
    expect([...address.paths].filter((path) => path.startsWith(PROTOCOL))).toEqual([`${PROTOCOL}/auth`])
  })

  it('is the issuer of tokens whose keys the proxy finds at its own address', async () => {
    const oauth = person.createClient(walkKeycloak)
    const user = { ...USERS.alice, displayName: 'alice', mayGrant: [] }
    const url = `${resource.origin}/mcp`
    const client = await connectSdkClient({ generation: 'v2 auto', url, transport: 'streamable', oauth, user })
    expect(await client.callTool('echo', { message: 'hello' })).toContain('hello')
    await client.close()
    expect(decodeJwt(oauth.tokens()?.access_token ?? '').iss).toBe(admin.issuer)
    expect(address.paths).not.toContain(`${PROTOCOL}/certs`)
    expect(address.paths).toContain(`${PROTOCOL}/token`)
  })
})

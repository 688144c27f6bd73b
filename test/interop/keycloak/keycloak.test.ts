// An identity provider that nobody here wrote, set up as the recipe for Keycloak says, with people at a real browser.

import { readFileSync } from 'node:fs'
import { decodeJwt, decodeProtectedHeader } from 'jose'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type ExampleMcpServer, startMcpServer } from '../../../demo/mcp-server.ts'
import type { OAuthClient } from '../../../demo/oauth-client.ts'
import { type RunningProxy, startProxy } from '../../../src/app.ts'
import { loadConfigText } from '../../../src/config/load.ts'
import { callMcp, createRawClient, createRequest, redeem, refresh } from '../../support/broker-client.ts'
import { hasChromium } from '../../support/chromium.ts'
import { findFreePort } from '../../support/free-port.ts'
import { captureLog, findSecrets } from '../../support/log.ts'
import { startTestProxy, type TestProxy } from '../../support/proxy.ts'
import { connectSdkClient, type Generation, type SdkClient, type TransportKind } from '../../support/sdk-clients.ts'
import { createRealm, type KeycloakAdmin, PROXY_CLIENT, REALM, USERS } from './admin.ts'
import { comeBack, openPerson, type Person, signInAtKeycloak, type Walk, walkBroker, walkKeycloak } from './person.ts'
import { findKeycloak, type KeycloakServer, startKeycloak } from './server.ts'

const GENERATIONS: Generation[] = ['v1', 'v2 legacy', 'v2 auto']
const { alice, bob, mallory } = USERS
/** Alice is of the group, bob of one below it. */
const SUPPORT_ONLY = [{ groups: ['support'], tools: ['echo'] }]
const program = findKeycloak()
const isPossible = hasChromium() && program !== undefined

let keycloak: KeycloakServer
let admin: KeycloakAdmin
let mcpServer: ExampleMcpServer
/** Clients register at Keycloak themselves. */
let resource: TestProxy
/** The proxy is the client of Keycloak. */
let broker: TestProxy
let person: Person

describe.skipIf(!isPossible)('Keycloak', { timeout: 120_000 }, () => {
  beforeAll(async () => {
    keycloak = await startKeycloak(program ?? '')
    mcpServer = await startMcpServer()
    const [resourcePort, brokerPort] = [await findFreePort(), await findFreePort()]
    admin = await createRealm(keycloak, {
      broker: `http://localhost:${brokerPort}`,
      scopes: [
        { name: 'mcp:tools', audience: `http://localhost:${resourcePort}/mcp`, type: 'optional' },
        { name: 'mcp_proxy', audience: 'mcp_proxy', type: 'default' },
      ],
    })
    resource = await startTestProxy(
      {
        issuers: [admin.issuer],
        servers: [
          { path: '/mcp', upstream: mcpServer.streamableHttpUrl, scopes: ['mcp:tools'] },
          {
            name: 'tickets',
            path: '/tickets',
            upstream: mcpServer.streamableHttpUrl,
            audience: [`http://localhost:${resourcePort}/mcp`],
            access: SUPPORT_ONLY,
          },
        ],
      },
      {},
      resourcePort,
    )
    broker = await startBroker(brokerPort)
    person = await openPerson()
  }, 300_000)
  afterAll(async () => {
    await person?.close()
    await Promise.all([resource?.close(), broker?.close()])
    await Promise.all([mcpServer?.close(), keycloak?.close()])
  })
  beforeEach(() => person.forget())

  function startBroker(port: number): Promise<TestProxy> {
    return startTestProxy(
      {
        identity_provider: {
          kind: 'keycloak',
          base_url: keycloak.origin,
          realm: REALM,
          client_id: PROXY_CLIENT.id,
          client_secret: { env: 'KEYCLOAK_CLIENT_SECRET' },
          allow: [{ claim: 'groups', values: ['mcp-users', 'mcp-admins'] }],
          grant: [{ scopes: ['mcp:tools'] }, { claim: 'groups', values: ['mcp-admins'], scopes: ['mcp:admin'] }],
        },
        broker: { store: { kind: 'memory' } },
        servers: [
          {
            path: '/mcp',
            upstream: mcpServer.streamableHttpUrl,
            scopes: ['mcp:tools'],
            rules: [{ tool: 'admin_*', scopes: ['mcp:admin'] }],
          },
          {
            name: 'tickets',
            path: '/tickets',
            upstream: mcpServer.streamableHttpUrl,
            scopes: ['mcp:tools'],
            access: SUPPORT_ONLY,
          },
        ],
      },
      { KEYCLOAK_CLIENT_SECRET: PROXY_CLIENT.secret },
      port,
    )
  }

  interface Endpoint {
    readonly url: string
    readonly transport: TransportKind
  }

  const endpointOf = ({ origin }: TestProxy): Endpoint => ({ url: `${origin}/mcp`, transport: 'streamable' })

  interface SignedIn {
    readonly client: SdkClient
    readonly oauth: OAuthClient
    readonly token: string
  }

  async function connect(to: Endpoint, walk: Walk, account = alice, generation: Generation = 'v2 auto'): Promise<SignedIn> {
    const oauth = person.createClient(walk)
    const user = { ...account, displayName: account.name, mayGrant: [] }
    const client = await connectSdkClient({ generation, ...to, oauth, user })
    return { client, oauth, token: oauth.tokens()?.access_token ?? '' }
  }

  describe('as the issuer of the tokens', () => {
    it.each(GENERATIONS)('registers the %s client, signs its user in, and its tokens are for this server', async (generation) => {
      const { client, token } = await connect(endpointOf(resource), walkKeycloak, alice, generation)
      expect(await client.callTool('echo', { message: 'hello' })).toContain('hello')
      await client.close()
      const { aud, iss, scope } = decodeJwt(token)
      expect([aud].flat()).toContain(`${resource.origin}/mcp`)
      expect(iss).toBe(admin.issuer)
      expect(String(scope).split(' ')).toContain('mcp:tools')
      expect(findSecrets(resource.log.text(), [token])).toEqual([])
    })

    it('names groups by their paths: a tool of the support group is hidden from a group below it', async () => {
      const member = await connect(endpointOf(resource), walkKeycloak)
      await member.client.close()
      await person.forget()
      const below = await connect(endpointOf(resource), walkKeycloak, bob)
      await below.client.close()
      expect([decodeJwt(member.token).groups, decodeJwt(below.token).groups]).toEqual([
        expect.arrayContaining(['/support']),
        expect.arrayContaining(['/support/leads']),
      ])
      const url = `${resource.origin}/tickets`
      expect([await callEcho(url, member.token), await callEcho(url, below.token)]).toEqual(['permitted', '-32602'])
    })

    it('new keys count from their first token on, and keys that are gone count no more', async () => {
      const before = await connect(endpointOf(resource), walkKeycloak)
      await before.client.close()
      await admin.rotateKeys()
      await person.forget()
      const after = await connect(endpointOf(resource), walkKeycloak)
      expect(await after.client.callTool('echo', { message: 'hello' })).toContain('hello')
      await after.client.close()
      expect(decodeProtectedHeader(after.token).kid).not.toBe(decodeProtectedHeader(before.token).kid)
      expect(await callMcp(`${resource.origin}/mcp`, after.token)).toBe(200)
      expect(await callMcp(`${resource.origin}/mcp`, before.token)).toBe(401)
    })
  })

  /** What a server answers a call of `echo` in a new MCP session: `permitted`, or the code of the JSON-RPC error. */
  async function callEcho(url: string, token: string): Promise<unknown> {
    const headers = {
      authorization: `Bearer ${token}`,
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
    }
    const post = (message: object, more: Record<string, string> = {}) =>
      fetch(url, {
        method: 'POST',
        headers: { ...headers, ...more },
        body: JSON.stringify({ jsonrpc: '2.0', id: 1, ...message }),
      })
    const clientInfo = { name: 'raw', version: '1' }
    const begun = await post({ method: 'initialize', params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo } })
    await begun.text()
    const session = { 'mcp-protocol-version': '2025-11-25', 'mcp-session-id': begun.headers.get('mcp-session-id') ?? '' }
    const called = await post({ method: 'tools/call', params: { name: 'echo', arguments: { message: 'x' } } }, session)
    const body = await called.text()
    return /"code":(?<code>-?\d+)/.exec(body)?.groups?.code ?? (body.includes('"result"') ? 'permitted' : body)
  }

  describe('behind the Go proxy’s configuration for it', () => {
    let guided: RunningProxy
    let origin: string
    const log = captureLog()

    beforeAll(async () => {
      const port = await findFreePort()
      origin = `http://localhost:${port}`
      const text = readFileSync(new URL('../../fixtures/go-proxy/guide-keycloak.yaml', import.meta.url), 'utf8')
        .replaceAll('http://localhost:8080', keycloak.origin)
        .replaceAll('/realms/master', `/realms/${REALM}`)
        .replace('http://localhost:8000', `http://localhost:${mcpServer.port}`)
        .replace(/^listen_port: \d+/m, `listen_port: ${port}`)
      const { plan } = loadConfigText(text, {
        env: {},
        directory: '.',
        terminal: false,
        flags: [{ at: ['log'], value: { level: 'debug', format: 'json' }, name: '--debug' }],
      })
      guided = await startProxy({ ...plan, listen: { ...plan.listen, host: '127.0.0.1' } }, { logDestination: log.stream })
    })
    afterAll(() => guided?.close())

    const connectGuided = (generation: Generation) =>
      connect({ url: `${origin}/sse`, transport: 'sse' }, walkKeycloak, alice, generation)

    it('serves the first generation of clients, whose tokens are for this server only', async () => {
      const { client, token } = await connectGuided('v1')
      expect(await client.callTool('echo', { message: 'hello' })).toContain('hello')
      await client.close()
      expect([decodeJwt(token).aud].flat()).toContain('mcp_proxy')
      expect(await callMcp(`${resource.origin}/mcp`, token)).toBe(401)
      expect(resource.log.text()).toContain('token_audience_mismatch')
      expect(findSecrets(log.text(), [token])).toEqual([])
    })

    it('cannot serve clients that check who answered: Keycloak says that it did', async () => {
      await expect(connectGuided('v2 legacy')).rejects.toThrow(/iss/i)
    })
  })

  describe('behind the broker', () => {
    it.each(GENERATIONS)('signs the user of the %s client in, on the pages of both', async (generation) => {
      const { client, token } = await connect(endpointOf(broker), walkBroker, alice, generation)
      expect(await client.callTool('echo', { message: 'hello' })).toContain('hello')
      await client.close()
      expect(decodeJwt(token)).toMatchObject({ iss: broker.origin, aud: `${broker.origin}/mcp`, scope: 'mcp:tools' })
      expect(findSecrets(broker.log.text(), [token, PROXY_CLIENT.secret])).toEqual([])
    })

    it('asks who is signed in at Keycloak already for nothing but consent', async () => {
      await (await connect(endpointOf(broker), walkBroker)).client.close()
      const again = await connect(endpointOf(broker), (page) =>
        page
          .getByRole('button', { name: /^Allow/ })
          .first()
          .click(),
      )
      expect(await again.client.callTool('echo', { message: 'again' })).toContain('again')
      await again.client.close()
    })

    it('lets an administrator do more, by the group that Keycloak names', async () => {
      const { client, oauth } = await connect(endpointOf(broker), walkBroker, bob)
      expect(await client.callTool('echo', { message: 'hello' })).toContain('hello')
      await client.close()
      const raw = await createRawClient(broker.origin, { redirectUri: person.redirectUri })
      const request = createRequest(broker.origin, raw, { scope: 'mcp:tools mcp:admin' })
      await person.page.goto(request.url.href)
      await person.page
        .getByRole('button', { name: /^Allow/ })
        .first()
        .click()
      const redirect = await comeBack(person.page, person.redirectUri)
      const answer = await redeem(broker.origin, raw, { ...request, redirect, code: redirect.searchParams.get('code') ?? '' })
      expect(await answer.json()).toMatchObject({ scope: 'mcp:tools mcp:admin' })
      expect(oauth.tokens()?.scope).toBe('mcp:tools')
    })

    it('keeps out who is in no group', async () => {
      const raw = await createRawClient(broker.origin, { redirectUri: person.redirectUri })
      await person.page.goto(createRequest(broker.origin, raw).url.href)
      await walkBroker(person.page, mallory)
      await person.page.waitForURL((url) => url.origin === broker.origin && url.pathname === '/oauth/callback')
      expect(await person.page.locator('main').textContent()).toContain('This account has no access')
    })

    it('a wrong password leads nowhere, and the right one after it does', async () => {
      const raw = await createRawClient(broker.origin, { redirectUri: person.redirectUri })
      await person.page.goto(createRequest(broker.origin, raw).url.href)
      await walkBroker(person.page, { ...alice, password: 'wrong' })
      await person.page.getByText('Invalid username or password').first().waitFor()
      await signInAtKeycloak(person.page, alice)
      expect((await comeBack(person.page, person.redirectUri)).searchParams.get('code')).not.toBeNull()
    })

    async function signInRaw(account: typeof alice, resource?: string) {
      const raw = await createRawClient(broker.origin, { redirectUri: person.redirectUri })
      const request = createRequest(broker.origin, raw, resource === undefined ? {} : { resource })
      await person.page.goto(request.url.href)
      await walkBroker(person.page, account)
      const redirect = await comeBack(person.page, person.redirectUri)
      const answer = await redeem(broker.origin, raw, { ...request, redirect, code: redirect.searchParams.get('code') ?? '' })
      return { raw, tokens: (await answer.json()) as { access_token: string; refresh_token: string } }
    }

    it('goes on for as long as the session at Keycloak does, and ends with it', async () => {
      const { raw, tokens } = await signInRaw(alice)
      const going = await refresh(broker.origin, raw, tokens.refresh_token)
      expect(going.status).toBe(200)
      const fresh = (await going.json()) as typeof tokens
      await admin.logOut('alice')
      const ended = await refresh(broker.origin, raw, fresh.refresh_token)
      expect(ended.status).toBe(400)
      expect(await ended.json()).toMatchObject({ error: 'invalid_grant' })
      expect(await callMcp(`${broker.origin}/mcp`, fresh.access_token)).toBe(401)
    })

    it('opens a tool to the support group alone, for as long as Keycloak says that the user is in it', async () => {
      const url = `${broker.origin}/tickets`
      const outsider = await signInRaw(bob, url)
      expect(await callEcho(url, outsider.tokens.access_token)).toBe('-32602')
      await person.forget()
      const { raw, tokens } = await signInRaw(alice, url)
      expect(decodeJwt(tokens.access_token)).not.toHaveProperty('groups')
      expect(await callEcho(url, tokens.access_token)).toBe('permitted')
      await admin.leaveGroup('alice', 'support')
      const fresh = (await (await refresh(broker.origin, raw, tokens.refresh_token)).json()) as typeof tokens
      expect(await callEcho(url, fresh.access_token)).toBe('-32602')
    })

    it('ends where the account is disabled', async () => {
      const { raw, tokens } = await signInRaw(bob)
      await admin.updateUser('bob', { enabled: false })
      try {
        expect((await refresh(broker.origin, raw, tokens.refresh_token)).status).toBe(400)
      } finally {
        await admin.updateUser('bob', { enabled: true })
      }
    })

    it('takes the new keys of Keycloak as they come', async () => {
      const { raw, tokens } = await signInRaw(alice)
      await admin.rotateKeys()
      expect((await refresh(broker.origin, raw, tokens.refresh_token)).status).toBe(200)
      await person.forget()
      const { client } = await connect(endpointOf(broker), walkBroker)
      expect(await client.callTool('echo', { message: 'hello' })).toContain('hello')
      await client.close()
    })
  })
})

// Our client metadata document at FastMCP's OAuth proxy, which is the authorization server of the MCP server and knows us by nothing else.
import { fileURLToPath } from 'node:url'
import { Agent, fetch as undiciFetch } from 'undici'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { signIn } from '../../demo/browser.ts'
import { type AuthorizationServer, startAuthorizationServer } from '../../src/sandbox/authorization-server.ts'
import { SAMPLE_USERS, type User } from '../../src/sandbox/users.ts'
import { createBrowser, readRefresh } from '../support/broker-client.ts'
import { type EgressProxy, startEgressProxy } from '../support/egress-proxy.ts'
import { findFreePort } from '../support/free-port.ts'
import { prepareTlsBroker, type TlsBroker } from '../support/tls-broker.ts'
import { sendForm, visit } from '../support/visitor.ts'
import { findPython, type PythonProgram, startPythonProgram } from './python-server.ts'

const [alice] = SAMPLE_USERS as readonly [User, User]
const SCRIPT = fileURLToPath(new URL('./python/oauth_proxy_server.py', import.meta.url))
const SAAS = {
  client_id: 'the-fastmcp-server',
  client_secret: 'secret-of-the-fastmcp-server-0123456789',
  token_endpoint_auth_method: 'client_secret_basic' as const,
}

const python = findPython('fastmcp')
let broker: TlsBroker | undefined
let origin: string
let authorizationServer: AuthorizationServer
let egress: EgressProxy
let server: PythonProgram
let agent: Agent

beforeAll(async () => {
  if (python === undefined) return
  broker = await prepareTlsBroker()
  origin = broker.origin
  const saasPort = await findFreePort()
  agent = new Agent({ connect: { ca: broker.ca } })
  const saasClient = { ...SAAS, redirect_uris: [`http://127.0.0.1:${saasPort}/auth/callback`] }
  authorizationServer = await startAuthorizationServer({ clients: [saasClient] })
  authorizationServer.addResource(`http://127.0.0.1:${saasPort}/mcp`)
  // FastMCP fetches documents from public addresses alone, or through an egress proxy that decides.
  egress = await startEgressProxy({ routes: { [`localhost:${broker.port}`]: broker.port } })
  server = await startPythonProgram(python, [SCRIPT, String(saasPort)], {
    ISSUER: authorizationServer.issuer,
    CLIENT_ID: SAAS.client_id,
    CLIENT_SECRET: SAAS.client_secret,
    FASTMCP_SSRF_TRUST_PROXY: 'true',
    HTTPS_PROXY: egress.url,
    AUTHORITY: broker.caFile,
  })
  const credential = { kind: 'own_account' as const, scopes: ['mcp:tools'] }
  await broker.start({ servers: [{ name: 'saas', path: '/mcp', upstream: `${server.origin}/mcp`, credential }] })
})
afterAll(async () => {
  await broker?.close()
  await Promise.all([server?.close(), egress?.close(), authorizationServer?.close(), agent?.close()])
})

describe.skipIf(python === undefined)("FastMCP's OAuth proxy", () => {
  it('knows the proxy by its metadata document, and users connect accounts there', async () => {
    const browser = createBrowser((url, init) => undiciFetch(url, { ...init, dispatcher: agent } as never) as never)
    const list = `${origin}/connections`
    await visit(browser, list, alice)
    const page = await sendForm(browser, list, { action: 'connect', server: 'saas' }, { origin })
    const request = new URL(readRefresh(await page.text()))
    expect(request.searchParams.get('client_id')).toMatch(new RegExp(`^${origin}/connections/client/`))
    const end = await browser.open(await signIn(request, alice))
    expect([end.status, end.headers.get('location')]).toEqual([303, '/connections'])
    expect(await (await browser.open(list)).text()).toContain('Disconnect')
    expect(egress.tunnels.map(({ authority }) => authority)).toContain(new URL(origin).host)
  })
})

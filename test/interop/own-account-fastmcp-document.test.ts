// Our client metadata document at FastMCP's OAuth proxy, which is the authorization server of the MCP server and knows us by nothing else.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Agent, fetch as undiciFetch } from 'undici'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { signIn } from '../../demo/browser.ts'
import { type AuthorizationServer, startAuthorizationServer } from '../../src/sandbox/authorization-server.ts'
import { SAMPLE_USERS, type User } from '../../src/sandbox/users.ts'
import { createBrowser, readRefresh } from '../support/broker-client.ts'
import { BROKER_CLIENT, BROKER_CLIENT_ID, BROKER_CLIENT_SECRET } from '../support/broker-stage.ts'
import { createCertificate } from '../support/certificate.ts'
import { type EgressProxy, startEgressProxy } from '../support/egress-proxy.ts'
import { findFreePort } from '../support/free-port.ts'
import { startTestProxy, type TestProxy } from '../support/proxy.ts'
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
let folder: string
let origin: string
let identityProvider: AuthorizationServer
let authorizationServer: AuthorizationServer
let egress: EgressProxy
let server: PythonProgram
let proxy: TestProxy
let agent: Agent

beforeAll(async () => {
  if (python === undefined) return
  const certificate = createCertificate()
  folder = mkdtempSync(join(tmpdir(), 'fastmcp-document-'))
  writeFileSync(join(folder, 'cert.pem'), certificate.cert)
  writeFileSync(join(folder, 'key.pem'), certificate.key)
  const [port, saasPort] = [await findFreePort(), await findFreePort()]
  origin = `https://localhost:${port}`
  agent = new Agent({ connect: { ca: certificate.cert } })
  const saasClient = { ...SAAS, redirect_uris: [`http://127.0.0.1:${saasPort}/auth/callback`] }
  authorizationServer = await startAuthorizationServer({ clients: [saasClient] })
  authorizationServer.addResource(`http://127.0.0.1:${saasPort}/mcp`)
  const known = { ...BROKER_CLIENT, application_type: 'web' as const, redirect_uris: [`${origin}/oauth/callback`] }
  identityProvider = await startAuthorizationServer({ clients: [known] })
  // FastMCP fetches documents from public addresses alone, or through an egress proxy that decides.
  egress = await startEgressProxy({ routes: { [`localhost:${port}`]: port } })
  server = await startPythonProgram(python, [SCRIPT, String(saasPort)], {
    ISSUER: authorizationServer.issuer,
    CLIENT_ID: SAAS.client_id,
    CLIENT_SECRET: SAAS.client_secret,
    FASTMCP_SSRF_TRUST_PROXY: 'true',
    HTTPS_PROXY: egress.url,
    AUTHORITY: join(folder, 'cert.pem'),
  })
  proxy = await startTestProxy(
    {
      public_url: origin,
      listen: { port, tls: { cert_file: join(folder, 'cert.pem'), key_file: join(folder, 'key.pem') } },
      identity_provider: {
        issuer: identityProvider.issuer,
        client_id: BROKER_CLIENT_ID,
        client_secret: { env: 'BROKER_SECRET' },
      },
      broker: { store: { kind: 'memory' } },
      servers: [
        {
          name: 'saas',
          path: '/mcp',
          upstream: `${server.origin}/mcp`,
          credential: { kind: 'own_account', scopes: ['mcp:tools'] },
        },
      ],
    } as Parameters<typeof startTestProxy>[0],
    { BROKER_SECRET: BROKER_CLIENT_SECRET },
  )
})
afterAll(async () => {
  await proxy?.close()
  await Promise.all([server?.close(), egress?.close(), identityProvider?.close(), authorizationServer?.close(), agent?.close()])
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true })
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

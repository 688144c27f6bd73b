// Both generations of the SDK's client, in front of an MCP server that is protected by the SDK's own middleware, with oidc-provider behind it.
import type { Server } from 'node:http'
import { Readable } from 'node:stream'
import { Client as ClientV2, StreamableHTTPClientTransport as StreamableV2 } from '@modelcontextprotocol/client'
import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport as StreamableV1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { requireBearerAuth } from '@modelcontextprotocol/sdk/server/auth/middleware/bearerAuth.js'
import { getOAuthProtectedResourceMetadataUrl, mcpAuthMetadataRouter } from '@modelcontextprotocol/sdk/server/auth/router.js'
import { createMcpExpressApp } from '@modelcontextprotocol/sdk/server/express.js'
import { createRemoteJWKSet, jwtVerify } from 'jose'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { createOAuthClient } from '../demo/oauth-client.ts'
import { type AuthorizationServer, startAuthorizationServer } from '../src/sandbox/authorization-server.ts'
import { closeServer } from '../src/sandbox/listen.ts'
import { SAMPLE_USERS, type User } from '../src/sandbox/users.ts'
import { type AccountStage, startAccountStage } from './support/account-stage.ts'
import { obtainTokens, readJson } from './support/broker-client.ts'
import { findFreePort } from './support/free-port.ts'
import { connectSdkClient, type Generation } from './support/sdk-clients.ts'
import { openLink, sendForm, signInVisitor } from './support/visitor.ts'

const [alice] = SAMPLE_USERS as readonly [User, User]
const INFO = { name: 'test-client', version: '1.0.0' }

let authorizationServer: AuthorizationServer
let guarded: Server
let stage: AccountStage

beforeEach(async () => {
  authorizationServer = await startAuthorizationServer()
  const url = `http://127.0.0.1:${await findFreePort()}/mcp`
  authorizationServer.addResource(url)
  stage = await startAccountStage(url)
  guarded = await guard(url, stage.mcpServer.streamableHttpUrl)
})
afterEach(async () => {
  await stage.close()
  await closeServer(guarded)
  await authorizationServer.close()
})

/** The SDK's example: metadata router and bearer middleware, here before the example server of the demo. */
async function guard(url: string, behind: string): Promise<Server> {
  const oauthMetadata = await readJson(await fetch(`${authorizationServer.issuer}/.well-known/oauth-authorization-server`))
  const resourceServerUrl = new URL(url)
  const keys = createRemoteJWKSet(new URL(oauthMetadata.jwks_uri))
  const verifyAccessToken = async (token: string) => {
    const { payload } = await jwtVerify(token, keys, { audience: url, issuer: authorizationServer.issuer })
    return { token, clientId: String(payload.client_id), scopes: String(payload.scope).split(' '), expiresAt: payload.exp ?? 0 }
  }
  const app = createMcpExpressApp()
  app.use(mcpAuthMetadataRouter({ oauthMetadata, resourceServerUrl, scopesSupported: ['mcp:tools'] }))
  const resourceMetadataUrl = getOAuthProtectedResourceMetadataUrl(resourceServerUrl)
  app.all('/mcp', requireBearerAuth({ verifier: { verifyAccessToken }, resourceMetadataUrl }), async (request, response) => {
    const { authorization: _, host: __, 'content-length': ___, connection: ____, ...headers } = request.headers
    const body = request.method === 'POST' ? JSON.stringify(request.body) : undefined
    const answer = await fetch(behind, { method: request.method, headers: headers as never, ...(body !== undefined && { body }) })
    const kept = ['content-type', 'mcp-session-id'].flatMap((name) => {
      const value = answer.headers.get(name)
      return value === null ? [] : [[name, value] as const]
    })
    response.writeHead(answer.status, Object.fromEntries(kept))
    if (answer.body === null) response.end()
    else Readable.fromWeb(answer.body as never).pipe(response)
  })
  return new Promise((resolve) => {
    const server = app.listen(Number(resourceServerUrl.port), '127.0.0.1', () => resolve(server))
  })
}

const disconnect = async (): Promise<void> => {
  const browser = await signInVisitor(stage.proxy.origin, alice)
  await sendForm(browser, `${stage.proxy.origin}/connections`, { action: 'disconnect', server: 'saas' })
}

it.each(['v1', 'v2 legacy', 'v2 auto'] satisfies Generation[])(
  'a client of the SDK (%s) signs in, connects the account on the way, and calls; once it is disconnected, it shows the link',
  async (generation) => {
    const oauth = createOAuthClient({ name: 'SDK client', redirectUri: 'http://localhost:9/callback' })
    const client = await connectSdkClient({ generation, transport: 'streamable', url: stage.url, oauth, user: alice })
    expect(await client.listTools()).toContain('echo')
    await disconnect()
    await expect(client.callTool('echo', { message: 'hello' })).rejects.toThrow(
      /Open this link: http:\/\/localhost:\d+\/connections\/link\//,
    )
    await client.close()
  },
)

it('a client of the SDK (v1) that opens links is told so by the error -32042, and the call succeeds when its user has done it', async () => {
  const { access_token: token } = await obtainTokens(stage.proxy.origin, stage.client, alice)
  const client = new ClientV1(INFO, { capabilities: { elicitation: { url: {} } } })
  const headers = { authorization: `Bearer ${token}` }
  await client.connect(new StreamableV1(new URL(stage.url), { requestInit: { headers } }) as never)
  await disconnect()
  const call = () => client.callTool({ name: 'echo', arguments: { message: 'hello' } })
  const error = await call().then(
    () => expect.unreachable(),
    (refusal: { readonly code: number; readonly data: { elicitations: { url: string }[] } }) => refusal,
  )
  expect(error.code).toBe(-32042)
  await openLink(await signInVisitor(stage.proxy.origin, alice), error.data.elicitations[0]?.url ?? '', alice)
  expect(JSON.stringify(await call())).toContain('hello')
  await client.close()
})

it('a client of the SDK (v2, 2026-07-28) that opens links has its user asked, and repeats the call by itself', async () => {
  const { access_token: token } = await obtainTokens(stage.proxy.origin, stage.client, alice)
  const client = new ClientV2(INFO, { capabilities: { elicitation: { url: {} } }, versionNegotiation: { mode: 'auto' } })
  const asked: string[] = []
  client.setRequestHandler('elicitation/create', async ({ params }) => {
    const { url = '' } = params as { readonly url?: string }
    asked.push(url)
    await openLink(await signInVisitor(stage.proxy.origin, alice), url, alice)
    return { action: 'accept' }
  })
  await client.connect(new StreamableV2(new URL(stage.url), { requestInit: { headers: { authorization: `Bearer ${token}` } } }))
  await disconnect()
  expect(JSON.stringify(await client.callTool({ name: 'echo', arguments: { message: 'hello' } }))).toContain('hello')
  expect(asked).toEqual([expect.stringContaining('/connections/link/')])
  await client.close()
})

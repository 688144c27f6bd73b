import { randomBytes } from 'node:crypto'
import { createServer } from 'node:http'
import type { Writable } from 'node:stream'
import { startProxy } from '../src/app.ts'
import { loadConfigText } from '../src/config/load.ts'
import { startAuthorizationServer } from '../src/sandbox/authorization-server.ts'
import { closeServer, listenOnLoopback } from '../src/sandbox/listen.ts'
import { canReachDocuments } from '../src/sandbox/reach-documents.ts'
import { type ExampleMcpServer, startMcpServer } from './mcp-server.ts'

/** Ports that the printed instructions name; another one is taken when something else listens there. */
const PORTS = { proxy: 8810, authorizationServer: 8811, mcpServer: 8812 }

export interface DemoServers {
  /** URL for clients of 2025-03-26 and later. */
  readonly url: string
  /** URL for clients of 2024-11-05. */
  readonly sseUrl: string
  /** Who issues the tokens. */
  readonly issuer: string
  /** Whom users sign in with, where that is somebody else. */
  readonly identityProvider: string | undefined
  readonly upstreamUrl: string
  /** What the MCP server behind the proxy has received until now. */
  readonly received: ExampleMcpServer['received']
  /** The proxy's configuration, as it would stand in a file. */
  readonly configuration: string
  close(): Promise<void>
}

/** Who issues the tokens: a server that clients can use directly, or the proxy, with that server as a plain identity provider behind it. */
export type DemoWay = 'resource server' | 'broker'

/** What the identity provider knows the proxy by; loopback ports don't matter there. */
const BROKER_CLIENT = {
  client_id: 'open-mcp-auth-proxy',
  client_name: 'Open MCP Auth Proxy',
  token_endpoint_auth_method: 'client_secret_basic' as const,
  redirect_uris: ['http://localhost/oauth/callback'],
}

/** Starts the three servers, all on 127.0.0.1 only. */
export async function startServers(proxyLog: Writable, way: DemoWay = 'resource server'): Promise<DemoServers> {
  const secret = randomBytes(32).toString('base64url')
  const authorizationServer = await startAuthorizationServer({
    port: await choosePort(PORTS.authorizationServer),
    clientDocuments: way === 'broker' || (await canReachDocuments()),
    ...(way === 'broker' && { clients: [{ ...BROKER_CLIENT, client_secret: secret }] }),
  })
  const mcpServer = await startMcpServer({ port: await choosePort(PORTS.mcpServer) })
  const port = await choosePort(PORTS.proxy)
  const configuration = formatConfiguration(port, formatIssuer(way, authorizationServer.issuer), mcpServer)
  const env = { ...process.env, IDENTITY_PROVIDER_SECRET: secret }
  const { plan } = loadConfigText(configuration, { env, directory: import.meta.dirname, terminal: true })
  const proxy = await startProxy(plan, { logDestination: proxyLog })
  const [url, sseUrl] = [`http://localhost:${port}/mcp`, `http://localhost:${port}/sse`]
  authorizationServer.addResource(url)
  authorizationServer.addResource(sseUrl)
  return {
    url,
    sseUrl,
    issuer: way === 'broker' ? `http://localhost:${port}` : authorizationServer.issuer,
    identityProvider: way === 'broker' ? authorizationServer.issuer : undefined,
    upstreamUrl: mcpServer.streamableHttpUrl,
    received: mcpServer.received,
    configuration,
    close: async () => {
      await proxy.close()
      await mcpServer.close()
      await authorizationServer.close()
    },
  }
}

function formatIssuer(way: DemoWay, issuer: string): string {
  if (way === 'resource server') return `issuers:\n  - ${issuer}`
  return `identity_provider:
  issuer: ${issuer}
  name: Example ID
  client_id: ${BROKER_CLIENT.client_id}
  client_secret: { env: IDENTITY_PROVIDER_SECRET }
  scopes: [openid, profile, email, groups]
  grant:
    - scopes: [mcp:tools]
    - claim: groups
      values: [admins]
      scopes: [mcp:admin]
broker:
  store: { kind: memory }
  scope_descriptions:
    mcp:tools: Use the tools, resources and prompts of the server for you
    mcp:admin: "Administer the server: see and reset its counters"`
}

function formatConfiguration(port: number, issuer: string, upstream: { streamableHttpUrl: string; sseUrl: string }): string {
  return `public_url: http://localhost:${port}
listen:
  port: ${port}
${issuer}
servers:
  - name: example
    path: /mcp
    upstream: ${upstream.streamableHttpUrl}
    sse:
      upstream: ${upstream.sseUrl}
    scopes: [mcp:tools]
    rules:
      - tool: admin_*
        scopes: [mcp:admin]
shutdown:
  drain_seconds: 2
`
}

async function choosePort(wanted: number): Promise<number> {
  const probe = createServer()
  try {
    return await listenOnLoopback(probe, wanted).catch((error) => {
      if (error.code !== 'EADDRINUSE') throw error
      return listenOnLoopback(probe, 0)
    })
  } finally {
    await closeServer(probe)
  }
}

import { createServer } from 'node:http'
import type { Writable } from 'node:stream'
import { startProxy } from '../src/app.ts'
import { loadConfigText } from '../src/config/load.ts'
import { startAuthorizationServer } from './authorization-server.ts'
import { closeServer, listenOnLoopback } from './listen.ts'
import { type ExampleMcpServer, startMcpServer } from './mcp-server.ts'

/** Ports that the printed instructions name; another one is taken when something else listens there. */
const PORTS = { proxy: 8810, authorizationServer: 8811, mcpServer: 8812 }

export interface DemoServers {
  /** URL for clients of 2025-03-26 and later. */
  readonly url: string
  /** URL for clients of 2024-11-05. */
  readonly sseUrl: string
  readonly issuer: string
  readonly upstreamUrl: string
  /** What the MCP server behind the proxy has received until now. */
  readonly received: ExampleMcpServer['received']
  /** The proxy's configuration, as it would stand in a file. */
  readonly configuration: string
  close(): Promise<void>
}

/** Starts the three servers, all on 127.0.0.1 only. */
export async function startServers(proxyLog: Writable): Promise<DemoServers> {
  const authorizationServer = await startAuthorizationServer({ port: await choosePort(PORTS.authorizationServer) })
  const mcpServer = await startMcpServer({ port: await choosePort(PORTS.mcpServer) })
  const port = await choosePort(PORTS.proxy)
  const configuration = formatConfiguration(port, authorizationServer.issuer, mcpServer)
  const { plan } = loadConfigText(configuration, { env: process.env, directory: import.meta.dirname, terminal: false })
  const proxy = await startProxy(plan, { logDestination: proxyLog })
  const [url, sseUrl] = [`http://localhost:${port}/mcp`, `http://localhost:${port}/sse`]
  authorizationServer.addResource(url)
  authorizationServer.addResource(sseUrl)
  return {
    url,
    sseUrl,
    issuer: authorizationServer.issuer,
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

function formatConfiguration(port: number, issuer: string, upstream: { streamableHttpUrl: string; sseUrl: string }): string {
  return `public_url: http://localhost:${port}
listen:
  port: ${port}
issuers:
  - ${issuer}
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

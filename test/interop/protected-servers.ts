import { type AuthorizationServer, startAuthorizationServer } from '../../src/sandbox/authorization-server.ts'
import { startTestProxy, type TestProxy } from '../support/proxy.ts'

export interface ProtectedServers {
  readonly proxy: TestProxy
  readonly authorizationServer: AuthorizationServer
  /** For Streamable HTTP. */
  readonly url: string
  /** For HTTP+SSE. */
  readonly sseUrl: string
  close(): Promise<void>
}

/** Puts the proxy before an MCP server, and the demo's authorization server beside it, where everyone really signs in. */
export async function protect(upstreams: { readonly http: string; readonly sse: string }): Promise<ProtectedServers> {
  const authorizationServer = await startAuthorizationServer()
  const proxy = await startTestProxy({
    issuers: [authorizationServer.issuer],
    servers: [
      {
        name: 'interop',
        path: '/mcp',
        upstream: upstreams.http,
        sse: { upstream: upstreams.sse },
        scopes: ['mcp:tools'],
        rules: ['delete_*', 'admin_*'].map((tool) => ({ tool, scopes: ['mcp:admin'] })),
      },
    ],
  })
  const [url, sseUrl] = [`${proxy.origin}/mcp`, `${proxy.origin}/sse`]
  authorizationServer.addResource(url)
  authorizationServer.addResource(sseUrl)
  return {
    proxy,
    authorizationServer,
    url,
    sseUrl,
    close: async () => {
      await proxy.close()
      await authorizationServer.close()
    },
  }
}

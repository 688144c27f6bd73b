import type { ConfigInput } from '../../src/config/schema/schema.ts'
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

const SCOPED = { rules: ['delete_*', 'admin_*'].map((tool) => ({ tool, scopes: ['mcp:admin'] })) }

/**
 * Puts the proxy before an MCP server, and the demo's authorization server beside it, where everyone really signs in.
 *
 * @param policy - scopes for what deletes and administers, unless given
 */
export async function protect(
  upstreams: { readonly http: string; readonly sse: string },
  policy: Pick<ConfigInput['servers'][number], 'access' | 'rules' | 'scopes_supported'> = SCOPED,
): Promise<ProtectedServers> {
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
        ...policy,
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

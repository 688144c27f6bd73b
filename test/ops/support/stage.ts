import type { ConfigInput } from '../../../src/config/schema/schema.ts'
import { startIssuer, type TestIssuer } from '../../support/tokens.ts'
import { type EchoServer, startEchoServer } from './echo-server.ts'

/** What stands around the proxy: an issuer, an MCP server, and what a client sends. */
export interface Stage {
  readonly issuer: TestIssuer
  readonly server: EchoServer
  /** The origin under which clients know the proxy. */
  readonly publicUrl: string
  /** With a token of Alice, and the host that the proxy is known by. */
  readonly headers: Readonly<Record<string, string>>
  /** Configuration of a replica. */
  configure(port: number, changes?: Partial<ConfigInput>): ConfigInput
  close(): Promise<void>
}

/** @param publicUrl - may be that of a load balancer */
export async function setStage(publicUrl: string): Promise<Stage> {
  const [issuer, server] = await Promise.all([startIssuer(), startEchoServer()])
  const token = await issuer.mint({ claims: { aud: `${publicUrl}/mcp` } })
  return {
    issuer,
    server,
    publicUrl,
    headers: { authorization: `Bearer ${token}`, host: new URL(publicUrl).host },
    configure: (port, changes) => ({
      public_url: publicUrl,
      listen: { port },
      issuers: [issuer.issuer],
      log: { format: 'json' },
      servers: [{ name: 'echo', path: '/mcp', upstream: server.url }],
      ...changes,
    }),
    close: async () => void (await Promise.all([issuer.close(), server.close()])),
  }
}

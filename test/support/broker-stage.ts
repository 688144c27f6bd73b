import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type ExampleMcpServer, startMcpServer } from '../../demo/mcp-server.ts'
import type { ConfigInput } from '../../src/config/schema/schema.ts'
import {
  type AuthorizationServer,
  type AuthorizationServerOptions,
  startAuthorizationServer,
} from '../../src/sandbox/authorization-server.ts'
import { startTestProxy, type TestProxy } from './proxy.ts'

/** A proxy that is an authorization server, the identity provider behind it, and an MCP server. */
export interface BrokerStage {
  readonly identityProvider: AuthorizationServer
  readonly mcpServer: ExampleMcpServer
  readonly proxy: TestProxy
  /** URL that clients are given. */
  readonly url: string
  /** Folder for files of the test; gone in the end. */
  readonly folder: string
  close(): Promise<void>
}

export interface BrokerStageOptions {
  readonly identityProvider?: AuthorizationServerOptions
  /** Members of `identity_provider` beside the necessary. */
  readonly provider?: Partial<NonNullable<ConfigInput['identity_provider']>>
  readonly broker?: ConfigInput['broker']
  readonly servers?: (upstream: string) => ConfigInput['servers']
  readonly config?: Partial<Omit<ConfigInput, 'listen' | 'public_url'>>
  /** Contents of `ca.pem` in the folder, for client metadata documents. */
  readonly ca?: string
  /** Environment variables for further secrets of the configuration. */
  readonly env?: Readonly<Record<string, string>>
}

export const BROKER_CLIENT_ID = 'the-broker'
export const BROKER_CLIENT_SECRET = 'secret-of-the-broker-at-its-provider'

/** What the identity provider knows the proxy by, whatever its port. */
export const BROKER_CLIENT = {
  client_id: BROKER_CLIENT_ID,
  client_name: 'The broker',
  client_secret: BROKER_CLIENT_SECRET,
  token_endpoint_auth_method: 'client_secret_basic' as const,
  redirect_uris: ['http://localhost/oauth/callback'],
}

const SCOPED = (upstream: string) => [
  { name: 'example', path: '/mcp', upstream, scopes: ['mcp:tools'], rules: [{ tool: 'admin_*', scopes: ['mcp:admin'] }] },
]

export async function startBrokerStage(options: BrokerStageOptions = {}): Promise<BrokerStage> {
  const folder = mkdtempSync(join(tmpdir(), 'broker-'))
  if (options.ca !== undefined) writeFileSync(join(folder, 'ca.pem'), options.ca)
  const identityProvider = await startAuthorizationServer({ clients: [BROKER_CLIENT], ...options.identityProvider })
  const mcpServer = await startMcpServer()
  const proxy = await startTestProxy(
    {
      identity_provider: {
        issuer: identityProvider.issuer,
        name: 'Example ID',
        client_id: BROKER_CLIENT_ID,
        client_secret: { env: 'BROKER_SECRET' },
        scopes: ['openid', 'profile', 'email', 'groups'],
        ...options.provider,
      },
      broker: {
        store: { kind: 'memory' },
        // Tests come from one address, and many at a time.
        authorizations_per_minute: 100_000,
        scope_descriptions: { 'mcp:tools': 'Use the tools of the server for you', 'mcp:admin': 'Administer the server' },
        ...options.broker,
        ...(options.ca !== undefined && {
          client_metadata: { allow_private_network: true, ca_file: join(folder, 'ca.pem'), ...options.broker?.client_metadata },
        }),
      },
      servers: (options.servers ?? SCOPED)(mcpServer.streamableHttpUrl),
      ...options.config,
    },
    { BROKER_SECRET: BROKER_CLIENT_SECRET, ...options.env },
  )
  return {
    identityProvider,
    mcpServer,
    proxy,
    url: `${proxy.origin}/mcp`,
    folder,
    async close() {
      await proxy.close()
      await Promise.all([identityProvider.close(), mcpServer.close()])
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

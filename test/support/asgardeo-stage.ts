import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type ExampleMcpServer, startMcpServer } from '../../demo/mcp-server.ts'
import type { ConfigInput } from '../../src/config/schema/schema.ts'
import { SAMPLE_USERS } from '../../src/sandbox/users.ts'
import { ADMIN, type AsgardeoOptions } from './asgardeo/state.ts'
import { type Asgardeo, startAsgardeo } from './asgardeo.ts'
import type { Certificate } from './certificate.ts'
import { startTestProxy, type TestProxy } from './proxy.ts'

type Provider = NonNullable<ConfigInput['identity_provider']>

/** A proxy that signs users in at an emulated Asgardeo, through applications that it makes there. */
export interface AsgardeoStage {
  readonly asgardeo: Asgardeo
  readonly proxy: TestProxy
  readonly mcpServer: ExampleMcpServer
  /** URL that clients are given. */
  readonly url: string
  /** Another proxy of the same configuration, or of one with other members of `identity_provider`. */
  startProxy(provider?: Partial<Provider>, env?: Readonly<Record<string, string>>, port?: number): Promise<TestProxy>
  close(): Promise<void>
}

export interface AsgardeoStageOptions {
  readonly asgardeo?: Partial<AsgardeoOptions>
  readonly provider?: Partial<Provider>
  readonly broker?: ConfigInput['broker']
  /** Over http unless given. */
  readonly tls?: Certificate
  /** Told of Asgardeo before the proxy starts. */
  readonly prepare?: (asgardeo: Asgardeo) => void
  /** Keeps everything in a file, which further proxies share. */
  readonly file?: boolean
}

export const API_RESOURCE = 'https://mcp.example.com/mcp'
const BROKER_KEY = Buffer.alloc(32, 'key of tests').toString('base64')

export async function startAsgardeoStage(options: AsgardeoStageOptions = {}): Promise<AsgardeoStage> {
  const folder = mkdtempSync(join(tmpdir(), 'asgardeo-'))
  if (options.tls !== undefined) writeFileSync(join(folder, 'ca.pem'), options.tls.cert)
  const asgardeo = await startAsgardeo({
    users: SAMPLE_USERS,
    apiResources: [{ identifier: API_RESOURCE, scopes: ['mcp:tools', 'mcp:admin'] }],
    ...(options.tls !== undefined && { tls: options.tls }),
    ...options.asgardeo,
  })
  options.prepare?.(asgardeo)
  const mcpServer = await startMcpServer()
  const proxies: TestProxy[] = []
  const startProxy: AsgardeoStage['startProxy'] = async (provider = {}, env = {}, port = undefined) => {
    const config = createConfig(asgardeo, mcpServer.streamableHttpUrl, folder, {
      ...options,
      provider: { ...options.provider, ...provider },
    })
    const proxy = await startTestProxy(config, { ADMIN_SECRET: ADMIN.clientSecret, BROKER_KEY, ...env }, port)
    let closing: Promise<void> | undefined
    const close = () => {
      closing ??= proxy.close()
      return closing
    }
    proxies.push({ ...proxy, close })
    return { ...proxy, close }
  }
  const proxy = await startProxy()
  return {
    asgardeo,
    proxy,
    mcpServer,
    url: `${proxy.origin}/mcp`,
    startProxy,
    async close() {
      await Promise.all(proxies.map((one) => one.close()))
      await Promise.all([asgardeo.close(), mcpServer.close()])
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

function createConfig(asgardeo: Asgardeo, upstream: string, folder: string, options: AsgardeoStageOptions) {
  return {
    identity_provider: {
      kind: 'asgardeo' as const,
      base_url: asgardeo.base,
      admin: { client_id: ADMIN.clientId, client_secret: { env: 'ADMIN_SECRET' } },
      ...(options.tls !== undefined && { ca_file: join(folder, 'ca.pem') }),
      ...options.provider,
    },
    broker: {
      authorizations_per_minute: 100_000,
      store: options.file === true ? { path: join(folder, 'store.db') } : { kind: 'memory' as const },
      ...(options.file === true && { encryption_keys: [{ env: 'BROKER_KEY' }] }),
      ...options.broker,
    },
    servers: [{ path: '/mcp', upstream, scopes: ['mcp:tools'], rules: [{ tool: 'admin_*', scopes: ['mcp:admin'] }] }],
  }
}

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type ExampleMcpServer, startMcpServer } from '../../demo/mcp-server.ts'
import { type RunningProxy, startProxy } from '../../src/app.ts'
import { loadConfigValue } from '../../src/config/load.ts'
import type { ConfigInput } from '../../src/config/schema/schema.ts'
import type { Plan } from '../../src/core/plan/plan.ts'
import { findFreePort } from './free-port.ts'
import { type Front, startFront } from './front.ts'
import { type RecordingUpstream, startRecordingUpstream } from './recording-upstream.ts'
import { type IssuerOptions, startIssuer, type TestIssuer } from './tokens.ts'

/** Issuer, MCP server, proxy and a load balancer before it, all of them well until a test changes that. */
export interface DoctorStage {
  readonly issuer: TestIssuer
  readonly mcpServer: ExampleMcpServer
  /** An MCP server whose answers a test chooses; configured only where a test says so. */
  readonly upstream: RecordingUpstream
  readonly front: Front
  /** Where the proxy listens. */
  readonly port: number
  readonly folder: string
  /** The configuration as it would stand in a file. */
  configure(more?: Partial<ConfigInput>): ConfigInput
  load(config: ConfigInput): Plan
  /** Starts the proxy behind the load balancer. */
  run(config: ConfigInput): Promise<RunningProxy>
  close(): Promise<void>
}

export const STAGE_ENV = { SECRET: 'secret-of-the-proxy-somewhere' }

/** Builds a stage on which nothing is wrong. */
export async function openDoctorStage(options: IssuerOptions = {}): Promise<DoctorStage> {
  const [issuer, mcpServer, upstream, front, port] = await Promise.all([
    startIssuer(options),
    startMcpServer(),
    startRecordingUpstream(),
    startFront(),
    findFreePort(),
  ])
  spoilMetadata(issuer)
  front.lead(`http://127.0.0.1:${port}`)
  const folder = mkdtempSync(join(tmpdir(), 'doctor-'))
  const running: RunningProxy[] = []
  const load = (config: ConfigInput) => loadConfigValue(config, { env: STAGE_ENV, directory: folder, terminal: false }).plan
  return {
    issuer,
    mcpServer,
    upstream,
    front,
    port,
    folder,
    configure: (more = {}) => ({
      public_url: front.origin,
      listen: { port },
      log: { level: 'silent' },
      shutdown: { drain_seconds: 0 },
      issuers: [issuer.issuer],
      servers: [serve(mcpServer.streamableHttpUrl)],
      ...more,
    }),
    load,
    async run(config) {
      const proxy = await startProxy(load(config))
      running.push(proxy)
      return proxy
    },
    async close() {
      await Promise.all(running.map((proxy) => proxy.close()))
      await Promise.all([issuer.close(), mcpServer.close(), upstream.close(), front.close()])
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** Complete metadata, but for what a test changes; `undefined` leaves a member out. */
export function spoilMetadata(issuer: TestIssuer, members: Record<string, unknown> = {}): void {
  issuer.setMetadata({
    registration_endpoint: `${issuer.issuer}/register`,
    client_id_metadata_document_supported: true,
    token_endpoint_auth_methods_supported: ['none', 'client_secret_basic'],
    grant_types_supported: ['authorization_code', 'refresh_token'],
    scopes_supported: ['openid', 'mcp:tools'],
    authorization_response_iss_parameter_supported: true,
    ...members,
  })
}

/** A server at `/mcp`. */
export function serve(upstream: NonNullable<ConfigInput['servers'][number]['upstream']>): ConfigInput['servers'][number] {
  return { path: '/mcp', upstream, scopes: ['mcp:tools'] }
}

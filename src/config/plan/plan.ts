import { hkdfSync, randomBytes } from 'node:crypto'
import type { Plan } from '../../core/plan/plan.ts'
import { resolveAllowedHosts, resolvePublicUrl } from '../derive/public-url.ts'
import { decodeSessionKey } from '../format/key-material.ts'
import type { Config } from '../schema/schema.ts'
import type { SecretsAndFiles } from '../source/secrets-and-files.ts'
import { createAccessKeyNotices, createAccessKeyPlans } from './access-keys.ts'
import { createAccessNotices, createGrantNotices, createGroupSetupNotices } from './access-notices.ts'
import { createAuditPlan } from './audit.ts'
import { createBrokerPlan } from './broker.ts'
import { createEgressPlan } from './egress.ts'
import { createEgressNotices } from './egress-notices.ts'
import { createKeyNotices } from './key-notices.ts'
import { createNotices } from './notices.ts'
import { createPlaceholderNotices } from './placeholder-notices.ts'
import { createRewritePlan } from './rewrite.ts'
import { createRewriteNotices } from './rewrite-notices.ts'
import { createServerPlan } from './server.ts'
import { createStorePlan, decodeEncryptionKeys } from './storage.ts'

/** What a plan depends on besides the configuration. */
export interface PlanEnvironment {
  readonly secretsAndFiles: SecretsAndFiles
  /** Directory against which relative paths are resolved. */
  readonly directory: string
  /** Whether the log goes to a terminal. */
  readonly terminal: boolean
  /** Notices about how the configuration was written. */
  readonly notices: readonly string[]
  /** What the author of the file calls a place, where that differs. */
  readonly namePlace?: ((path: string) => string) | undefined
}

/**
 * Settles a checked configuration. The result is frozen.
 *
 * @param config - without mistakes: every check has passed
 * @param environment - what it refers to, and where it runs
 */
export function createPlan(config: Config, environment: PlanEnvironment): Plan {
  const publicUrl = resolvePublicUrl(config)
  const { terminal, notices, directory, namePlace = (path) => path } = environment
  const secretsAndFiles = { ...environment.secretsAndFiles, egress: createEgressPlan(config, environment.secretsAndFiles) }
  const broker = createBrokerPlan(config, { publicUrl, secretsAndFiles })
  const servers = config.servers.map((server, index) =>
    createServerPlan(server, index, { publicUrl, general: config, issuers: config.issuers, broker, secretsAndFiles }),
  )
  return freeze({
    listen: createListenPlan(config, secretsAndFiles),
    publicUrl,
    allowedHosts: resolveAllowedHosts(config),
    cors: createCorsPlan(config),
    limits: {
      bodyBytes: config.limits.body_bytes,
      bodiesBytes: resolveBodiesBytes(config.limits),
      heldBytes: config.limits.held_bytes,
      jsonDepth: config.limits.json_depth,
      batchMembers: config.limits.batch_members,
      headersSeconds: config.limits.headers_seconds,
      bodyIdleSeconds: config.limits.body_idle_seconds,
      stalledClientSeconds: config.limits.stalled_client_seconds,
    },
    trustedProxies: config.trusted_proxies,
    log: { level: config.log.level, format: resolveFormat(config.log.format, terminal) },
    egress: secretsAndFiles.egress,
    admin: createAdminPlan(config, secretsAndFiles),
    audit: createAuditPlan(config, secretsAndFiles),
    shutdownDelaySeconds: config.shutdown.delay_seconds,
    drainSeconds: config.shutdown.drain_seconds,
    reload: config.reload,
    ...resolveSessionKey(config, secretsAndFiles),
    replicas: config.replicas,
    store: createStorePlan(config, secretsAndFiles, directory),
    storeKeys: decodeEncryptionKeys(config, secretsAndFiles),
    servers,
    accessKeys: createAccessKeyPlans(config),
    acceptsStoredKeys: config.stored_keys,
    broker,
    rewrite: createRewritePlan(config, publicUrl, secretsAndFiles),
    notices: [
      ...notices,
      ...createNotices(config, namePlace),
      ...createKeyNotices(config, secretsAndFiles),
      ...createAccessKeyNotices(config, servers, Date.now()),
      ...createEgressNotices(servers, secretsAndFiles.egress, config.egress_proxy),
      ...createPlaceholderNotices(config, secretsAndFiles),
      ...createAccessNotices(broker?.identityProvider),
      ...createGrantNotices(servers, broker),
      ...createGroupSetupNotices(servers, broker),
      ...createRewriteNotices(config, environment.namePlace !== undefined),
    ],
  })
}

/**
 * A restart must not end MCP sessions where there is a secret that outlives it: some clients never begin a new one. Of several, the last,
 * which stays while keys change. Other secrets may be short, and a user could find them by trying, from the seal of a session.
 */
function resolveSessionKey(config: Config, secretsAndFiles: SecretsAndFiles): Pick<Plan, 'sessionKey' | 'hasLastingSessionKey'> {
  const configured = decodeSessionKey(secretsAndFiles.findSecret(config.session_key) ?? '')
  const lasting = decodeEncryptionKeys(config, secretsAndFiles).at(-1)
  const key = configured ?? (lasting && Buffer.from(hkdfSync('sha256', lasting, '', 'mcp-sessions', 32)))
  return { sessionKey: key ?? randomBytes(32), hasLastingSessionKey: key !== undefined }
}

const DEFAULT_BODIES_BYTES = 64 * 1024 * 1024

/** The default: as much as a few of the longest bodies need. */
function resolveBodiesBytes({ bodies_bytes, body_bytes }: Config['limits']): number {
  return bodies_bytes ?? Math.max(DEFAULT_BODIES_BYTES, 4 * body_bytes)
}

function createListenPlan(config: Config, secretsAndFiles: SecretsAndFiles): Plan['listen'] {
  const { host, port, tls, reuse_port: reusePort } = config.listen
  const cert = secretsAndFiles.findFile(tls?.cert_file)
  const key = secretsAndFiles.findFile(tls?.key_file)
  return { host, port, reusePort, tls: cert === undefined || key === undefined ? undefined : { cert, key } }
}

function createAdminPlan({ admin }: Config, secretsAndFiles: SecretsAndFiles): Plan['admin'] {
  if (admin === undefined) return undefined
  const { host, port, allowed_hosts, token } = admin
  return {
    host,
    port,
    allowedHosts: allowed_hosts.map((name) => name.toLowerCase()),
    token: secretsAndFiles.findSecret(token),
  }
}

function createCorsPlan({ cors }: Config): Plan['cors'] {
  return {
    allowedOrigins: cors.allowed_origins.includes('*') ? '*' : cors.allowed_origins.map(normalizeOrigin),
    allowedHeaders: cors.allowed_headers.map((name) => name.toLowerCase()),
    allowedMethods: cors.allowed_methods,
    allowCredentials: cors.allow_credentials,
  }
}

/** As browsers write it: scheme and host in lower case, no default port. Other schemes have no normal form. */
function normalizeOrigin(origin: string): string {
  const { origin: normal } = new URL(origin)
  return normal === 'null' ? origin : normal
}

function resolveFormat(format: Config['log']['format'], terminal: boolean): 'json' | 'pretty' {
  if (format !== 'auto') return format
  return terminal ? 'pretty' : 'json'
}

/** Freezes a value and everything in it, bytes excepted: they cannot be frozen. */
function freeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return value
  for (const member of Object.values(value)) freeze(member)
  return Object.freeze(value)
}

import type { AccessKey } from '../access-key.ts'
import type { AdminPlan } from './admin-plan.ts'
import type { AuditPlan } from './audit-plan.ts'
import type { BrokerPlan } from './broker-plan.ts'
import type { EgressPlan } from './egress-plan.ts'
import type { RewritePlan } from './rewrite-plan.ts'
import type { ServerPlan } from './server-plan.ts'
import type { StorePlan } from './store-plan.ts'

/**
 * Settled configuration: every default filled in, every secret read, every cross-reference resolved and checked. Frozen. Made by
 * `config/`, used by `composition/`.
 */
export interface Plan {
  readonly listen: ListenPlan
  /** Origin under which clients reach us, without a trailing slash, for example `https://mcp.example.com`. */
  readonly publicUrl: string
  /** `Host` values that are accepted (host and port, lower case), or `*` for any. */
  readonly allowedHosts: readonly string[] | '*'
  readonly cors: CorsPlan
  readonly limits: LimitsPlan
  /** Addresses or CIDR blocks whose `Forwarded` / `X-Forwarded-*` headers are kept. */
  readonly trustedProxies: readonly string[]
  readonly log: LogPlan
  /** How other hosts are reached. Each part that reaches any has it in its own plan. */
  readonly egress: EgressPlan
  /** The listener for operators; undefined for none. */
  readonly admin: AdminPlan | undefined
  /** The audit log; undefined for none. */
  readonly audit: AuditPlan | undefined
  /** Seconds after SIGTERM in which everything is still served, while `/readyz` tells load balancers to go elsewhere. */
  readonly shutdownDelaySeconds: number
  /** Seconds for running requests to finish after that. */
  readonly drainSeconds: number
  /** Whether changed files are put into force by themselves. */
  readonly reload: { readonly watch: boolean }
  /** Key that seals MCP session ids to their principal; at least 32 bytes. Random for each start unless configured. */
  readonly sessionKey: Buffer
  /** Whether it is the same at the next start. */
  readonly hasLastingSessionKey: boolean
  /** How many processes divide the rate limits while they cannot count together. */
  readonly replicas: number
  readonly servers: readonly ServerPlan[]
  /** Access keys of the configuration. */
  readonly accessKeys: readonly AccessKey[]
  /** Whether keys of the store are accepted, too. */
  readonly acceptsStoredKeys: boolean
  /** Where state is kept that outlives a restart; memory unless the configuration needs or names another. */
  readonly store: StorePlan
  /** The configured keys for what is stored, 32 bytes each; may be empty. The first encrypts, all of them decrypt. */
  readonly storeKeys: readonly Buffer[]
  /** The authorization server of our own; undefined when users sign in elsewhere. */
  readonly broker: BrokerPlan | undefined
  /** Passes requests of the OAuth flow on; undefined unless a configuration of the Go proxy needs it. */
  readonly rewrite?: RewritePlan | undefined
  /** Things that the operator should know at the start, one line each. */
  readonly notices: readonly string[]
}

export interface ListenPlan {
  readonly host: string
  readonly port: number
  /** Whether other processes may listen on the same port. */
  readonly reusePort: boolean
  /** PEM texts. */
  readonly tls: { readonly cert: string; readonly key: string } | undefined
}

export interface CorsPlan {
  /** Origins beside our own that may call; `*` for any. */
  readonly allowedOrigins: readonly string[] | '*'
  /** Request headers beside those that MCP needs; lower case. */
  readonly allowedHeaders: readonly string[]
  readonly allowedMethods: readonly string[]
  readonly allowCredentials: boolean
}

export interface LimitsPlan {
  readonly bodyBytes: number
  /** For all long bodies together. */
  readonly bodiesBytes: number
  /** For all that is held between clients and MCP servers that are processes. */
  readonly heldBytes: number
  readonly jsonDepth: number
  readonly batchMembers: number
  /** Seconds for the complete header section. */
  readonly headersSeconds: number
  /** Maximum seconds between two chunks of a request body. */
  readonly bodyIdleSeconds: number
  /** Seconds that a client may take nothing of an answer that waits for it, before it is cut off. */
  readonly stalledClientSeconds: number
}

export interface LogPlan {
  readonly level: 'debug' | 'info' | 'warn' | 'error' | 'silent'
  readonly format: 'json' | 'pretty'
}

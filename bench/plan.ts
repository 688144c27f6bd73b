import { generateKeyPairSync, randomBytes } from 'node:crypto'
import type { AuditPlan } from '../src/core/plan/audit-plan.ts'
import { DIRECT } from '../src/core/plan/egress-plan.ts'
import type { IdentityPlan } from '../src/core/plan/identity-plan.ts'
import type { Plan } from '../src/core/plan/plan.ts'
import type { RulePlan } from '../src/core/plan/policy-plan.ts'
import type { UpstreamPlan } from '../src/core/plan/upstream-plan.ts'
import { createIssuerPlan } from '../test/support/issuer-plan.ts'

/** Host that the load names, as if TLS ended in front of us. */
export const publicHost = 'mcp.example.com'
export const path = '/mcp'
export const audience = `https://${publicHost}${path}`

/** The tool that the load calls; the first rule names it. */
export const calledTool = 'weather_forecast'

/** What each tool needs. */
export const scopesOfTools: Readonly<Record<string, string>> = {
  [calledTool]: 'weather:read',
  weather_report: 'weather:write',
  calendar_list: 'calendar:read',
  calendar_create: 'calendar:write',
  calendar_delete: 'calendar:write',
  mail_search: 'mail:read',
  mail_send: 'mail:send',
  files_read: 'files:read',
  files_write: 'files:write',
  tickets_search: 'tickets:read',
  tickets_comment: 'tickets:write',
  'admin_*': 'admin',
}

const dozen: readonly RulePlan[] = Object.entries(scopesOfTools).map(([tool, scope]) => ({
  method: 'tools/call',
  tool,
  scopes: [scope],
}))

const others: readonly RulePlan[] = Array.from({ length: 168 }, (_, index) => ({
  method: 'tools/call',
  tool: `other_tool_${index}`,
  scopes: ['mcp'],
}))

/** Twenty rules with an expression, the first of them about one tool. */
const expressionsAbout = (tool: string): readonly RulePlan[] =>
  Array.from({ length: 20 }, (_, index) => ({
    tool: index === 0 ? tool : `paid_tool_${index}`,
    scopes: [],
    require: "args.days <= 14 || 'finance' in principal.groups",
  }))

/** Sets of rules that the load's calls pass. */
const RULES = {
  dozen,
  /** 200, whose expressions are about other tools than the called one. */
  many: [...dozen, ...others, ...expressionsAbout('paid_tool_0')],
  /** 200, of which one looks at the arguments of each call. */
  expression: [...dozen, ...others, ...expressionsAbout(calledTool)],
} as const satisfies Record<string, readonly RulePlan[]>

export type RuleSet = keyof typeof RULES

export interface ProxyArgument {
  readonly upstreamPort: number
  readonly issuer: string
  /** Where the audit log is written, by a proxy that has metrics, too. */
  readonly auditFile?: string
  /** Default: `dozen`. */
  readonly rules?: RuleSet
  /** Whether the MCP server is told who calls, by a signed assertion. */
  readonly isTold?: boolean
}

/** One server with one issuer, base scopes and a set of rules; every limit as it is by default. */
export function createBenchPlan({ upstreamPort, issuer, auditFile, rules = 'dozen', isTold = false }: ProxyArgument): Plan {
  return {
    listen: { host: '127.0.0.1', port: 0, reusePort: false, tls: undefined },
    egress: DIRECT,
    publicUrl: `https://${publicHost}`,
    allowedHosts: [publicHost],
    cors: { allowedOrigins: [], allowedHeaders: [], allowedMethods: [], allowCredentials: false },
    limits: {
      bodyBytes: 4 * 1024 * 1024,
      bodiesBytes: 64 * 1024 * 1024,
      heldBytes: 256 * 1024 * 1024,
      jsonDepth: 128,
      batchMembers: 50,
      headersSeconds: 10,
      bodyIdleSeconds: 30,
      stalledClientSeconds: 60,
    },
    trustedProxies: [],
    log: { level: 'info', format: 'json' },
    admin: auditFile === undefined ? undefined : { host: '127.0.0.1', port: 0, allowedHosts: [], token: undefined },
    audit: auditFile === undefined ? undefined : createAuditPlan(auditFile),
    shutdownDelaySeconds: 0,
    drainSeconds: 5,
    sessionKey: randomBytes(32),
    replicas: 1,
    servers: [
      {
        name: 'bench',
        endpoints: [{ kind: 'streamable_http', path, resource: audience, upstream: createUpstreamPlan(upstreamPort) }],
        issuers: [createIssuerPlan(issuer, { algorithms: ['RS256'] })],
        audiences: [audience],
        policy: {
          baseScopes: ['mcp'],
          rules: RULES[rules],
          hierarchy: { admin: ['files:read', 'files:write'] },
          unlistedOperations: 'permit',
        },
        rateLimits: [],
        challengeScopes: [],
        scopesSupported: ['mcp', ...new Set(Object.values(scopesOfTools))],
        bearerMethods: ['header'],
        legacyClients: 'enforce',
        credential: { kind: 'none' },
        identity: isTold ? createIdentityPlan() : undefined,
      },
    ],
    broker: undefined,
    store: { kind: 'memory' },
    storeKeys: [],
    hasLastingSessionKey: false,
    reload: { watch: false },
    accessKeys: [],
    acceptsStoredKeys: true,
    notices: [],
  }
}

/** As `identity: { key, claims: [email, groups] }` has it. */
function createIdentityPlan(): IdentityPlan {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const assertion = {
    issuer: `https://${publicHost}`,
    audience: undefined,
    header: 'authorization',
    seconds: 300,
    claims: ['email', 'groups'],
    operation: false,
    keys: [{ privateKey: privateKey.export({ format: 'pem', type: 'pkcs8' }).toString() }],
  }
  return { assertion, plainHeaders: [], metaClaims: undefined, variables: [] }
}

/** As `audit: { file }` has it by default. */
function createAuditPlan(path: string): AuditPlan {
  const rotation = { bytes: 256 * 1024 * 1024, seconds: undefined, keep: 2 }
  return { target: { kind: 'file', path }, digestsArguments: true, rotation, fail: 'drop', chain: undefined }
}

function createUpstreamPlan(port: number): UpstreamPlan {
  return {
    kind: 'http',
    url: `http://127.0.0.1:${port}${path}`,
    socket: undefined,
    headers: {},
    connectSeconds: 5,
    responseSeconds: 60,
    heartbeatSeconds: 25,
    followSlashRedirects: false,
    ca: undefined,
    egress: DIRECT,
  }
}

import { resolve } from 'node:path'
import type { BrokerPlan } from '../../core/plan/broker-plan.ts'
import type { EndpointPlan, ServerPlan } from '../../core/plan/server-plan.ts'
import type { UpstreamPlan } from '../../core/plan/upstream-plan.ts'
import { listEndpoints, nameServer } from '../derive/endpoints.ts'
import { formatHeaderValue } from '../derive/header-value.ts'
import type { IssuerConfig } from '../schema/issuer.ts'
import type { Config } from '../schema/schema.ts'
import type { ServerConfig, UpstreamConfig } from '../schema/server.ts'
import { createCredentialPlan } from './credential.ts'
import type { PlanSources } from './egress.ts'
import { createIdentityPlan } from './identity.ts'
import { createIssuerPlan } from './issuer.ts'
import { createPolicyPlan, type GeneralAccess } from './policy.ts'
import { createProcessPlan, isProcess } from './process.ts'
import { createRateLimitPlans } from './rate-limits.ts'

/** What a server takes from the rest of the configuration. */
export interface ServerPlanInputs {
  readonly publicUrl: string
  /** Who may use what on every server, and how much. */
  readonly general: GeneralAccess & Pick<Config, 'rate_limits'>
  /** Issuers of servers that list none. */
  readonly issuers: readonly IssuerConfig[]
  /** Our own authorization server, for servers that list no issuers. */
  readonly broker: BrokerPlan | undefined
  readonly secretsAndFiles: PlanSources
}

/** Settles one server. */
export function createServerPlan(server: ServerConfig, index: number, inputs: ServerPlanInputs): ServerPlan {
  const { secretsAndFiles } = inputs
  const endpoints = createEndpointPlans(server, inputs)
  const issuers = (server.issuers ?? inputs.issuers).map((issuer) => createIssuerPlan(issuer, secretsAndFiles))
  const own = server.issuers === undefined && inputs.broker ? [inputs.broker.issuerPlan] : []
  return {
    name: nameServer(server),
    endpoints,
    issuers: [...own, ...issuers],
    audiences: [...new Set([...endpoints.map((endpoint) => endpoint.resource), ...server.audience])],
    policy: createPolicyPlan(server, index, inputs.general),
    rateLimits: createRateLimitPlans(inputs.general.rate_limits, server.rate_limits, index),
    scopesSupported: resolveScopesSupported(server),
    challengeScopes: [...new Set([...server.scopes, ...(server.scopes_supported ?? [])])],
    bearerMethods: server.bearer_methods,
    legacyClients: server.legacy_clients,
    credential: createCredentialPlan(server, {
      ...inputs,
      formatHeaders: (upstream) => formatHeaders(upstream, secretsAndFiles),
    }),
    identity: createIdentityPlan(server, inputs.publicUrl, secretsAndFiles),
  }
}

/**
 * The two endpoints of HTTP+SSE are one protected resource, the one that clients configure: the event stream. Its upstream stands in
 * for both, since only the stream names the address for messages.
 */
function createEndpointPlans(server: ServerConfig, { publicUrl, secretsAndFiles }: ServerPlanInputs): EndpointPlan[] {
  const plans = new Map<UpstreamConfig, UpstreamPlan>()
  return listEndpoints(server).flatMap(({ kind, path }) => {
    const upstream = kind === 'streamable_http' ? server.upstream : (server.sse?.upstream ?? server.upstream)
    const identity = kind === 'messages' ? server.sse?.path : path
    if (!upstream) return []
    // One plan for all endpoints of a process: it is one process.
    const plan = plans.get(upstream) ?? createUpstreamPlan(upstream, secretsAndFiles)
    plans.set(upstream, plan)
    return [{ kind, path, resource: `${publicUrl}${identity}`, upstream: plan }]
  })
}

function createUpstreamPlan(upstream: UpstreamConfig, secretsAndFiles: PlanSources): UpstreamPlan {
  if (isProcess(upstream)) return createProcessPlan(upstream, secretsAndFiles)
  return {
    kind: 'http',
    url: upstream.url ?? '',
    socket: upstream.socket === undefined ? undefined : resolve(secretsAndFiles.directory, upstream.socket),
    headers: formatHeaders(upstream, secretsAndFiles),
    connectSeconds: upstream.connect_timeout_seconds,
    responseSeconds: upstream.response_timeout_seconds,
    heartbeatSeconds: upstream.heartbeat_seconds,
    followSlashRedirects: upstream.follow_slash_redirects,
    ca: secretsAndFiles.findFile(upstream.ca_file),
    egress: secretsAndFiles.egress,
  }
}

function formatHeaders({ headers }: UpstreamConfig, secretsAndFiles: PlanSources): Readonly<Record<string, string>> {
  const fields = Object.entries(headers).map(
    ([name, value]) => [name.toLowerCase(), formatHeaderValue(value, secretsAndFiles.findSecret(value)) ?? ''] as const,
  )
  return Object.fromEntries(fields)
}

/**
 * "The minimal set of scopes necessary for basic functionality" (2026-07-28, authorization, Scope Selection Strategy): the base scopes.
 * Without any, a client that asks for nothing would be refused everything, so the scopes of the rules take their place.
 */
function resolveScopesSupported(server: ServerConfig): readonly string[] {
  if (server.scopes_supported !== undefined) return server.scopes_supported
  if (server.scopes.length > 0) return server.scopes
  return [...new Set(server.rules.flatMap(({ mode, scopes = [] }) => (mode === 'shadow' ? [] : scopes)))]
}

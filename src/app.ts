import type { DestinationStream } from 'pino'
import type { Broker } from './broker/broker.ts'
import { NO_BRAND } from './core/brand.ts'
import { systemClock } from './core/clock.ts'
import { createHeldMemory, type HeldMemory } from './core/held-memory.ts'
import type { Plan } from './core/plan/plan.ts'
import type { RewritePlan } from './core/plan/rewrite-plan.ts'
import type { ServerPlan } from './core/plan/server-plan.ts'
import type { StdioUpstreamPlan, UpstreamPlan } from './core/plan/upstream-plan.ts'
import type { Upstream } from './core/ports.ts'
import type { RequestObserver } from './core/record.ts'
import type { Route } from './core/route.ts'
import type { ProtectedResource } from './core/route-facts.ts'
import type { UpstreamCredential } from './core/upstream-credential.ts'
import { createBodyRoom } from './http/body-room.ts'
import { drain, waitForLoadBalancers } from './http/drain.ts'
import { createForwardedRules } from './http/forwarded.ts'
import { formatListenerUrl, type Listener, listen } from './http/listener.ts'
import { createOriginRules } from './http/origins.ts'
import { createSessionSeal, type SessionSeal } from './mcp/session-seal.ts'
import { createMeters, type Meters } from './metrics/meters.ts'
import { mountBroker } from './mount-broker.ts'
import { createIssuerPool, type IssuerPool } from './oauth/issuer.ts'
import { formatMetadataPath } from './oauth/protected-resource.ts'
import { createTokenVerifier } from './oauth/token-verifier.ts'
import type { Edge } from './pipeline/edge.ts'
import { createEndpoints, type ReadinessScope } from './pipeline/endpoints.ts'
import { createPipeline } from './pipeline/pipeline.ts'
import { createPolicy } from './policy/policy.ts'
import type { Rewrite } from './rewrite/rewrite.ts'
import { showMeters } from './show-meters.ts'
import { createLog, type Log } from './telemetry/log.ts'
import { createRequestLog } from './telemetry/request-line.ts'
import { createHttpUpstream } from './upstream/http-upstream.ts'
import { findProgramProblem } from './upstream/stdio/process/find-program.ts'
import { createStdioUpstream } from './upstream/stdio/stdio-upstream.ts'

/** A proxy that serves. */
export interface RunningProxy {
  /** Base URL of the listening address, for example `http://127.0.0.1:8080`. */
  readonly url: string
  /** Base URL of the admin listener; undefined where there is none. */
  readonly adminUrl: string | undefined
  /** Waits for load balancers where the configuration says so, then drains: takes nothing new, lets running requests finish within the configured time, ends streams cleanly. */
  close(): Promise<void>
}

export interface StartOptions {
  /** Where log lines go instead of standard output. */
  readonly logDestination?: DestinationStream
}

/**
 * Starts a proxy by a plan (see `config/`).
 *
 * @throws the listening error: port in use, no such address, no permission; Error when there is no such program as a server names
 */
export async function startProxy(plan: Plan, options: StartOptions = {}): Promise<RunningProxy> {
  const clock = systemClock
  const log = createLog(plan.log, options.logDestination)
  for (const server of plan.servers) checkPrograms(server)
  const onIssue = (message: string) => log.logger.warn(message)
  const meters = plan.admin && createMeters(clock)
  const mounted = plan.broker && (await mountBroker(plan.broker, plan.servers, onIssue))
  const ownKeys = new Map(mounted && plan.broker ? [[plan.broker.issuer, mounted.broker.keys]] : [])
  const issuers = createIssuerPool({ onIssue, ownKeys })
  const memory = createHeldMemory(plan.limits.heldBytes)
  const seal = createSessionSeal(plan.sessionKey)
  const shared = { issuers, log, memory, seal, broker: mounted?.broker, meters }
  const guarded = plan.servers.map((server) => createServer(plan, server, shared))
  const state = { leaving: false, draining: false }
  const isReady = (scope: ReadinessScope): boolean =>
    !state.leaving && issuers.wereTried() && (scope === 'process' || mounted?.broker.isReady() === true)
  const rewrite = plan.rewrite && (await mountRewrite(plan.rewrite, plan.servers))
  const endpoints = createEndpoints({
    routes: guarded.flatMap(({ routes }) => routes),
    handlers: [...(mounted?.broker.handlers ?? []), ...(rewrite?.handlers ?? [])],
    isReady,
  })
  const bodyRoom = createBodyRoom(plan.limits, clock)
  const edge = createEdge(plan, {
    bodyRoom,
    clock,
    endpoints,
    seal,
    heldMemory: memory,
    observe: createObserver(log, mounted?.broker, meters),
    isDraining: () => state.draining,
  })
  const admin = await showMeters(plan, meters, { clock, log, issuers, bodyRoom })
  const listener = await listenToClients(plan, edge, log).catch(onFailure(() => admin?.closeNow()))
  issuers.warm()
  return {
    url: formatListenerUrl(listener, plan.listen.tls !== undefined),
    adminUrl: admin && formatListenerUrl(admin, false),
    async close() {
      state.leaving = true
      await waitForLoadBalancers(listener, plan.shutdownDelaySeconds, clock)
      state.draining = true
      await drain(listener, plan.drainSeconds * 1000, edge.streamEnds, clock)
      await closeParts(guarded, [issuers, mounted, rewrite])
      // Last, so that the metrics tell of the end, too.
      await admin?.closeNow()
      meters?.close()
      await log.end()
    },
  }
}

/** Closes what serves clients, upstreams first: their last answers may need the others. */
async function closeParts(
  guarded: readonly GuardedServer[],
  others: readonly ({ close(): Promise<void> } | undefined)[],
): Promise<void> {
  await Promise.all(guarded.flatMap(({ upstreams }) => upstreams.map((upstream) => upstream.close(1000))))
  for (const part of others) await part?.close()
}

/** Lets go of what was opened before the failure. */
function onFailure(close: () => Promise<void> | undefined): (error: unknown) => Promise<never> {
  return async (error) => {
    await close()
    throw error
  }
}

function listenToClients(plan: Plan, edge: Edge, log: Log): Promise<Listener> {
  return listen({
    listen: plan.listen,
    headersSeconds: plan.limits.headersSeconds,
    stalledSeconds: plan.limits.stalledClientSeconds,
    handler: createPipeline(edge),
    clock: edge.clock,
    onUnreadable: (status, cause, peer) =>
      log.logger.info({ status, cause, peer, code: 'request_malformed', reason: 'syntax' }, 'refused before it was a request'),
  })
}

/** Passes requests of the OAuth flow on, where a configuration of the Go proxy needs it. */
async function mountRewrite(plan: RewritePlan, servers: readonly ServerPlan[]): Promise<Rewrite> {
  const { createRewrite } = await import('./rewrite/rewrite.ts')
  return createRewrite(
    plan,
    servers.flatMap(({ endpoints }) => endpoints.map(({ path }) => path)),
  )
}

/** Called for each finished request. */
function createObserver(log: Log, broker: Broker | undefined, meters: Meters | undefined): RequestObserver {
  const write = createRequestLog(log)
  return (record) => {
    write(record)
    meters?.observe(record)
    const { principal, missingScopes } = record
    if (principal && missingScopes) broker?.noteStepUp(principal, missingScopes)
  }
}

interface GuardedServer {
  readonly routes: readonly Route[]
  readonly upstreams: readonly Upstream[]
}

/** Where a stdio server's own endpoints would be: what its `endpoint` event names is resolved against it, and goes nowhere else. */
const STDIO_URL = 'http://stdio.invalid/'

/** @throws Error that names what cannot be started */
function checkPrograms({ name, endpoints }: ServerPlan): void {
  for (const { upstream } of endpoints) {
    const problem = upstream.kind === 'stdio' ? findProgramProblem(upstream) : undefined
    if (problem !== undefined) throw new Error(`The MCP server "${name}" cannot be started: ${problem}.`)
  }
}

/** What all servers have together. */
interface Shared {
  readonly issuers: IssuerPool
  readonly log: Log
  readonly memory: HeldMemory
  readonly seal: SessionSeal
  readonly broker: Broker | undefined
  readonly meters: Meters | undefined
}

/** Makes each upstream once: the endpoints that one process serves have the same plan. */
function createUpstreams(name: string, shared: Shared) {
  const upstreams = new Map<UpstreamPlan, Upstream>()
  return {
    find(plan: UpstreamPlan): Upstream {
      const known = upstreams.get(plan)
      if (known !== undefined) return known
      const plain = createUpstream(plan, name, shared)
      const upstream = shared.meters?.measureUpstream(plain, name) ?? plain
      upstreams.set(plan, upstream)
      return upstream
    },
    list: (): readonly Upstream[] => [...upstreams.values()],
  }
}

function createUpstream(plan: UpstreamPlan, server: string, shared: Shared): Upstream {
  switch (plan.kind) {
    case 'http':
      return createHttpUpstream(plan)
    case 'stdio':
      return createProcess(plan, server, shared)
  }
}

function createProcess(plan: StdioUpstreamPlan, server: string, { log, memory, seal }: Shared): Upstream {
  return createStdioUpstream(plan, {
    name: server,
    seal,
    memory,
    onStderr: (line) => log.logger.info({ server, stderr: line }, 'said by the MCP server'),
    onEvent: (event) => log.logger.warn({ server, event }, 'a process of the MCP server ended or could not be started'),
  })
}

function createServer(plan: Plan, server: ServerPlan, shared: Shared): GuardedServer {
  const { issuers: pool, broker, meters } = shared
  const signatures = createTokenVerifier({
    issuers: server.issuers,
    audiences: server.audiences,
    leastAssurance: server.legacyClients === 'signature_only' ? 'signature_only' : 'audience',
    pool,
  })
  const guarded = broker?.guard(signatures) ?? signatures
  const verifier = meters?.measureVerifier(guarded, server.name) ?? guarded
  const policy = createPolicy(server.policy)
  const sse = server.endpoints.find(({ kind }) => kind === 'sse')
  const messages = server.endpoints.find(({ kind }) => kind === 'messages')
  const upstreams = createUpstreams(server.name, shared)
  const routes = server.endpoints.map(
    (endpoint): Route => ({
      path: endpoint.path,
      kind: endpoint.kind,
      server: server.name,
      // The client of HTTP+SSE knows the stream's URL alone; messages are posted under the same identifier.
      resource: createResource(plan, server, endpoint.kind === 'messages' && sse ? sse.resource : endpoint.resource),
      challengeScopes: server.challengeScopes,
      comparedScopes: policy.comparedScopes,
      legacyClients: server.legacyClients,
      credential: createCredential(server, broker),
      messagesPath: messages?.path,
      upstreamUrl: endpoint.upstream.kind === 'http' ? endpoint.upstream.url : STDIO_URL,
      verifier,
      policy,
      upstream: upstreams.find(endpoint.upstream),
    }),
  )
  return { routes, upstreams: upstreams.list() }
}

/** @throws Error where the identity provider is to give a token, and there is none */
function createCredential({ name, credential }: ServerPlan, broker: Broker | undefined): UpstreamCredential {
  if (credential.kind !== 'identity_provider') return credential
  if (broker === undefined) throw new Error(`The MCP server "${name}" gets a token of the identity provider, and there is none.`)
  return { kind: 'identity_provider', find: broker.findCredential }
}

function createResource(plan: Plan, server: ServerPlan, identifier: string): ProtectedResource {
  const metadataPath = formatMetadataPath(identifier)
  return {
    identifier,
    metadataPath,
    metadataUrl: `${plan.publicUrl}${metadataPath}`,
    // Towards clients the authorization server is us where requests to it are passed on.
    authorizationServers: plan.rewrite ? [plan.publicUrl] : server.issuers.map(({ issuer }) => issuer),
    scopesSupported: server.scopesSupported,
    bearerMethods: server.bearerMethods,
    name: server.name,
  }
}

/** What the pipeline works with that other parts have a hand in. */
type EdgeParts = Pick<Edge, 'bodyRoom' | 'clock' | 'endpoints' | 'seal' | 'heldMemory' | 'observe' | 'isDraining'>

function createEdge(plan: Plan, parts: EdgeParts): Edge {
  return {
    ...parts,
    hosts: plan.allowedHosts === '*' ? undefined : new Set(plan.allowedHosts),
    origins: createOriginRules(plan.cors, plan.publicUrl),
    cors: plan.cors,
    limits: plan.limits,
    forwarded: createForwardedRules(plan.trustedProxies, plan.publicUrl),
    brand: plan.broker?.brand ?? NO_BRAND,
    streamEnds: new Set(),
    messageStreams: new Map(),
  }
}

import { Buffer } from 'node:buffer'
import type { DestinationStream } from 'pino'
import type { Broker } from './broker/broker.ts'
import type { BrokerPlan } from './core/plan/broker-plan.ts'
import type { Plan } from './core/plan/plan.ts'
import type { RewritePlan } from './core/plan/rewrite-plan.ts'
import type { ServerPlan } from './core/plan/server-plan.ts'
import type { StdioUpstreamPlan, UpstreamPlan } from './core/plan/upstream-plan.ts'
import type { Upstream } from './core/ports.ts'
import type { RequestObserver } from './core/record.ts'
import type { Route } from './core/route.ts'
import type { EndpointKind, ProtectedResource } from './core/route-facts.ts'
import type { UpstreamCredential } from './core/upstream-credential.ts'
import { createBodyRoom } from './http/body-room.ts'
import { isLoopbackOrigin, type OriginRules } from './http/cors.ts'
import { createForwardedRules } from './http/forwarded.ts'
import { type Listener, listen } from './http/listener.ts'
import { createSessionSeal, type SessionSeal } from './mcp/session-seal.ts'
import { createIssuerPool, type IssuerPool } from './oauth/issuer.ts'
import { createProtectedResourceMetadata } from './oauth/protected-resource.ts'
import { createTokenVerifier } from './oauth/token-verifier.ts'
import type { Edge, Endpoint } from './pipeline/edge.ts'
import { createPipeline } from './pipeline/pipeline.ts'
import { createScopePolicy } from './policy/scope-policy.ts'
import type { Rewrite } from './rewrite/rewrite.ts'
import { createLog, type Log } from './telemetry/log.ts'
import { createRequestLog } from './telemetry/request-line.ts'
import { createHttpUpstream } from './upstream/http-upstream.ts'
import { findProgramFlaw } from './upstream/stdio/process/find-program.ts'
import { createStdioUpstream } from './upstream/stdio/stdio-upstream.ts'
import { createHeldMemory, type HeldMemory } from './upstream/stdio/wire/held-memory.ts'

const wellKnown = '/.well-known/oauth-protected-resource'

/**
 * Pages that people use MCP clients on. Their requests carry a token of ours or get no further, and an origin that is refused here is
 * a client that mysteriously doesn't connect.
 */
const originsOfKnownClients = [
  'https://claude.ai',
  'https://claude.com',
  'https://chatgpt.com',
  'https://vscode.dev',
  'https://insiders.vscode.dev',
]

/** How often connections that have become idle are closed while draining. */
const sweepMilliseconds = 100

/** A proxy that serves. */
export interface RunningProxy {
  /** Base URL of the listening address, for example `http://127.0.0.1:8080`. */
  readonly url: string
  /** Drains: takes nothing new, lets running requests finish within the configured time, ends streams cleanly. */
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
  const log = createLog(plan.log, options.logDestination)
  for (const server of plan.servers) checkPrograms(server)
  const onIssue = (message: string) => log.logger.warn(message)
  const mounted = plan.broker && (await mountBroker(plan.broker, plan.servers, onIssue))
  const ownKeys = new Map(mounted && plan.broker ? [[plan.broker.issuer, mounted.broker.keys]] : [])
  const issuers = createIssuerPool({ onIssue, ownKeys })
  const memory = createHeldMemory(plan.limits.heldBytes)
  const seal = createSessionSeal(plan.sessionKey)
  const guarded = plan.servers.map((server) =>
    createServer(plan, server, { issuers, log, memory, seal, broker: mounted?.broker }),
  )
  const state = { draining: false }
  const isReady = (): boolean => !state.draining && issuers.isReady() && mounted?.broker.isReady() !== false
  const rewrite = plan.rewrite && (await mountRewrite(plan.rewrite, plan.servers))
  const endpoints = createEndpoints(guarded, isReady, [mounted?.broker, rewrite])
  const observe = createObserver(log, mounted?.broker)
  const edge = createEdge(plan, { endpoints, seal, observe, isDraining: () => state.draining })
  const listener = await listen({
    listen: plan.listen,
    headersSeconds: plan.limits.headersSeconds,
    stalledSeconds: plan.limits.stalledClientSeconds,
    handler: createPipeline(edge),
    onUnreadable: (status, reason, peer) =>
      log.logger.info({ status, reason, peer, code: 'request_malformed' }, 'refused before it was a request'),
  })
  issuers.warm()
  return {
    url: formatUrl(plan, listener),
    async close() {
      state.draining = true
      await drain(listener, edge, plan.drainSeconds * 1000)
      await Promise.all(guarded.flatMap(({ upstreams }) => upstreams.map((upstream) => upstream.close(1000))))
      await issuers.close()
      await mounted?.close()
      await rewrite?.close()
      await log.end()
    },
  }
}

interface MountedBroker {
  readonly broker: Broker
  close(): Promise<void>
}

/** Our own authorization server. It is not so much as loaded where users sign in elsewhere. */
async function mountBroker(
  plan: BrokerPlan,
  servers: readonly ServerPlan[],
  onIssue: (message: string) => void,
): Promise<MountedBroker> {
  const { startBroker } = await import('./broker/broker.ts')
  const { openStore } = await import('./store/open-store.ts')
  const store = await openStore(plan.store, onIssue)
  const endpoints = servers.flatMap((server) => server.endpoints.map((endpoint) => ({ ...endpoint, server })))
  const resources = endpoints
    .filter(({ kind, server }) => kind !== 'messages' && server.issuers.some(({ issuer }) => issuer === plan.issuer))
    .map(({ resource, server }) => ({
      identifier: resource,
      name: server.name,
      scopes: createScopePolicy(server.policy).knownScopes,
      defaultScopes: server.scopesSupported,
      needsProviderToken: server.credential.kind === 'identity_provider',
    }))
  const broker = await startBroker({ plan, resources, endpointPaths: endpoints.map(({ path }) => path), store, onIssue })
  return {
    broker,
    async close() {
      await broker.close()
      await store.close()
    },
  }
}

/** Passes requests of the OAuth flow on, where a configuration of the Go proxy needs it. */
async function mountRewrite(plan: RewritePlan, servers: readonly ServerPlan[]): Promise<Rewrite> {
  const { createRewrite } = await import('./rewrite/rewrite.ts')
  return createRewrite(
    plan,
    servers.flatMap(({ endpoints }) => endpoints.map(({ path }) => path)),
  )
}

/** What hears of finished requests. */
function createObserver(log: Log, broker: Broker | undefined): RequestObserver {
  const write = createRequestLog(log)
  return (record) => {
    write(record)
    const { principal, missingScopes } = record
    if (principal && missingScopes) broker?.noteStepUp(principal, missingScopes)
  }
}

interface GuardedServer {
  readonly routes: readonly Route[]
  readonly upstreams: readonly Upstream[]
}

/** Where a stdio server's own endpoints would be: what its `endpoint` event names is resolved against it, and goes nowhere else. */
const stdioUrl = 'http://stdio.invalid/'

/** @throws Error that names what cannot be started */
function checkPrograms({ name, endpoints }: ServerPlan): void {
  for (const { upstream } of endpoints) {
    const flaw = upstream.kind === 'stdio' ? findProgramFlaw(upstream) : undefined
    if (flaw !== undefined) throw new Error(`The MCP server "${name}" cannot be started: ${flaw}.`)
  }
}

/** What all servers have together. */
interface Shared {
  readonly issuers: IssuerPool
  readonly log: Log
  readonly memory: HeldMemory
  readonly seal: SessionSeal
  readonly broker: Broker | undefined
}

function createUpstreams({ name, endpoints }: ServerPlan, shared: Shared): Map<UpstreamPlan, Upstream> {
  const plans = new Set(endpoints.map(({ upstream }) => upstream))
  return new Map([...plans].map((plan) => [plan, createUpstream(plan, name, shared)]))
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
  const { issuers: pool, broker } = shared
  const signatures = createTokenVerifier({
    issuers: server.issuers,
    audiences: server.audiences,
    leastAssurance: server.legacyClients === 'signature_only' ? 'signature_only' : 'audience',
    pool,
  })
  const verifier = broker?.guard(signatures) ?? signatures
  const policy = createScopePolicy(server.policy)
  const sse = server.endpoints.find(({ kind }) => kind === 'sse')
  const messages = server.endpoints.find(({ kind }) => kind === 'messages')
  const upstreams = createUpstreams(server, shared)
  const routes = server.endpoints.map(
    (endpoint): Route => ({
      path: endpoint.path,
      kind: endpoint.kind,
      server: server.name,
      // The client of HTTP+SSE knows the stream's URL alone; messages are posted under the same identifier.
      resource: createResource(plan, server, endpoint.kind === 'messages' && sse ? sse.resource : endpoint.resource),
      challengeScopes: server.challengeScopes,
      knownScopes: policy.knownScopes,
      legacyClients: server.legacyClients,
      credential: createCredential(server, broker),
      messagesPath: messages?.path,
      upstreamUrl: endpoint.upstream.kind === 'http' ? endpoint.upstream.url : stdioUrl,
      verifier,
      policy,
      upstream: upstreams.get(endpoint.upstream) as Upstream,
    }),
  )
  return { routes, upstreams: [...upstreams.values()] }
}

/** @throws Error where the identity provider is to give a token, and there is none */
function createCredential({ name, credential }: ServerPlan, broker: Broker | undefined): UpstreamCredential {
  if (credential.kind !== 'identity_provider') return credential
  if (broker === undefined) throw new Error(`The MCP server "${name}" gets a token of the identity provider, and there is none.`)
  return { kind: 'identity_provider', find: broker.findCredential }
}

function createResource(plan: Plan, server: ServerPlan, identifier: string): ProtectedResource {
  const metadataPath = `${wellKnown}${new URL(identifier).pathname}`
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
type EdgeParts = Pick<Edge, 'endpoints' | 'seal' | 'observe' | 'isDraining'>

function createEdge(plan: Plan, parts: EdgeParts): Edge {
  return {
    ...parts,
    hosts: plan.allowedHosts === '*' ? undefined : new Set(plan.allowedHosts),
    origins: createOriginRules(plan),
    cors: plan.cors,
    limits: plan.limits,
    bodyRoom: createBodyRoom(plan.limits),
    forwarded: createForwardedRules(plan.trustedProxies, plan.publicUrl),
    streamEnds: new Set(),
  }
}

function createOriginRules({ cors, publicUrl }: Plan): OriginRules {
  if (cors.allowedOrigins === '*') return { allowed: '*', allowLoopback: true }
  const allowed = new Set([publicUrl, ...originsOfKnownClients, ...cors.allowedOrigins])
  return { allowed, allowLoopback: isLoopbackOrigin(publicUrl) }
}

function createEndpoints(
  guarded: readonly GuardedServer[],
  isReady: () => boolean,
  parts: readonly (Pick<Broker, 'handlers'> | undefined)[],
): Map<string, Endpoint> {
  const handlers = parts.flatMap((part) => [...(part?.handlers ?? [])])
  const endpoints = new Map<string, Endpoint>([
    ...handlers.map(([path, handle]) => [path, { kind: 'handled', handle }] as const),
    ['/healthz', { kind: 'health', isHealthy: () => true }],
    ['/readyz', { kind: 'health', isHealthy: isReady }],
  ])
  for (const route of guarded.flatMap(({ routes }) => routes)) endpoints.set(route.path, { kind: 'guarded', route })
  for (const [path, resource] of findMetadataPaths(guarded)) {
    endpoints.set(path, { kind: 'metadata', document: Buffer.from(JSON.stringify(createProtectedResourceMetadata(resource))) })
  }
  return endpoints
}

/** The path form for every endpoint that a client may be given, and the root form where there is only one server it could mean. */
function findMetadataPaths(guarded: readonly GuardedServer[]): [string, ProtectedResource][] {
  const isNamed = (kind: EndpointKind): boolean => kind !== 'messages'
  const resources = guarded.flatMap(({ routes }) => routes.filter(({ kind }) => isNamed(kind)).map(({ resource }) => resource))
  const paths = resources.map((resource): [string, ProtectedResource] => [resource.metadataPath, resource])
  const [first] = resources
  return guarded.length === 1 && first ? [[wellKnown, first], ...paths] : paths
}

async function drain(listener: Listener, edge: Edge, deadline: number): Promise<void> {
  const timer = setTimeout(() => listener.closeAll(), deadline)
  const closed = listener.close()
  for (const end of edge.streamEnds) end()
  // A kept-alive connection becomes idle only when its last answer is out.
  const sweep = setInterval(() => listener.closeIdle(), sweepMilliseconds)
  listener.closeIdle()
  await closed
  clearInterval(sweep)
  clearTimeout(timer)
}

function formatUrl(plan: Plan, listener: Listener): string {
  const host = listener.host.includes(':') ? `[${listener.host}]` : listener.host
  return `${plan.listen.tls ? 'https' : 'http'}://${host}:${listener.port}`
}

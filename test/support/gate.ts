import { randomBytes } from 'node:crypto'
import { createServer } from 'node:http'
import { fileURLToPath } from 'node:url'
import { NO_BRAND } from '../../src/core/brand.ts'
import { systemClock } from '../../src/core/clock.ts'
import type { PolicyEngine } from '../../src/core/decision.ts'
import { createHeldMemory } from '../../src/core/held-memory.ts'
import { createOpenRequests } from '../../src/core/open-requests.ts'
import type { StdioUpstreamPlan } from '../../src/core/plan/upstream-plan.ts'
import type { TokenVerifier, Upstream } from '../../src/core/ports.ts'
import type { RequestRecord } from '../../src/core/record.ts'
import type { Route } from '../../src/core/route.ts'
import type { EndpointKind } from '../../src/core/route-facts.ts'
import { createBodyRoom } from '../../src/http/body-room.ts'
import { createForwardedRules } from '../../src/http/forwarded.ts'
import { createSessionSeal } from '../../src/mcp/session-seal.ts'
import type { Edge } from '../../src/pipeline/edge.ts'
import type { Endpoint } from '../../src/pipeline/endpoints.ts'
import { createPipeline } from '../../src/pipeline/pipeline.ts'
import { closeServer, listenOnLoopback } from '../../src/sandbox/listen.ts'
import { createStdioUpstream } from '../../src/upstream/stdio/stdio-upstream.ts'

/** Permits everything. */
export const openPolicy: PolicyEngine = { decide: () => ({ effect: 'permit' }), createListFilter: () => undefined }

/** A stdio server that does what it is told to, for better or worse, and the command that starts it. */
export const scriptedServer = fileURLToPath(new URL('../fixtures/stdio/scripted-server.mjs', import.meta.url))
export const scripted: readonly string[] = [process.execPath, scriptedServer]

/** The whole pipeline in front of one upstream, with a verifier of ours: the token `alice` is Alice's, `alice~app` that of her client `app`. */
export interface Gate {
  readonly origin: string
  /** One entry a request that is over. */
  readonly records: readonly RequestRecord[]
  readonly upstream: Upstream
  /** What all requests go through. */
  readonly edge: Edge
  close(): Promise<void>
}

/** A {@link Gate} before a stdio server, and what the server said. */
export interface StdioGate extends Gate {
  readonly stderr: readonly string[]
  readonly events: readonly string[]
  /** Resolves with the first line of standard error, past or to come, that holds this. */
  waitForStderr(part: string): Promise<string>
}

/** Takes the user, and the client behind a tilde, from the token. */
export const gateVerifier: TokenVerifier = {
  verify: (token) => {
    const [subject = '', clientId = 'test-client'] = token.split('~')
    return {
      issuer: 'https://idp.example.com',
      subject: subject === '' ? undefined : subject,
      clientId,
      scopes: new Set(),
      groups: [],
      assurance: 'audience',
      expiresAt: Number.MAX_SAFE_INTEGER,
      acceptedUntil: Number.MAX_SAFE_INTEGER,
      claims: {},
    }
  },
}

const paths: Readonly<Record<EndpointKind, string>> = { streamable_http: '/mcp', sse: '/sse', messages: '/messages' }

/**
 * @param upstreams - of each endpoint, or one for all
 * @param changes - to every route
 * @param edge - changes to what all requests go through; its endpoints are added
 */
export async function openGate(
  upstreams: Upstream | Partial<Record<EndpointKind, Upstream>>,
  changes: Partial<Route> = {},
  edge: Partial<Edge> = {},
): Promise<Gate> {
  const records: RequestRecord[] = []
  const pick = (kind: EndpointKind): Upstream => ('send' in upstreams ? upstreams : (upstreams[kind] as Upstream))
  const kinds = (Object.keys(paths) as EndpointKind[]).filter((kind) => 'send' in upstreams || upstreams[kind] !== undefined)
  // No test may pass because Node ended an idle connection.
  const server = createServer({ keepAliveTimeout: 300_000 })
  const port = await listenOnLoopback(server, 0)
  const origin = `http://127.0.0.1:${port}`
  const routes = kinds.map((kind): Route => ({ ...createRoute(kind, origin, pick(kind)), ...changes }))
  const settled: Edge = {
    current: () => settled,
    hosts: new Set([`127.0.0.1:${port}`, `localhost:${port}`]),
    origins: { allowed: new Set([origin]), allowLoopback: true },
    cors: { allowedOrigins: '*', allowedHeaders: [], allowedMethods: [], allowCredentials: false },
    limits: {
      bodyBytes: 64 * 1024 * 1024,
      bodiesBytes: 256 * 1024 * 1024,
      heldBytes: 256 * 1024 * 1024,
      jsonDepth: 128,
      batchMembers: 100,
      headersSeconds: 10,
      bodyIdleSeconds: 10,
      stalledClientSeconds: 10,
    },
    bodyRoom: createBodyRoom({ bodiesBytes: 256 * 1024 * 1024, bodyBytes: 64 * 1024 * 1024, bodyIdleSeconds: 10 }, edge.clock),
    heldMemory: createHeldMemory(256 * 1024 * 1024),
    forwarded: createForwardedRules([], origin),
    brand: NO_BRAND,
    seal: createSessionSeal(randomBytes(32)),
    observe: (record) => records.push(record),
    openRequests: createOpenRequests(),
    messageStreams: new Map(),
    tracing: undefined,
    audit: undefined,
    clock: systemClock,
    isDraining: () => false,
    ...edge,
    endpoints: new Map<string, Endpoint>([
      ...routes.map((route) => [route.path, { kind: 'guarded', route }] as const),
      ...(edge.endpoints ?? []),
    ]),
  }
  server.on('request', createPipeline(settled))
  return {
    origin,
    records,
    upstream: pick(kinds[0] as EndpointKind),
    edge: settled,
    close: async () => {
      server.closeAllConnections()
      await Promise.all([...new Set(kinds.map(pick))].map((upstream) => upstream.close(500)))
      await closeServer(server)
    },
  }
}

function createRoute(kind: EndpointKind, origin: string, upstream: Upstream): Route {
  return {
    path: paths[kind],
    kind,
    server: 'test',
    resource: {
      identifier: `${origin}${paths[kind]}`,
      metadataUrl: `${origin}/.well-known/oauth-protected-resource${paths[kind]}`,
      metadataPath: `/.well-known/oauth-protected-resource${paths[kind]}`,
      authorizationServers: ['https://idp.example.com'],
      scopesSupported: [],
      bearerMethods: ['header'],
      name: 'test',
    },
    challengeScopes: [],
    comparedScopes: new Set(),
    legacyClients: 'enforce',
    credential: { kind: 'none' },
    messagesPath: paths.messages,
    upstreamUrl: 'http://stdio.invalid/sse',
    verifier: gateVerifier,
    policy: openPolicy,
    rateLimits: undefined,
    upstream,
  }
}

/** Opens a gate before a stdio server. */
export async function openStdioGate(
  plan: Partial<StdioUpstreamPlan> & Pick<StdioUpstreamPlan, 'command'>,
  heldBytes = 256 * 1024 * 1024,
): Promise<StdioGate> {
  const stderr: string[] = []
  const events: string[] = []
  const listeners = new Set<() => void>()
  const upstream = createStdioUpstream(
    {
      kind: 'stdio',
      workDir: undefined,
      env: {},
      secrets: [],
      processPer: 'session',
      maxProcesses: 20,
      idleSeconds: 600,
      startSeconds: 60,
      requestSeconds: 600,
      maxMessageBytes: 16 * 1024 * 1024,
      ...plan,
    },
    {
      name: 'test',
      memory: createHeldMemory(heldBytes),
      seal: createSessionSeal(randomBytes(32)),
      onStderr: (line) => {
        stderr.push(line)
        for (const listener of listeners) listener()
      },
      onEvent: (event) => events.push(event),
    },
  )
  const gate = await openGate(upstream)
  const waitForStderr = (part: string): Promise<string> =>
    new Promise((resolve) => {
      const look = (): void => {
        const line = stderr.find((candidate) => candidate.includes(part))
        if (line === undefined) return
        listeners.delete(look)
        resolve(line)
      }
      listeners.add(look)
      look()
    })
  return { ...gate, stderr, events, waitForStderr }
}

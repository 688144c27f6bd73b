import { isDeepStrictEqual } from 'node:util'
import { NO_BRAND } from '../core/brand.ts'
import type { Plan } from '../core/plan/plan.ts'
import { createForwardedRules } from '../http/forwarded.ts'
import { createOriginRules } from '../http/origins.ts'
import type { Edge } from '../pipeline/edge.ts'
import { createEndpoints, type Endpoints, type ReadinessScope } from '../pipeline/endpoints.ts'
import { createPipeline } from '../pipeline/pipeline.ts'
import type { createRewrite, Rewrite } from '../rewrite/rewrite.ts'
import { type Foundation, isProcessReady, type Served } from './foundation.ts'
import { type MountedBroker, mountBroker } from './mount-broker.ts'
import { type MountedIdentity, mountIdentity } from './mount-identity.ts'
import { type MountedLogout, mountLogout } from './mount-logout.ts'
import { createServer, type GuardedServer } from './servers.ts'

/** What one plan makes: servers with their routes, policies and upstreams, the broker, and the pipeline over them. */
export interface Generation extends Served {
  readonly servers: readonly GuardedServer[]
  readonly mounted: MountedBroker | undefined
  readonly rewrite: MountedRewrite | undefined
  readonly logout: MountedLogout
  close(): Promise<void>
}

/** @param before - the one in force, of which what did not change is taken over */
export async function createGeneration(plan: Plan, foundation: Foundation, before?: Generation): Promise<Generation> {
  const mounted = await mountBroker(plan, foundation, before?.mounted)
  try {
    const rewrite = await mountRewrite(plan, before?.rewrite)
    const identity = await mountIdentity(plan, foundation)
    const context = { plan, broker: mounted?.broker, identity, foundation }
    const servers = plan.servers.map((server) => createServer(server, context, findServer(before, server.name)))
    const logout = mountLogout(plan, mounted?.broker, foundation)
    const edge = createEdge(plan, foundation, listEndpoints(servers, { mounted, rewrite, logout, identity, foundation }))
    const close = () =>
      closeParts(servers, [...servers.map(({ delegation }) => delegation), rewrite?.rewrite, mounted?.broker, logout])
    const upstreams = new Map(servers.map((server) => [server.plan.name, server.upstreams.list()]))
    const served = {
      plan,
      broker: mounted?.broker,
      edge,
      handle: createPipeline(edge),
      upstreams,
      loadedAt: foundation.clock.wall(),
    }
    return { ...served, servers, mounted, rewrite, logout, close }
  } catch (error) {
    if (mounted !== before?.mounted) await mounted?.broker.close()
    throw error
  }
}

/** Upstreams first: their last answers may need the others. */
async function closeParts(servers: readonly GuardedServer[], others: readonly ({ close(): Promise<void> } | undefined)[]) {
  await Promise.all(servers.flatMap(({ upstreams }) => upstreams.list().map((upstream) => upstream.close(1000))))
  for (const part of others) await part?.close()
}

function findServer(generation: Generation | undefined, wanted: string): GuardedServer | undefined {
  return generation?.servers.find(({ plan: { name } }) => name === wanted)
}

/** Passes requests of the OAuth flow on, where a configuration of the Go proxy needs it. */
export interface MountedRewrite {
  readonly rewrite: Rewrite
  readonly madeFrom: Parameters<typeof createRewrite>
}

async function mountRewrite(plan: Plan, before: MountedRewrite | undefined): Promise<MountedRewrite | undefined> {
  if (plan.rewrite === undefined) return undefined
  const paths = plan.servers.flatMap(({ endpoints }) => endpoints.map(({ path }) => path))
  const madeFrom: MountedRewrite['madeFrom'] = [plan.rewrite, paths]
  if (isDeepStrictEqual(before?.madeFrom, madeFrom)) return before
  const { createRewrite } = await import('../rewrite/rewrite.ts')
  return { rewrite: createRewrite(...madeFrom), madeFrom }
}

interface EndpointParts {
  readonly mounted: MountedBroker | undefined
  readonly rewrite: MountedRewrite | undefined
  readonly logout: MountedLogout
  readonly identity: MountedIdentity
  readonly foundation: Foundation
}

function listEndpoints(
  servers: readonly GuardedServer[],
  { mounted, rewrite, logout, identity, foundation }: EndpointParts,
): Endpoints {
  const isReady = (scope: ReadinessScope): boolean =>
    isProcessReady(foundation) && (scope === 'process' || mounted?.broker.isReady() === true)
  return createEndpoints({
    routes: servers.flatMap(({ routes }) => routes),
    handlers: [
      ...(mounted?.broker.handlers ?? []),
      ...(rewrite?.rewrite.handlers ?? []),
      ...logout.handlers,
      ...identity.handlers,
    ],
    isReady,
  })
}

function createEdge(plan: Plan, foundation: Foundation, endpoints: Endpoints): Edge {
  const { clock, bodyRoom, heldMemory, seal, observe, audit, tracing, openRequests, messageStreams, shutdown, inForce } =
    foundation
  const edge: Edge = {
    current: () => inForce.served?.edge ?? edge,
    clock,
    bodyRoom,
    heldMemory,
    seal,
    observe,
    audit,
    openRequests,
    tracing,
    messageStreams,
    endpoints,
    isDraining: () => shutdown.isDraining,
    hosts: plan.allowedHosts === '*' ? undefined : new Set(plan.allowedHosts),
    origins: createOriginRules(plan.cors, plan.publicUrl),
    cors: plan.cors,
    limits: plan.limits,
    forwarded: createForwardedRules(plan.trustedProxies, plan.publicUrl),
    brand: plan.broker?.brand ?? NO_BRAND,
  }
  return edge
}

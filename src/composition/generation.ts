import { NO_BRAND } from '../core/brand.ts'
import type { Plan } from '../core/plan/plan.ts'
import type { RewritePlan } from '../core/plan/rewrite-plan.ts'
import type { ServerPlan } from '../core/plan/server-plan.ts'
import { createForwardedRules } from '../http/forwarded.ts'
import type { RequestHandler } from '../http/listener.ts'
import { createOriginRules } from '../http/origins.ts'
import type { Edge } from '../pipeline/edge.ts'
import { createEndpoints, type Endpoints, type ReadinessScope } from '../pipeline/endpoints.ts'
import { createPipeline } from '../pipeline/pipeline.ts'
import type { Rewrite } from '../rewrite/rewrite.ts'
import { type Foundation, isProcessReady } from './foundation.ts'
import { createServer, type GuardedServer } from './servers.ts'

/** What one plan makes: servers with their routes, policies and upstreams, and the pipeline over them. */
export interface Generation {
  readonly plan: Plan
  readonly edge: Edge
  readonly handle: RequestHandler
  close(): Promise<void>
}

export async function createGeneration(plan: Plan, foundation: Foundation): Promise<Generation> {
  const servers = plan.servers.map((server) => createServer(plan, server, foundation))
  const rewrite = plan.rewrite && (await mountRewrite(plan.rewrite, plan.servers))
  const edge = createEdge(plan, foundation, listEndpoints(servers, rewrite, foundation))
  return {
    plan,
    edge,
    handle: createPipeline(edge),
    async close() {
      // Upstreams first: their last answers may need the others.
      await Promise.all(servers.flatMap(({ upstreams }) => upstreams.map((upstream) => upstream.close(1000))))
      await rewrite?.close()
    },
  }
}

/** Passes requests of the OAuth flow on, where a configuration of the Go proxy needs it. */
async function mountRewrite(plan: RewritePlan, servers: readonly ServerPlan[]): Promise<Rewrite> {
  const { createRewrite } = await import('../rewrite/rewrite.ts')
  return createRewrite(
    plan,
    servers.flatMap(({ endpoints }) => endpoints.map(({ path }) => path)),
  )
}

function listEndpoints(servers: readonly GuardedServer[], rewrite: Rewrite | undefined, foundation: Foundation): Endpoints {
  const { mounted } = foundation
  const isReady = (scope: ReadinessScope): boolean =>
    isProcessReady(foundation) && (scope === 'process' || mounted?.broker.isReady() === true)
  return createEndpoints({
    routes: servers.flatMap(({ routes }) => routes),
    handlers: [...(mounted?.broker.handlers ?? []), ...(rewrite?.handlers ?? [])],
    isReady,
  })
}

function createEdge(plan: Plan, foundation: Foundation, endpoints: Endpoints): Edge {
  const { clock, bodyRoom, heldMemory, seal, observe, audit, tracing, openRequests, messageStreams, ending } = foundation
  const edge: Edge = {
    current: () => edge,
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
    isDraining: () => ending.isDraining,
    hosts: plan.allowedHosts === '*' ? undefined : new Set(plan.allowedHosts),
    origins: createOriginRules(plan.cors, plan.publicUrl),
    cors: plan.cors,
    limits: plan.limits,
    forwarded: createForwardedRules(plan.trustedProxies, plan.publicUrl),
    brand: plan.broker?.brand ?? NO_BRAND,
  }
  return edge
}

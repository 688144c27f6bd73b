import type { Broker } from '../broker/broker.ts'
import type { Plan } from '../core/plan/plan.ts'
import type { ServerPlan } from '../core/plan/server-plan.ts'
import type { TokenVerifier, Upstream } from '../core/ports.ts'
import type { Route } from '../core/route.ts'
import type { ProtectedResource } from '../core/route-facts.ts'
import type { UpstreamCredential } from '../core/upstream-credential.ts'
import { formatMetadataPath } from '../oauth/protected-resource.ts'
import { createTokenVerifier } from '../oauth/token-verifier.ts'
import { createPolicy } from '../policy/policy.ts'
import { createDenyVerifier } from '../revocation/deny-verifier.ts'
import type { Foundation } from './foundation.ts'
import { createUpstreams } from './upstreams.ts'

/** An MCP server behind its routes. */
export interface GuardedServer {
  readonly routes: readonly Route[]
  readonly upstreams: readonly Upstream[]
}

/** Where a stdio server's own endpoints would be: what its `endpoint` event names is resolved against it, and goes nowhere else. */
const STDIO_URL = 'http://stdio.invalid/'

export function createServer(plan: Plan, server: ServerPlan, foundation: Foundation): GuardedServer {
  const verifier = createVerifier(server, foundation)
  const policy = createPolicy(server.policy)
  const rateLimits = foundation.rateLimiter.limit(server.name, server.rateLimits)
  const sse = server.endpoints.find(({ kind }) => kind === 'sse')
  const messages = server.endpoints.find(({ kind }) => kind === 'messages')
  const upstreams = createUpstreams(server.name, foundation)
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
      credential: createCredential(server, foundation.mounted?.broker),
      messagesPath: messages?.path,
      upstreamUrl: endpoint.upstream.kind === 'http' ? endpoint.upstream.url : STDIO_URL,
      verifier,
      policy,
      rateLimits,
      upstream: upstreams.find(endpoint.upstream),
    }),
  )
  return { routes, upstreams: upstreams.list() }
}

function createVerifier(server: ServerPlan, { issuers: pool, mounted, denied, meters }: Foundation): TokenVerifier {
  const signatures = createTokenVerifier({
    issuers: server.issuers,
    audiences: server.audiences,
    leastAssurance: server.legacyClients === 'signature_only' ? 'signature_only' : 'audience',
    pool,
  })
  const guarded = createDenyVerifier(mounted?.broker.guard(signatures) ?? signatures, denied)
  return meters?.measureVerifier(guarded, server.name) ?? guarded
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

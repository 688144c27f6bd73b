import { isDeepStrictEqual } from 'node:util'
import { createKeyVerifier } from '../access-keys/key-verifier.ts'
import type { Broker } from '../broker/broker.ts'
import type { IssuerPlan } from '../core/plan/issuer-plan.ts'
import type { Plan } from '../core/plan/plan.ts'
import type { ServerPlan } from '../core/plan/server-plan.ts'
import type { TokenVerifier } from '../core/ports.ts'
import type { RateLimits } from '../core/rate-limits.ts'
import type { Route } from '../core/route.ts'
import type { ProtectedResource } from '../core/route-facts.ts'
import type { UpstreamCredential } from '../core/upstream-credential.ts'
import type { Delegation } from '../delegation/delegation.ts'
import { createOwnIssuer } from '../oauth/issuer.ts'
import { formatMetadataPath } from '../oauth/protected-resource.ts'
import { createTokenVerifier } from '../oauth/token-verifier.ts'
import { createPolicy, type Policy } from '../policy/policy.ts'
import { createDenyVerifier } from '../revocation/deny-verifier.ts'
import { findDelegation } from './delegations.ts'
import type { Foundation } from './foundation.ts'
import { withoutForeignKeys } from './keys-of-issuers.ts'
import type { MountedIdentity } from './mount-identity.ts'
import { createUpstreams, type ServerUpstreams } from './upstreams.ts'

/** An MCP server behind its routes. */
export interface GuardedServer {
  readonly plan: ServerPlan
  readonly broker: Broker | undefined
  readonly routes: readonly Route[]
  readonly verifier: TokenVerifier
  readonly policy: Policy
  readonly rateLimits: RateLimits | undefined
  readonly upstreams: ServerUpstreams
  /** Gets tokens for the MCP server; undefined where it gets none of another authorization server. */
  readonly delegation: Delegation | undefined
}

/** What all servers of a plan have together. */
export interface ServerContext {
  readonly plan: Plan
  readonly broker: Broker | undefined
  readonly identity: MountedIdentity
  readonly foundation: Foundation
}

/** Where a stdio server's own endpoints would be: what its `endpoint` event names is resolved against it, and goes nowhere else. */
const STDIO_URL = 'http://stdio.invalid/'

/** @param before - the server of this name, of which what did not change is taken over: verified tokens, decisions, upstreams */
export function createServer(server: ServerPlan, context: ServerContext, before: GuardedServer | undefined): GuardedServer {
  const { plan, broker, identity, foundation } = context
  const isSameVerifier =
    before?.broker === broker && isDeepStrictEqual(before && selectVerified(before.plan), selectVerified(server))
  const verifier = before && isSameVerifier ? before.verifier : createVerifier(server, context)
  const policy = before && isDeepStrictEqual(before.plan.policy, server.policy) ? before.policy : createPolicy(server.policy)
  const upstreams = createUpstreams(server.name, foundation, before?.upstreams)
  const rateLimits = isDeepStrictEqual(before?.plan.rateLimits, server.rateLimits)
    ? before?.rateLimits
    : foundation.rateLimiter.limit(server.name, server.rateLimits)
  const delegation = findDelegation(server, context, before)
  const sse = server.endpoints.find(({ kind }) => kind === 'sse')
  const messages = server.endpoints.find(({ kind }) => kind === 'messages')
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
      credential: createCredential(server, broker, delegation),
      messagesPath: messages?.path,
      upstreamUrl: endpoint.upstream.kind === 'http' ? endpoint.upstream.url : STDIO_URL,
      verifier,
      policy,
      rateLimits,
      upstream: upstreams.find(endpoint.upstream),
      identity: identity.find(server, endpoint.upstream),
    }),
  )
  return { plan: server, broker, routes, verifier, policy, rateLimits, upstreams, delegation }
}

/** What decides whether a token is accepted. */
function selectVerified({ issuers, audiences, legacyClients }: ServerPlan) {
  return { issuers, audiences, leastAssurance: legacyClients === 'signature_only' ? legacyClients : ('audience' as const) }
}

function createVerifier(server: ServerPlan, { plan, broker, foundation }: ServerContext): TokenVerifier {
  const { issuers, denied, accessKeys, clock, meters, inForce } = foundation
  const find = (issuer: IssuerPlan) =>
    broker && issuer.issuer === plan.broker?.issuer ? createOwnIssuer(issuer, broker.keys) : issuers.find(issuer)
  const signatures = createTokenVerifier({ ...selectVerified(server), pool: { ...issuers, find } })
  const { lastUse } = accessKeys
  const ring = withoutForeignKeys(accessKeys.ring, () => inForce.served?.plan ?? plan)
  const tokens = broker?.guard(signatures) ?? signatures
  const credentials = createKeyVerifier(tokens, { ring, clock, server: server.name, onUse: lastUse.note })
  const guarded = createDenyVerifier(credentials, denied)
  return meters?.measureVerifier(guarded, server.name) ?? guarded
}

/** @throws Error where the identity provider is to give a token, and there is none */
function createCredential(
  { name, credential }: ServerPlan,
  broker: Broker | undefined,
  delegation: Delegation | undefined,
): UpstreamCredential {
  switch (credential.kind) {
    case 'none':
    case 'access_token':
      return credential
    case 'identity_provider':
      if (broker === undefined)
        throw new Error(`The MCP server "${name}" gets a token of the identity provider, and there is none.`)
      return { kind: 'identity_provider', find: broker.credentials.findAccessToken }
    case 'own_account': {
      const found = broker?.findAccountCredential(name)
      if (found === undefined) throw new Error(`The MCP server "${name}" has accounts of users, and nothing connects them.`)
      return found
    }
    case 'delegated':
      if (delegation === undefined) throw new Error(`The MCP server "${name}" gets a token, and nothing fetches it.`)
      return { kind: 'delegated', isShared: delegation.isShared, find: delegation.find, forget: delegation.forget }
  }
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

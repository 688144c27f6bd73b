import type { BearerMethod, EndpointKind, LegacyClients } from '../route-facts.ts'
import type { UpstreamCredentialPlan } from '../upstream-credential.ts'
import type { IdentityPlan } from './identity-plan.ts'
import type { IssuerPlan } from './issuer-plan.ts'
import type { PolicyPlan } from './policy-plan.ts'
import type { RateLimitPlan } from './rate-limit-plan.ts'
import type { UpstreamPlan } from './upstream-plan.ts'

export interface ServerPlan {
  readonly name: string
  readonly endpoints: readonly EndpointPlan[]
  readonly issuers: readonly IssuerPlan[]
  /** Accepted audiences: the resource identifiers of this server and what the configuration adds. */
  readonly audiences: readonly string[]
  readonly policy: PolicyPlan
  readonly rateLimits: readonly RateLimitPlan[]
  /** What protected resource metadata publishes; flat. */
  readonly scopesSupported: readonly string[]
  /** What the challenge of a 401 asks for: clients look there first. The base scopes, and `scopes_supported` where it is configured. */
  readonly challengeScopes: readonly string[]
  readonly bearerMethods: readonly BearerMethod[]
  readonly legacyClients: LegacyClients
  readonly credential: UpstreamCredentialPlan
  /** How the upstream is told who calls; undefined for not at all. */
  readonly identity?: IdentityPlan | undefined
}

export interface EndpointPlan {
  readonly kind: EndpointKind
  /** Public path, whole and exact, begins with a slash. */
  readonly path: string
  /** Resource identifier of the endpoint. */
  readonly resource: string
  /** The same object for all endpoints that one process serves. */
  readonly upstream: UpstreamPlan
}

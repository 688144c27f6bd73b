import type { Call } from './call.ts'
import type { CallerIdentity } from './caller-identity.ts'
import type { PolicyEngine } from './decision.ts'
import type { TokenVerifier, Upstream } from './ports.ts'
import type { RateLimits } from './rate-limits.ts'
import type { RouteFacts } from './route-facts.ts'

/** One public path that we guard: protected resource, upstream and policy. */
export interface Route extends RouteFacts {
  readonly verifier: TokenVerifier
  readonly policy: PolicyEngine
  /** Undefined where nothing is limited. */
  readonly rateLimits: RateLimits | undefined
  readonly upstream: Upstream
  /** Undefined where the upstream is not told who calls. */
  readonly identity?: CallerIdentity | undefined
}

/** A call with all that serves it. */
export interface RoutedCall extends Call {
  readonly route: Route
}

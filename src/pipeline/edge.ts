import type { EndpointHandler } from '../core/endpoint-request.ts'
import type { CorsPlan, LimitsPlan } from '../core/plan/plan.ts'
import type { RequestObserver } from '../core/record.ts'
import type { Route } from '../core/route.ts'
import type { BodyRoom } from '../http/body-room.ts'
import type { OriginRules } from '../http/cors.ts'
import type { ForwardedRules } from '../http/forwarded.ts'
import type { SessionSeal } from '../mcp/session-seal.ts'

/** What answers on a public path. */
export type Endpoint =
  | { readonly kind: 'guarded'; readonly route: Route }
  /** Protected resource metadata: a JSON document, open to everyone. */
  | { readonly kind: 'metadata'; readonly document: Buffer }
  /** A part of our own that answers for itself; its requests have passed the check of `Host`. */
  | { readonly kind: 'handled'; readonly handle: EndpointHandler }
  /** For whoever watches over the process. */
  | { readonly kind: 'health'; readonly isHealthy: () => boolean }

/** Everything the pipeline works with, settled at the start. */
export interface Edge {
  /** By exact path; a final `/{id}` stands for one segment of letters, digits, `-` and `_`. */
  readonly endpoints: ReadonlyMap<string, Endpoint>
  /** Accepted `Host` values, lower case; undefined for any. */
  readonly hosts: ReadonlySet<string> | undefined
  readonly origins: OriginRules
  readonly cors: CorsPlan
  readonly limits: LimitsPlan
  /** Of all requests together. */
  readonly bodyRoom: BodyRoom
  readonly forwarded: ForwardedRules
  readonly seal: SessionSeal
  readonly observe: RequestObserver
  /** Ends of the streams that last until somebody ends them: called when the process shuts down. */
  readonly streamEnds: Set<() => void>
  /** True from SIGTERM on: what runs may finish, nothing begins. */
  readonly isDraining: () => boolean
}

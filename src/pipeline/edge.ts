import type { Audit } from '../core/audit.ts'
import type { BrandPlan } from '../core/brand.ts'
import type { Clock } from '../core/clock.ts'
import type { HeldMemory } from '../core/held-memory.ts'
import type { OpenRequests } from '../core/open-requests.ts'
import type { CorsPlan, LimitsPlan } from '../core/plan/plan.ts'
import type { RequestObserver } from '../core/record.ts'
import type { Tracing } from '../core/tracing.ts'
import type { BodyRoom } from '../http/body-room.ts'
import type { ForwardedRules } from '../http/forwarded.ts'
import type { OriginRules } from '../http/origins.ts'
import type { SessionSeal } from '../mcp/session-seal.ts'
import type { Endpoints } from './endpoints.ts'

/** Everything the pipeline works with, as one configuration settles it. */
export interface Edge {
  /** What is in force now: this, or what has replaced it. */
  readonly current: () => Edge
  readonly clock: Clock
  readonly endpoints: Endpoints
  /** Accepted `Host` values, lower case; undefined for any. */
  readonly hosts: ReadonlySet<string> | undefined
  readonly origins: OriginRules
  readonly cors: CorsPlan
  readonly limits: LimitsPlan
  /** Of all requests together. */
  readonly bodyRoom: BodyRoom
  /** For answers that are held until they can be filtered. */
  readonly heldMemory: HeldMemory
  readonly forwarded: ForwardedRules
  /** Of the pages that a browser sees. */
  readonly brand: BrandPlan
  readonly seal: SessionSeal
  readonly observe: RequestObserver
  /** Of all requests of the process. */
  readonly openRequests: OpenRequests
  /** Undefined where the environment asks for no traces. */
  readonly tracing: Tracing | undefined
  /** Undefined without an audit log. */
  readonly audit: Audit | undefined
  /**
   * Event streams of HTTP+SSE, by the sealed message endpoint that each has named to its client. Sends an event there; false when the client
   * does not read.
   */
  readonly messageStreams: Map<string, (event: string) => boolean>
  /** True from SIGTERM on: what runs may finish, nothing begins. */
  readonly isDraining: () => boolean
}

import { randomBytes } from 'node:crypto'
import type { DestinationStream } from 'pino'
import type { AuditLog } from '../audit/audit-log.ts'
import type { Broker } from '../broker/broker.ts'
import { type Clock, systemClock } from '../core/clock.ts'
import type { DenyList } from '../core/deny-list.ts'
import { describeError } from '../core/describe-cause.ts'
import type { Failure } from '../core/failure.ts'
import { createHeldMemory, type HeldMemory } from '../core/held-memory.ts'
import { createOpenRequests, type OpenRequests } from '../core/open-requests.ts'
import type { Plan } from '../core/plan/plan.ts'
import type { Upstream } from '../core/ports.ts'
import { createRecentErrors, type RecentErrors } from '../core/recent-errors.ts'
import type { RequestObserver } from '../core/record.ts'
import type { OnEvent } from '../core/security-event.ts'
import type { Store } from '../core/store.ts'
import type { Tracing } from '../core/tracing.ts'
import { createBodyRoom, type MeasuredBodyRoom } from '../http/body-room.ts'
import type { RequestHandler } from '../http/listener.ts'
import { createSessionSeal, type SessionSeal } from '../mcp/session-seal.ts'
import { createMeters, type Meters } from '../metrics/meters.ts'
import { createIssuerPool, type IssuerPool } from '../oauth/issuer.ts'
import type { Edge } from '../pipeline/edge.ts'
import type { RateLimiter } from '../rate-limits/rate-limits.ts'
import { openStore } from '../store/open-store.ts'
import { createLog, type Log } from '../telemetry/log.ts'
import { createRequestLog } from '../telemetry/request-line.ts'
import { startTracing } from '../tracing/start-tracing.ts'
import { createIdentityKeys, type IdentityKeys } from './identity-keys.ts'
import { mountAudit } from './mount-audit.ts'
import { type AccessKeys, openAccessKeys } from './open-access-keys.ts'
import { openDenied } from './open-denied.ts'
import { openRateLimiter } from './open-rate-limiter.ts'

/** What lives as long as the process. What a plan makes is a generation. */
export interface Foundation {
  readonly clock: Clock
  readonly log: Log
  /** Undefined without an admin listener. */
  readonly meters: Meters | undefined
  /** Undefined where the environment asks for no traces. */
  readonly tracing: Tracing | undefined
  /** Undefined without an audit log. */
  readonly audit: AuditLog | undefined
  readonly issuers: IssuerPool
  readonly store: Store
  /** Tokens that are refused although they verify. */
  readonly denied: DenyList
  readonly accessKeys: AccessKeys
  readonly heldMemory: HeldMemory
  readonly bodyRoom: MeasuredBodyRoom
  readonly seal: SessionSeal
  /** For what the broker stores; random where none are configured, as nothing of it outlives the process then. */
  readonly encryptionKeys: readonly Buffer[]
  readonly identityKeys: IdentityKeys
  readonly observe: RequestObserver
  /** Called with what happens beside the calls of MCP servers. */
  readonly onEvent: OnEvent
  /** Called with what the operator should know; the text holds no secrets. */
  readonly onIssue: (message: string) => void
  readonly openRequests: OpenRequests
  readonly rateLimiter: RateLimiter
  readonly messageStreams: Edge['messageStreams']
  /** How far the process is on its way out. */
  readonly shutdown: Shutdown
  /** Ready is what has been ready once: an issuer that a reload adds takes no replica out of a load balancer. */
  readonly startup: { isOver: boolean }
  readonly inForce: InForce
  readonly recentErrors: RecentErrors
  readonly storeOutages: StoreOutages
  readonly startedAt: { readonly wall: number; readonly monotonic: number }
  readonly configurationFile: string | undefined
}

/** What serves requests. A reload replaces it by one assignment. */
export interface InForce {
  /** Undefined until the first generation is made. */
  served: Served | undefined
}

/** What of a generation requests meet. */
export interface Served {
  readonly plan: Plan
  readonly edge: Edge
  readonly broker: Broker | undefined
  readonly handle: RequestHandler
  /** Of each server. */
  readonly upstreams: ReadonlyMap<string, readonly Upstream[]>
  /** Milliseconds since the epoch. */
  readonly loadedAt: number
}

/** Failures of the store. */
export interface StoreOutages {
  last: Failure | undefined
}

/** Kept for the operator. */
const MAX_RECENT_ERRORS = 50

export interface Shutdown {
  /** Load balancers are told to go elsewhere, and everything is still served. */
  isLeaving: boolean
  /** What runs may finish, nothing begins. */
  isDraining: boolean
}

/** What the program that embeds the proxy may have in place of its own. */
export interface FoundationOptions {
  /** Where log lines go instead of standard output. */
  readonly logDestination?: DestinationStream
  /** Where the plan comes from, for operators. */
  readonly configurationFile?: string | undefined
  /** Called when a user signs in, a token is issued, a key rotated … Must not throw. */
  readonly onEvent?: OnEvent
}

export async function createFoundation(plan: Plan, options: FoundationOptions): Promise<Foundation> {
  const clock = systemClock
  const log = createLog(plan.log, options.logDestination)
  const onIssue = (message: string) => log.logger.warn(message)
  const audit = plan.audit && (await mountAudit(plan.audit, clock, log))
  const meters = plan.admin && createMeters(clock, plan.broker !== undefined)
  const onEvent: OnEvent = (event) => {
    meters?.onEvent(event)
    audit?.onEvent(event)
    options.onEvent?.(event)
  }
  const recentErrors = createRecentErrors(MAX_RECENT_ERRORS, clock.wall)
  const storeOutages: StoreOutages = { last: undefined }
  const onOutage = (cause: unknown): void => {
    storeOutages.last = { cause: cause instanceof Error ? describeError(cause) : String(cause), at: clock.wall() }
  }
  const opened = await openStore(plan.store, onIssue, onOutage)
  const store = meters?.measureStore(opened) ?? opened
  const openRequests = createOpenRequests()
  const encryptionKeys = plan.storeKeys.length === 0 ? [randomBytes(32)] : plan.storeKeys
  const denied = await openDenied(plan, openRequests, { store, clock, onIssue })
  const accessKeys = await openAccessKeys(plan, openRequests, { store, clock, onIssue })
  const inForce: InForce = { served: undefined }
  return {
    clock,
    log,
    meters,
    audit,
    tracing: await startTracing(process.env, (level, message) => log.logger[level](message)),
    store,
    denied,
    accessKeys,
    issuers: createIssuerPool({ onIssue }),
    heldMemory: createHeldMemory(plan.limits.heldBytes),
    bodyRoom: createBodyRoom(plan.limits, clock),
    seal: createSessionSeal(plan.sessionKey),
    encryptionKeys,
    identityKeys: createIdentityKeys({ store, encryptionKeys, clock, onIssue }),
    onEvent,
    onIssue,
    observe: createObserver({ log, inForce, meters, audit, recentErrors }),
    openRequests,
    rateLimiter: await openRateLimiter(plan, clock, onIssue),
    messageStreams: new Map(),
    shutdown: { isLeaving: false, isDraining: false },
    startup: { isOver: false },
    inForce,
    recentErrors,
    storeOutages,
    startedAt: { wall: clock.wall(), monotonic: clock.monotonic() },
    configurationFile: options.configurationFile,
  }
}

/** Whether this process can serve. What all replicas share, and may all have lost, is no part of it. */
export function isProcessReady({ shutdown, startup, issuers }: Pick<Foundation, 'shutdown' | 'startup' | 'issuers'>): boolean {
  startup.isOver ||= issuers.wereTried()
  return !shutdown.isLeaving && startup.isOver
}

/** Called for each finished request. */
function createObserver({
  log,
  inForce,
  meters,
  audit,
  recentErrors,
}: Pick<Foundation, 'log' | 'inForce' | 'meters' | 'audit' | 'recentErrors'>): RequestObserver {
  const write = createRequestLog(log)
  return (record) => {
    write(record)
    meters?.observe(record)
    audit?.observe(record)
    recentErrors.note(record)
    const { principal, missingScopes } = record
    if (principal && missingScopes) inForce.served?.broker?.noteStepUp(principal, missingScopes)
  }
}

import { listActions } from './composition/admin-actions.ts'
import { collectAtRest, createUtilization } from './composition/collect-at-rest.ts'
import { collectStatus } from './composition/collect-status.ts'
import { createFoundation, type Foundation, type FoundationOptions } from './composition/foundation.ts'
import { createGeneration, type Generation } from './composition/generation.ts'
import { openStoredKeys, type StoredKeyActions } from './composition/key-actions.ts'
import { createReloader, type Reloader } from './composition/reload.ts'
import { createRetirement, type Retirement } from './composition/retirement.ts'
import { showMeters } from './composition/show-meters.ts'
import { checkPrograms } from './composition/upstreams.ts'
import type { CancelTimer } from './core/clock.ts'
import { collectGarbage } from './core/collect-garbage.ts'
import { deferParserCompilation, freeCompilationsAtOnce } from './core/compilations.ts'
import { ProxyError } from './core/errors.ts'
import type { Plan } from './core/plan/plan.ts'
import type { ReloadReport } from './core/reload-report.ts'
import { drain, waitForLoadBalancers } from './http/drain.ts'
import { formatListenerUrl, type Listener, listen } from './http/listener.ts'

/** What operators do with access keys where the proxy does not run: on the store that its processes share. See {@link openStoredKeys}. */
export function openKeyActions(plan: Plan, onIssue: (message: string) => void): Promise<StoredKeyActions> {
  return openStoredKeys(plan, onIssue)
}

/** A proxy that serves. */
export interface RunningProxy {
  /** Base URL of the listening address, for example `http://127.0.0.1:8080`. */
  readonly url: string
  /** Base URL of the admin listener; undefined where there is none. */
  readonly adminUrl: string | undefined
  /**
   * Puts the configuration into force that {@link StartOptions.load} finds now. Running calls go on, and what did not change keeps its state;
   * streams that are no longer permitted have ended when it resolves. Changes nothing where the configuration has a mistake, or something
   * differs that needs a restart.
   */
  reload(): Promise<ReloadReport>
  /** Waits for load balancers where the configuration says so, then drains: takes nothing new, lets running requests finish within the configured time, ends streams cleanly. Rejects, when all is closed, if `audit.fail` is `refuse` and the last records could not be written. */
  close(): Promise<void>
}

export interface StartOptions extends FoundationOptions {
  /** Descriptors of sockets that listen already, in place of those that the plan would open. */
  readonly sockets?: { readonly listen?: number | undefined; readonly admin?: number | undefined }
  /** Loads the configuration anew, for a reload. Throws ConfigError. Without it, a reload finds the plan that it was started with. */
  readonly load?: () => Plan
  /** Whether the process has nothing else to do: then its garbage may be collected when it rests, and flags of V8 be set. */
  readonly ownsProcess?: boolean
}

/**
 * Starts a proxy by a plan (see `config/`).
 *
 * @throws the listening error: port in use, no such address, no permission; Error when there is no such program as a server names
 */
export async function startProxy(plan: Plan, options: StartOptions = {}): Promise<RunningProxy> {
  checkPrograms(plan.servers)
  if (options.ownsProcess === true) saveMemory()
  const foundation = await createFoundation(plan, options)
  const generation = await createGeneration(plan, foundation)
  foundation.inForce.served = generation
  const running: { reloader?: Reloader } = {}
  const reload = async (): Promise<ReloadReport> => running.reloader?.reload() ?? { outcome: 'shutting_down' }
  const admin = await showMeters(plan, foundation.meters, {
    ...foundation,
    actions: listActions(() => foundation.inForce.served?.plan ?? plan, foundation, reload),
    status: () => collectStatus(foundation, foundation.inForce.served ?? generation),
    descriptor: options.sockets?.admin,
  })
  const listener = await listenToClients(plan, generation, foundation, options.sockets?.listen).catch(
    onFailure(async () => {
      await admin?.closeNow()
      await foundation.audit?.close()
      await foundation.tracing?.close()
    }),
  )
  const retirement = createRetirement(foundation)
  const reloader = createReloader({ foundation, first: generation, listener, retirement, load: options.load ?? (() => plan) })
  running.reloader = reloader
  const stopCollecting = options.ownsProcess === true ? startCollecting(foundation) : () => undefined
  let closed: Promise<void> | undefined
  foundation.issuers.warm()
  return {
    url: formatListenerUrl(listener, plan.listen.tls !== undefined),
    adminUrl: admin && formatListenerUrl(admin, false),
    reload,
    close() {
      closed ??= close({ listener, admin, reloader, retirement, foundation, stopCollecting })
      return closed
    },
  }
}

/** Flags of V8, for as long as the process lives. */
function saveMemory(): void {
  deferParserCompilation()
  freeCompilationsAtOnce()
}

function startCollecting({ clock, openRequests }: Foundation): CancelTimer {
  return collectAtRest({
    clock,
    countEnded: () => openRequests.removed,
    countOpen: () => openRequests.size,
    measureUtilization: createUtilization(),
    collect: collectGarbage,
  })
}

interface Running {
  readonly listener: Listener
  readonly admin: Listener | undefined
  readonly reloader: Reloader
  readonly retirement: Retirement
  readonly foundation: Foundation
  readonly stopCollecting: CancelTimer
}

async function close({ listener, admin, reloader, retirement, foundation, stopCollecting }: Running): Promise<void> {
  const {
    clock,
    shutdown,
    openRequests,
    issuers,
    denied,
    accessKeys,
    identityKeys,
    rateLimiter,
    store,
    meters,
    audit,
    tracing,
    log,
  } = foundation
  shutdown.isLeaving = true
  stopCollecting()
  const { plan, close: closeGeneration } = await reloader.settle()
  await waitForLoadBalancers(listener, plan.shutdownDelaySeconds, clock)
  shutdown.isDraining = true
  const endStreams = () => openRequests.endLasting(new ProxyError('shutting_down', { retryAfter: 1 }))
  await drain(listener, plan.drainSeconds * 1000, [endStreams], clock)
  await Promise.all([closeGeneration(), retirement.close()])
  await issuers.close()
  denied.close()
  identityKeys.close()
  accessKeys.ring.close()
  await rateLimiter.close()
  await store.close()
  // Last, so that the metrics tell of the end, too.
  await admin?.closeNow()
  meters?.close()
  await audit?.close()
  await tracing?.close()
  await log.end()
  if (audit?.isBlocked() === true) throw new Error(AUDIT_INCOMPLETE)
}

const AUDIT_INCOMPLETE =
  'The audit log is incomplete: its last records could not be written, and `audit.fail` is `refuse`. The log of the process says why.'

/** Lets go of what was opened before the failure. */
function onFailure(close: () => Promise<void> | undefined): (error: unknown) => Promise<never> {
  return async (error) => {
    await close()
    throw error
  }
}

function listenToClients(
  plan: Plan,
  first: Generation,
  { clock, log, inForce }: Foundation,
  descriptor: number | undefined,
): Promise<Listener> {
  return listen({
    listen: plan.listen,
    descriptor,
    headersSeconds: plan.limits.headersSeconds,
    stalledSeconds: plan.limits.stalledClientSeconds,
    handler: (request, response) => (inForce.served ?? first).handle(request, response),
    clock,
    onUnreadable: (status, cause, peer) =>
      log.logger.info({ status, cause, peer, code: 'request_malformed', reason: 'syntax' }, 'refused before it was a request'),
  })
}

import { listActions } from './composition/admin-actions.ts'
import { createFoundation, type Foundation, type FoundationOptions } from './composition/foundation.ts'
import { createGeneration, type Generation } from './composition/generation.ts'
import { showMeters } from './composition/show-meters.ts'
import { checkPrograms } from './composition/upstreams.ts'
import { ProxyError } from './core/errors.ts'
import type { Plan } from './core/plan/plan.ts'
import { drain, waitForLoadBalancers } from './http/drain.ts'
import { formatListenerUrl, type Listener, listen, type RequestHandler } from './http/listener.ts'

/** A proxy that serves. */
export interface RunningProxy {
  /** Base URL of the listening address, for example `http://127.0.0.1:8080`. */
  readonly url: string
  /** Base URL of the admin listener; undefined where there is none. */
  readonly adminUrl: string | undefined
  /** Waits for load balancers where the configuration says so, then drains: takes nothing new, lets running requests finish within the configured time, ends streams cleanly. */
  close(): Promise<void>
}

export interface StartOptions extends FoundationOptions {
  /** Descriptors of sockets that listen already, in place of those that the plan would open. */
  readonly sockets?: { readonly listen?: number | undefined; readonly admin?: number | undefined }
}

/**
 * Starts a proxy by a plan (see `config/`).
 *
 * @throws the listening error: port in use, no such address, no permission; Error when there is no such program as a server names
 */
export async function startProxy(plan: Plan, options: StartOptions = {}): Promise<RunningProxy> {
  checkPrograms(plan.servers)
  const foundation = await createFoundation(plan, options)
  const generation = await createGeneration(plan, foundation)
  const admin = await showMeters(plan, foundation.meters, {
    ...foundation,
    actions: listActions(() => generation.plan, foundation),
    descriptor: options.sockets?.admin,
  })
  const listener = await listenToClients(plan, generation.handle, foundation, options.sockets?.listen).catch(
    onFailure(async () => {
      await admin?.closeNow()
      await foundation.audit?.close()
    }),
  )
  foundation.issuers.warm()
  return {
    url: formatListenerUrl(listener, plan.listen.tls !== undefined),
    adminUrl: admin && formatListenerUrl(admin, false),
    close: () => close(listener, admin, generation, foundation),
  }
}

async function close(
  listener: Listener,
  admin: Listener | undefined,
  { plan, close }: Generation,
  { clock, ending, openRequests, issuers, mounted, denied, store, meters, audit, tracing, log }: Foundation,
): Promise<void> {
  ending.isLeaving = true
  await waitForLoadBalancers(listener, plan.shutdownDelaySeconds, clock)
  ending.isDraining = true
  const endStreams = () => openRequests.endLasting(new ProxyError('shutting_down', { retryAfter: 1 }))
  await drain(listener, plan.drainSeconds * 1000, [endStreams], clock)
  await close()
  await issuers.close()
  await mounted?.close()
  denied.close()
  await store.close()
  // Last, so that the metrics tell of the end, too.
  await admin?.closeNow()
  meters?.close()
  await audit?.close()
  await tracing?.close()
  await log.end()
}

/** Lets go of what was opened before the failure. */
function onFailure(close: () => Promise<void> | undefined): (error: unknown) => Promise<never> {
  return async (error) => {
    await close()
    throw error
  }
}

function listenToClients(
  plan: Plan,
  handler: RequestHandler,
  { clock, log }: Foundation,
  descriptor: number | undefined,
): Promise<Listener> {
  return listen({
    listen: plan.listen,
    descriptor,
    headersSeconds: plan.limits.headersSeconds,
    stalledSeconds: plan.limits.stalledClientSeconds,
    handler,
    clock,
    onUnreadable: (status, cause, peer) =>
      log.logger.info({ status, cause, peer, code: 'request_malformed', reason: 'syntax' }, 'refused before it was a request'),
  })
}

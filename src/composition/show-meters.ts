import type { AdminActions } from '../admin/admin-action.ts'
import { startAdmin } from '../admin/admin-listener.ts'
import { formatStatus } from '../admin/status-page.ts'
import type { AuditLog } from '../audit/audit-log.ts'
import type { Clock } from '../core/clock.ts'
import type { Plan } from '../core/plan/plan.ts'
import type { ProxyStatus } from '../core/proxy-status.ts'
import type { MeasuredBodyRoom } from '../http/body-room.ts'
import type { Listener } from '../http/listener.ts'
import type { Meters } from '../metrics/meters.ts'
import type { IssuerPool } from '../oauth/issuer.ts'
import type { Log } from '../telemetry/log.ts'
import { describeAction, describeActionLine } from './admin-actions.ts'
import { type Foundation, isProcessReady } from './foundation.ts'

interface MeasuredParts extends Pick<Foundation, 'shutdown' | 'startup' | 'onEvent' | 'tracing' | 'denied'> {
  readonly clock: Clock
  readonly log: Log
  readonly audit: AuditLog | undefined
  readonly issuers: IssuerPool
  readonly bodyRoom: MeasuredBodyRoom
  readonly actions: AdminActions
  readonly status: () => ProxyStatus
  /** Of a socket that listens already. */
  readonly descriptor: number | undefined
}

/**
 * Listens for operators and their monitoring, where the plan says so.
 *
 * @throws Error that names the admin listener, when it cannot listen
 */
export async function showMeters(plan: Plan, meters: Meters | undefined, parts: MeasuredParts): Promise<Listener | undefined> {
  const { clock, log, audit, issuers, bodyRoom, actions, onEvent, tracing, descriptor, status } = parts
  if (plan.admin === undefined || meters === undefined) return undefined
  const sources = {
    isReady: () => isProcessReady(parts),
    issuers: issuers.list,
    bodyRoom: bodyRoom.usage,
    lostLogBytes: log.lostBytes,
    lostAuditRecords: audit?.lost,
    denials: parts.denied.list,
  }
  return startAdmin({
    plan: plan.admin,
    pages: new Map([
      ['/metrics', (accept) => meters.format(sources, accept)],
      ['/status', (accept) => formatStatus(status(), accept)],
    ]),
    actions,
    reusePort: plan.listen.reusePort,
    descriptor,
    headersSeconds: plan.limits.headersSeconds,
    stalledSeconds: plan.limits.stalledClientSeconds,
    clock,
    openTrace: tracing && ((rawHeaders) => tracing.open(rawHeaders)),
    onRefused: ({ requestId, ...refusal }) =>
      log.logger.warn({ request_id: requestId, ...refusal }, 'refused at the admin listener'),
    onAction(report) {
      log.logger.info(describeActionLine(report), 'an operator asked for an action')
      onEvent(describeAction(report))
    },
  })
}

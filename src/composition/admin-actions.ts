import { createEndAction, createRevokeAction, createUnblockAction } from '../admin/actions/deny-actions.ts'
import type { KnownIssuer } from '../admin/actions/known-issuers.ts'
import {
  createClientListAction,
  createSessionListAction,
  createUserListAction,
  createUserShowAction,
} from '../admin/actions/list-actions.ts'
import type { ActionReport, AdminActions } from '../admin/admin-action.ts'
import type { Denial } from '../core/deny-list.ts'
import type { IssuerPlan } from '../core/plan/issuer-plan.ts'
import type { Plan } from '../core/plan/plan.ts'
import type { SecurityEvent } from '../core/security-event.ts'
import type { Foundation } from './foundation.ts'

/** @param findPlan - the plan of now, which a reload may change */
export function listActions(findPlan: () => Plan, { denied, inForce, clock, onEvent }: Foundation): AdminActions {
  const options = {
    denied,
    findRegister: () => inForce.served?.broker?.register,
    clock,
    isShared: findPlan().store.kind !== 'memory',
    listIssuers: () => listKnownIssuers(findPlan()),
    onDenied: (denial: Denial) => onEvent(describeDenial(denial)),
  }
  return new Map([
    ['/users/list', createUserListAction(options)],
    ['/users/show', createUserShowAction(options)],
    ['/clients/list', createClientListAction(options)],
    ['/sessions/list', createSessionListAction(options)],
    ['/users/revoke', createRevokeAction('user', options)],
    ['/users/unblock', createUnblockAction('user', options)],
    ['/clients/revoke', createRevokeAction('client', options)],
    ['/clients/unblock', createUnblockAction('client', options)],
    ['/sessions/end', createEndAction(options)],
  ])
}

/** Of all servers, each once. */
function listKnownIssuers({ servers, broker }: Plan): readonly KnownIssuer[] {
  const plans = new Map(servers.flatMap(({ issuers }) => issuers).map((plan) => [plan.issuer, plan]))
  return [...plans.values()].map((plan) => {
    const isOwn = plan.issuer === broker?.issuer
    // Users of the broker are known by their identity provider, too, unless a server accepts its own tokens as well.
    const aliases = isOwn && !plans.has(broker.identityProvider.issuer) ? [broker.identityProvider.issuer] : []
    return { issuer: plan.issuer, aliases, longestSeconds: isOwn ? broker.accessTokenSeconds + 60 : findLongest(plan) }
  })
}

function findLongest({ maxLifetimeSeconds, clockToleranceSeconds }: IssuerPlan): number | undefined {
  return maxLifetimeSeconds === undefined ? undefined : maxLifetimeSeconds + 2 * clockToleranceSeconds
}

export function describeDenial({ kind, issuer, value }: Denial): SecurityEvent {
  const named = { user: { subject: value }, client: { clientId: value }, token: { tokenId: value }, session: {} }[kind]
  return { kind: 'token_revoked', outcome: 'success', issuer, detail: `the deny list has its ${kind}`, ...named }
}

/** An action of an operator, for the audit. */
export function describeAction({ requestId, action, parameters, address, code }: ActionReport): SecurityEvent {
  return { kind: 'admin_action', outcome: code ?? 'success', requestId, action, parameters, address }
}

/** The same for the log, whose fields have the names of a request's line. */
export function describeActionLine({ requestId, trace, ...report }: ActionReport): object {
  return { request_id: requestId, ...(trace && { trace_id: trace.traceId, span_id: trace.spanId }), ...report }
}

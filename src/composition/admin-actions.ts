import { createEndAction, createRevokeAction, createUnblockAction } from '../admin/actions/deny-actions.ts'
import {
  createClientListAction,
  createSessionListAction,
  createUserListAction,
  createUserShowAction,
} from '../admin/actions/list-actions.ts'
import { createReloadAction } from '../admin/actions/reload-action.ts'
import type { ActionReport, AdminActions } from '../admin/admin-action.ts'
import type { AccessKey } from '../core/access-key.ts'
import type { AccessKeyRegister } from '../core/access-key-register.ts'
import type { Denial } from '../core/deny-list.ts'
import type { Plan } from '../core/plan/plan.ts'
import type { ReloadReport } from '../core/reload-report.ts'
import type { SecurityEvent } from '../core/security-event.ts'
import type { Foundation } from './foundation.ts'
import { listKeyActions } from './key-actions.ts'
import { listKnownIssuers } from './known-issuers.ts'

/** @param findPlan - the plan of now, which a reload may change */
export function listActions(
  findPlan: () => Plan,
  { denied, accessKeys: { register }, inForce, clock, onEvent, configurationFile }: Foundation,
  reload: () => Promise<ReloadReport>,
): AdminActions {
  const options = {
    denied,
    findRegister: () => inForce.served?.broker?.register,
    clock,
    isShared: findPlan().store.kind !== 'memory',
    listIssuers: () => listKnownIssuers(findPlan()),
    endKeys: (isMeant: (key: AccessKey) => boolean) => endKeys(register, isMeant),
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
    ...listKeyActions(findPlan, register, clock),
    ['/reload', createReloadAction({ configurationFile, reload })],
  ])
}

async function endKeys(register: AccessKeyRegister, isMeant: (key: AccessKey) => boolean): Promise<readonly string[]> {
  const ended = await register.revoke(isMeant)
  return ended.map(({ key }) => key.name)
}

export function describeDenial({ kind, issuer, value }: Denial): SecurityEvent {
  const named = { user: { subject: value }, client: { clientId: value }, token: { tokenId: value }, session: {} }[kind]
  return { kind: 'token_revoked', outcome: 'success', issuer, detail: `the deny list has its ${kind}`, ...named }
}

/** An action of an operator, for the audit. */
export function describeAction({ requestId, action, parameters, address, outcome }: ActionReport): SecurityEvent {
  return { kind: 'admin_action', outcome, requestId, action, parameters, address }
}

/** The same for the log, whose fields have the names of a request's line. */
export function describeActionLine({ requestId, trace, ...report }: ActionReport): object {
  return { request_id: requestId, ...(trace && { trace_id: trace.traceId, span_id: trace.spanId }), ...report }
}

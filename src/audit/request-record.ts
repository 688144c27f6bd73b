import type { AuditedOperation } from '../core/audit.ts'
import type { Clock } from '../core/clock.ts'
import type { Operation } from '../core/operation.ts'
import type { RequestRecord } from '../core/record.ts'
import { cutText, SCHEMA_VERSION } from './record-text.ts'

/** Longest detail in words. */
const MAX_DETAIL = 500

/** The record of a request that is over: one line, without its end. */
export function formatRequest(record: RequestRecord, clock: Clock): string {
  const now = clock.wall()
  const { principal, code } = record
  return JSON.stringify({
    audit: SCHEMA_VERSION,
    type: 'request',
    time: new Date(now).toISOString(),
    began: new Date(now - record.duration).toISOString(),
    request_id: record.requestId,
    trace_id: record.trace?.traceId,
    server: record.server,
    method: record.method,
    path: record.path,
    address: record.clientAddress,
    issuer: principal?.issuer,
    subject: cutText(principal?.subject),
    client_id: cutText(principal?.clientId),
    outcome: code ?? 'success',
    decision: record.decision,
    status: record.status,
    reason: record.reason,
    detail: code === 'internal_error' ? undefined : describeCause(record.cause),
    decided_by: record.decidedBy,
    missing_scopes: record.missingScopes,
    revision: record.revision,
    duration_ms: Math.round(record.duration),
    operations: listOperations(record),
  })
}

function describeCause(cause: unknown): string | undefined {
  if (cause === undefined) return undefined
  return cutText(cause instanceof Error ? cause.message : String(cause), MAX_DETAIL)
}

/** Before the decision, and where none is made for each, operations have none of their own. */
function listOperations({ outcomes, operations }: RequestRecord): object[] | undefined {
  if (operations.length === 0) return undefined
  return outcomes !== undefined && outcomes.length > 0 ? outcomes.map(formatOutcome) : operations.map(formatOperation)
}

function formatOperation({ kind, method, target, id }: Operation): object {
  return { kind, method: method === '' ? undefined : cutText(method), target: cutText(target), id }
}

function formatOutcome({ operation, decision, decidedBy, argumentsDigest, argumentsText }: AuditedOperation): object {
  return {
    ...formatOperation(operation),
    decision: decision.effect,
    code: decision.effect === 'permit' ? undefined : decision.code,
    decided_by: decidedBy,
    would_deny: decision.wouldDeny?.map((reason) => cutText(reason, MAX_DETAIL)),
    arguments_digest: argumentsDigest,
    arguments: argumentsText,
  }
}

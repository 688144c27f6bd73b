import { hash } from 'node:crypto'
import type { AuditedOperation } from '../core/audit.ts'
import type { OperationOutcome, RequestFacts } from '../core/decision.ts'
import { ProxyError } from '../core/errors.ts'
import { METHODS_WITH_ARGUMENTS } from '../core/operation.ts'
import type { Edge } from './edge.ts'
import type { Exchange } from './exchange.ts'

/** Longest arguments that are kept whole, in characters: a record is a line. */
const MAX_ARGUMENTS_LENGTH = 16 * 1024

/** @throws ProxyError `audit_unavailable` while the audit log cannot be written, where nothing may go unrecorded */
export function checkRecordable({ audit }: Edge): void {
  if (audit?.isBlocked() === true) throw new ProxyError('audit_unavailable', { retryAfter: 1 })
}

/**
 * Keeps what is decided on each operation for the audit log. Arguments are read here and not when the record is written: by then the body
 * may be gone.
 *
 * @returns undefined where there is no audit log, so that policy need not look at operations one by one
 */
export function createOutcomeRecorder(
  { edge: { audit }, record }: Exchange,
  { readArguments }: RequestFacts,
): ((outcome: OperationOutcome) => void) | undefined {
  if (audit === undefined) return undefined
  const outcomes: AuditedOperation[] = []
  record.outcomes = outcomes
  return (outcome) => {
    const { operation, recordsArguments } = outcome
    const isRead = METHODS_WITH_ARGUMENTS.has(operation.method) && (audit.digestsArguments || recordsArguments)
    const text = isRead ? readArguments(operation) : undefined
    outcomes.push({
      ...outcome,
      argumentsDigest: text !== undefined && audit.digestsArguments ? hash('sha256', text) : undefined,
      argumentsText: text !== undefined && recordsArguments ? cut(text) : undefined,
    })
  }
}

/** Copied: a substring would keep the whole body. */
function cut(text: string): string {
  return Buffer.from(text.length > MAX_ARGUMENTS_LENGTH ? text.slice(0, MAX_ARGUMENTS_LENGTH) : text).toString()
}

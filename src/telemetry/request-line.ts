import type { Logger } from 'pino'
import { errorCatalogue } from '../core/errors.ts'
import type { RequestObserver, RequestRecord } from '../core/record.ts'

/** Strings that strangers choose are cut here. */
const maxText = 200

/** Writes one line for each request. Never a token: the record holds none, and reasons are written by us. */
export function createRequestLog(logger: Logger): RequestObserver {
  return (record) => {
    const level = levelOf(record)
    if (logger.isLevelEnabled(level)) logger[level](formatRecord(record), messageOf(record))
  }
}

function levelOf({ code }: RequestRecord): 'info' | 'warn' | 'error' {
  if (code === undefined || code === 'client_gone') return 'info'
  const { status } = errorCatalogue[code]
  return status < 500 ? 'info' : status === 500 ? 'error' : 'warn'
}

function messageOf({ code, status }: RequestRecord): string {
  return code === undefined ? `answered ${status}` : `refused: ${code}`
}

function formatRecord(record: RequestRecord): Record<string, unknown> {
  const { principal } = record
  return {
    request_id: record.requestId,
    server: record.server,
    method: record.method,
    path: record.path,
    status: record.status,
    decision: record.decision,
    code: record.code,
    reason: record.cause === undefined ? undefined : formatCause(record),
    operations: formatOperations(record),
    revision: cut(record.revision),
    issuer: principal?.issuer,
    subject: cut(principal?.subject),
    client_id: cut(principal?.clientId),
    peer: record.remoteAddress,
    ms: round(record.duration),
    headers_ms: record.headersAfter === undefined ? undefined : round(record.headersAfter),
  }
}

function formatOperations({ operations }: RequestRecord): string[] | undefined {
  if (operations.length === 0) return undefined
  return operations
    .slice(0, 10)
    .map(
      ({ kind, method, target }) =>
        cut(kind === 'response' ? 'response' : target === undefined ? method : `${method} ${target}`) ?? '',
    )
}

/** A bug shows its stack; everything else its reason, and the reason behind that. */
function formatCause({ code, cause }: RequestRecord): string {
  if (!(cause instanceof Error)) return cut(String(cause), 500) ?? ''
  if (code === 'internal_error') return cause.stack ?? cause.message
  const inner = cause.cause instanceof Error ? `: ${cause.cause.message}` : ''
  const errno = (cause as NodeJS.ErrnoException).code
  return cut(`${errno ? `${errno} ` : ''}${cause.message}${inner}`, 500) ?? ''
}

function cut(text: string | undefined, length = maxText): string | undefined {
  return text === undefined || text.length <= length ? text : `${text.slice(0, length)}…`
}

function round(milliseconds: number): number {
  return Math.round(milliseconds * 100) / 100
}

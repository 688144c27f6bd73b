import type { AuditedOperation } from '../core/audit.ts'
import type { Clock } from '../core/clock.ts'
import { quoteJson } from '../core/json/quote-json.ts'
import type { Operation } from '../core/operation.ts'
import type { Principal } from '../core/principal.ts'
import type { RequestRecord } from '../core/record.ts'
import { formatIsoTime } from './iso-time.ts'
import { cutText, SCHEMA_VERSION } from './record-text.ts'

/** Longest detail in words. */
const MAX_DETAIL = 500

/**
 * The record of a request that is over: one line, without its end. Put together by hand, as the line of the log is: an object that is
 * made for `JSON.stringify` takes four times as long, for each call.
 */
export function formatRequest(record: RequestRecord, clock: Clock): string {
  const { code, decision, duration, missingScopes } = record
  const now = clock.wall()
  const began = `{"audit":${SCHEMA_VERSION},"type":"request","time":"${formatIsoTime(now)}","began":"${formatIsoTime(now - duration)}"`
  const what = `${text('server', record.server)}${text('method', record.method)}${text('path', record.path)}`
  const outcome = `${text('outcome', code ?? 'success')}${text('decision', decision)},"status":${record.status}`
  const why = `${text('reason', record.reason)}${text('detail', describeCause(record))}${text('decided_by', record.decidedBy)}`
  const scopes = missingScopes === undefined ? '' : `,"missing_scopes":${JSON.stringify(missingScopes)}`
  const end = `${text('revision', record.askedRevision ?? record.revision)},"duration_ms":${Math.round(duration)}${formatOperations(record)}}`
  return `${began}${formatIds(record)}${what}${formatWho(record)}${outcome}${why}${scopes}${end}`
}

/** A member behind others. */
function text(name: string, value: string | undefined): string {
  return value === undefined ? '' : `,"${name}":${quoteJson(value)}`
}

/** Ours, of letters and digits; each is new. */
function formatIds({ requestId, trace }: RequestRecord): string {
  return `,"request_id":"${requestId}"${trace === undefined ? '' : `,"trace_id":"${trace.traceId}"`}`
}

function formatWho({ clientAddress, principal }: RequestRecord): string {
  const address = text('address', clientAddress)
  return principal === undefined ? address : `${address}${formatPrincipal(principal)}`
}

const principals = new WeakMap<Principal, string>()

/** The same for every request with the same token, and so remembered with it. */
function formatPrincipal(principal: Principal): string {
  const known = principals.get(principal)
  if (known !== undefined) return known
  const { issuer, subject, clientId, accessKey, scopes, groups } = principal
  const ids = `${text('issuer', issuer)}${text('subject', cutText(subject))}${text('client_id', cutText(clientId))}`
  const key = accessKey === undefined ? '' : `${text('key', cutText(accessKey.name))}${text('key_id', accessKey.id)}`
  const members = `${ids}${key},"scopes":${formatTexts(scopes)},"groups":${formatTexts(groups)}`
  principals.set(principal, members)
  return members
}

/** Most items of a list: some issuers name hundreds of groups. */
const MAX_ITEMS = 200

function formatTexts(texts: Iterable<string>): string {
  return JSON.stringify([...texts].slice(0, MAX_ITEMS).map((one) => cutText(one)))
}

function describeCause({ code, cause }: RequestRecord): string | undefined {
  if (cause === undefined || code === 'internal_error') return undefined
  return cutText(cause instanceof Error ? cause.message : String(cause), MAX_DETAIL)
}

/** Before the decision, and where none is made for each, operations have none of their own. */
function formatOperations({ outcomes, operations }: RequestRecord): string {
  if (operations.length === 0) return ''
  const isDecided = outcomes !== undefined && outcomes.length > 0
  return `,"operations":[${isDecided ? outcomes.map(formatOutcome).join(',') : operations.map((operation) => `${formatOperation(operation)}}`).join(',')}]`
}

/** Open at its end. */
function formatOperation({ kind, method, target, id }: Operation): string {
  const named = method === '' ? '' : text('method', cutText(method))
  return `{"kind":"${kind}"${named}${text('target', cutText(target))}${text('id', id)}`
}

function formatOutcome({ operation, decision, decidedBy, argumentsDigest, argumentsText }: AuditedOperation): string {
  const { effect, wouldDeny } = decision
  const reasons = wouldDeny?.map((reason) => cutText(reason, MAX_DETAIL))
  const shadow = reasons === undefined ? '' : `,"would_deny":${JSON.stringify(reasons)}`
  const decided = `,"decision":"${effect}"${text('code', effect === 'permit' ? undefined : decision.code)}${text('decided_by', decidedBy)}`
  const digest = argumentsDigest === undefined ? '' : `,"arguments_digest":"${argumentsDigest}"`
  return `${formatOperation(operation)}${decided}${shadow}${digest}${text('arguments', argumentsText)}}`
}

import { type Clock, systemClock } from '../core/clock.ts'
import { readMessage } from '../core/describe-cause.ts'
import { errorCatalogue } from '../core/errors.ts'
import { quoteJson } from '../core/json/quote-json.ts'
import type { Principal } from '../core/principal.ts'
import type { RequestObserver, RequestRecord } from '../core/record.ts'
import type { RequestParties } from '../core/request-parties.ts'
import type { Log } from './log.ts'

/** Strings that strangers choose are cut here. */
const MAX_TEXT = 200
const MAX_CAUSE = 500
const MAX_OPERATIONS = 10
const MAX_SCOPES = 30

type Level = 'debug' | 'info' | 'warn' | 'error'

/** Asked every few seconds by load balancers; no server can have these paths. */
const HEALTH_PATHS = ['/healthz', '/readyz']

/**
 * Writes one line for each request. Never a token: the record holds none, and causes are written by us. Lines of JSON are put together
 * by hand, because this is done for every request and a logger that takes any object is slower by more than all our checks.
 */
export function createRequestLog({ logger, writeLine }: Log, clock: Clock = systemClock): RequestObserver {
  const formatTime = createTimeFormat(clock)
  return (record) => {
    const level = levelOf(record)
    if (!logger.isLevelEnabled(level)) return
    const fields = formatFields(record)
    if (writeLine) writeLine(`{"level":"${level}","time":"${formatTime(record)}",${fields},"msg":"${messageOf(record)}"}\n`)
    else logger[level](JSON.parse(`{${fields}}`), summaryOf(record))
  }
}

function levelOf({ code, server, path }: RequestRecord): Level {
  if (code === undefined && server === undefined && HEALTH_PATHS.includes(path)) return 'debug'
  if (code === undefined || code === 'client_gone') return 'info'
  const { status } = errorCatalogue[code]
  if (status < 500) return 'info'
  return status === 500 ? 'error' : 'warn'
}

const OPENING: ReadonlySet<string> = new Set(['initialize', 'server/discover'])

/** Says whose answer it is: what a permitted call gets is the MCP server's, and after a good status nothing can be refused any more. */
function messageOf({ code, status, decision, operations }: RequestRecord): string {
  if (code === undefined && decision === 'permit' && status >= 400) {
    // A client begins with these, without an MCP session that could have ended.
    const isPathWrong = status === 404 && operations.some(({ method }) => OPENING.has(method))
    return `the MCP server answered ${status}${isPathWrong ? ': check the path in `upstream`' : ''}`
  }
  if (code === undefined) return `answered ${status}`
  if (code === 'client_gone') return 'the client closed the connection'
  return status >= 200 && status < 300 && decision === 'permit' ? `failed after ${status}: ${code}` : `refused: ${code}`
}

/** The line for people: what matters most comes first, within the width of a terminal. Strangers choose parts of it, so they stand escaped. */
function summaryOf(record: RequestRecord): string {
  const { method, path, operations, principal, parties, code, cause } = record
  const called = operations.length === 0 ? '' : ` ${JSON.parse(`[${formatOperations(record)}]`).join(', ')}`
  const subject = principal?.subject ?? principal?.accessKey?.name ?? parties?.subject
  const who = subject === undefined ? '' : `, ${subject}`
  const why = cause === undefined || code === 'internal_error' ? '' : ` (${formatCause(record)})`
  const remedy = findRemedy(cause)
  const advice = remedy === undefined ? '' : `. ${remedy}`
  const text = `${method} ${path}${called}${who}: ${messageOf(record)}${why}${advice}`
  return JSON.stringify(text.length <= MAX_CAUSE ? text : `${text.slice(0, MAX_CAUSE)}…`)
    .slice(1, -1)
    .replaceAll('\\"', '"')
}

/** Members of the line's JSON object, without the braces. */
function formatFields(record: RequestRecord): string {
  const { trace, principal, decision, code, reason, cause, revision, askedRevision = revision, headersAfter } = record
  let fields = `"request_id":"${record.requestId}",${formatPlace(record)},"status":${record.status}`
  if (trace !== undefined) fields += `,"trace_id":"${trace.traceId}","span_id":"${trace.spanId}"`
  if (decision !== undefined) fields += `,"decision":"${decision}"`
  if (code !== undefined) fields += `,"code":"${code}"`
  if (reason !== undefined) fields += `,"reason":"${reason}"`
  if (record.decidedBy !== undefined) fields += `,"decided_by":${quote(record.decidedBy)}`
  if (record.wouldDeny !== undefined) fields += `,"would_deny":${formatWouldDeny(record.wouldDeny)}`
  if (cause !== undefined) fields += `,"cause":${quote(formatCause(record), code === 'internal_error' ? 10_000 : MAX_CAUSE)}`
  const remedy = findRemedy(cause)
  if (remedy !== undefined) fields += `,"remedy":${quote(remedy, MAX_CAUSE)}`
  if (record.operations.length > 0) fields += `,"operations":[${formatOperations(record)}]`
  if (askedRevision !== undefined) fields += `,"revision":${quote(askedRevision)}`
  if (principal !== undefined) fields += formatPrincipal(principal)
  if (record.parties !== undefined) fields += formatParties(record.parties)
  if (headersAfter !== undefined) fields += `,"headers_ms":${round(headersAfter)}`
  return `${fields},${formatAddresses(record)},"ms":${round(record.duration)}`
}

/** Addresses need no quoting: each was read as one. */
function formatAddresses({ clientAddress, remoteAddress }: RequestRecord): string {
  const peer = `"peer":"${clientAddress}"`
  return clientAddress === remoteAddress ? peer : `${peer},"connection":"${remoteAddress}"`
}

let lastPlace: Pick<RequestRecord, 'method' | 'path' | 'server'> | undefined
let lastPlaceFields = ''

/** What was asked, and where: mostly the same as in the last line. */
function formatPlace(record: RequestRecord): string {
  const { method, path, server } = record
  if (method !== lastPlace?.method || path !== lastPlace.path || server !== lastPlace.server) {
    lastPlace = { method, path, server }
    const named = server === undefined ? '' : `,"server":${quote(server)}`
    lastPlaceFields = `"method":${quote(method)},"path":${quote(path)}${named}`
  }
  return lastPlaceFields
}

const principals = new WeakMap<Principal, string>()

/** The same for every request with the same token, and so remembered with it. */
function formatPrincipal(principal: Principal): string {
  const known = principals.get(principal)
  if (known !== undefined) return known
  let fields = `,"issuer":${quote(principal.issuer)}`
  if (principal.subject !== undefined) fields += `,"subject":${quote(principal.subject)}`
  if (principal.clientId !== undefined) fields += `,"client_id":${quote(principal.clientId)}`
  if (principal.accessKey !== undefined)
    fields += `,"key":${quote(principal.accessKey.name)},"key_id":${quote(principal.accessKey.id)}`
  principals.set(principal, fields)
  return fields
}

function formatParties({ issuer, subject, clientId, scopes, events }: RequestParties): string {
  let fields = events === undefined ? '' : `,"events":${JSON.stringify(events)}`
  // The issuer says whose subject it is.
  if (subject !== undefined) fields += `,"issuer":${quote(issuer ?? '')},"subject":${quote(subject)}`
  if (clientId !== undefined) fields += `,"client_id":${quote(clientId)}`
  if (scopes !== undefined) fields += `,"scopes":[${scopes.slice(0, MAX_SCOPES).map((scope) => quote(scope))}]`
  return fields
}

function formatWouldDeny(reasons: readonly string[]): string {
  return `[${reasons.slice(0, MAX_OPERATIONS).map((reason) => quote(reason, MAX_CAUSE))}]`
}

function formatOperations({ operations }: RequestRecord): string {
  const shown = operations.length > MAX_OPERATIONS ? operations.slice(0, MAX_OPERATIONS) : operations
  return shown
    .map(({ kind, method, target }) => {
      if (kind === 'response') return '"response"'
      return quote(target === undefined ? method : `${method} ${target}`)
    })
    .join(',')
}

/** What the operator can do, where the cause says more than the catalogue of errors. */
function findRemedy(cause: unknown): string | undefined {
  return cause instanceof Error && 'remedy' in cause && typeof cause.remedy === 'string' ? cause.remedy : undefined
}

/** A bug shows its stack; everything else its cause, and the cause of that. */
function formatCause({ code, cause }: RequestRecord): string {
  if (!(cause instanceof Error)) return String(cause)
  if (code === 'internal_error') return cause.stack ?? cause.message
  const behind = cause.cause instanceof Error ? readMessage(cause.cause) : ''
  const message = readMessage(cause)
  const inner = message.includes(behind) ? '' : `: ${behind}`
  const errno = (cause as NodeJS.ErrnoException).code
  return `${errno && !message.includes(errno) ? `${errno} ` : ''}${message}${inner}`
}

function quote(text: string, length = MAX_TEXT): string {
  return quoteJson(text.length <= length ? text : `${text.slice(0, length)}…`)
}

/** Two digits behind the point, each pair put together once: V8 takes long to find the shortest form of a fraction. */
const HUNDREDTHS = Array.from({ length: 100 }, (_, i) => (i === 0 ? '' : String(i / 100).slice(1)))

function round(milliseconds: number): string {
  const all = Math.round(milliseconds * 100)
  return `${Math.floor(all / 100)}${HUNDREDTHS[all % 100]}`
}

/**
 * Tells the time by the record's own monotonic clock, set anew each second: the date is put together once a second, and the clock is not
 * read again for the line.
 */
function createTimeFormat(clock: Clock): (record: RequestRecord) => string {
  let second = ''
  let secondBegan = Number.NEGATIVE_INFINITY
  let millisecond = -1
  let text = ''
  return ({ startedAt, duration }) => {
    const now = startedAt + duration
    if (now - secondBegan >= 1000 || now < secondBegan) {
      const wall = clock.wall()
      second = new Date(wall).toISOString().slice(0, 20)
      secondBegan = now - (wall % 1000)
      millisecond = -1
    }
    const passed = Math.min(999, Math.floor(now - secondBegan))
    if (passed !== millisecond) {
      millisecond = passed
      text = `${second}${String(passed).padStart(3, '0')}Z`
    }
    return text
  }
}

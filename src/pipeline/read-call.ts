import { ProxyError } from '../core/errors.ts'
import type { Route, RoutedCall } from '../core/route.ts'
import { checkJsonBody, decodeBody } from '../http/body.ts'
import { formatForwarded } from '../http/forwarded.ts'
import type { RequestHead } from '../http/request-head.ts'
import { checkHeaderAgreement } from '../mcp/header-agreement.ts'
import { type ParsedBody, parseMessages } from '../mcp/messages.ts'
import { findRevision, isModernRevision, mayOpenBeforeAuthorization, permitsBatches } from '../mcp/revision.ts'
import { stripQueryToken } from '../oauth/bearer.ts'
import type { Identity } from './authenticate.ts'
import type { Exchange } from './exchange.ts'
import { loadBody } from './load-body.ts'

const noBody: ParsedBody = { operations: [], isBatch: false, revision: undefined, openedRevisions: [] }

/**
 * Reads what the request asks for. Everything that could be read in two ways ends here.
 *
 * @throws ProxyError `body_*`, `media_type_unsupported`, `json_*`, `message_invalid`, `params_invalid`, `header_mismatch`, `mcp_session_unknown`
 */
export function readCall(
  exchange: Exchange,
  head: RequestHead,
  route: Route,
  identity: Identity,
): RoutedCall | Promise<RoutedCall> {
  const revision = findRevision(head.protocolVersion, route.kind !== 'streamable_http')
  exchange.record.revision = revision
  const describe = (body?: Buffer): RoutedCall => describeCall(exchange, head, route, identity, revision, body)
  if (head.method !== 'POST') return describe()
  const body = loadMessages(exchange, head, identity)
  return Buffer.isBuffer(body) ? describe(body) : body.then(describe)
}

function describeCall(
  exchange: Exchange,
  head: RequestHead,
  route: Route,
  identity: Identity,
  revision: string,
  body: Buffer | undefined,
): RoutedCall {
  const parsed = body === undefined ? noBody : readMessages(exchange, body)
  exchange.record.operations = parsed.operations
  exchange.isBatch = parsed.isBatch
  checkOpening(route, parsed)
  const unfounded = checkBody(head, parsed, revision)
  const { mcpSessionId, query, upstreamTarget } = readSession(exchange, head, route, identity, revision)
  return {
    requestId: exchange.record.requestId,
    route,
    principal: identity.principal,
    method: head.method,
    operations: parsed.operations,
    isBatch: parsed.isBatch,
    revision,
    body,
    mcpSessionId,
    query,
    upstreamTarget,
    headers: formatHeaders(exchange, head, identity, unfounded),
  }
}

function readMessages(exchange: Exchange, body: Buffer): ParsedBody {
  const text = decodeBody(body)
  exchange.unreadText = text
  const parsed = parseMessages(text, exchange.edge.limits)
  exchange.unreadText = undefined
  return parsed
}

function loadMessages(exchange: Exchange, head: RequestHead, identity: Identity): Promise<Buffer> | Buffer {
  if (identity.form !== undefined) return readFormMessage(identity.form)
  checkJsonBody(head)
  return loadBody(exchange, head)
}

/**
 * The message that stands beside the token in a form. RFC 6750 §2.2 has the token among the parameters of a form; the parameter
 * `message` is ours, since MCP itself posts JSON only.
 */
function readFormMessage(form: string): Buffer {
  const [message, ...more] = new URLSearchParams(form).getAll('message')
  if (message === undefined || more.length > 0)
    throw new ProxyError('message_invalid', { cause: 'the form needs exactly one message' })
  return Buffer.from(message)
}

/** A client says first of all what it speaks, and only afterwards in a header. */
function checkOpening({ legacyClients }: Route, { openedRevisions }: ParsedBody): void {
  if (legacyClients === 'reject' && openedRevisions.some(mayOpenBeforeAuthorization))
    throw new ProxyError('legacy_client_rejected', { cause: 'protocolVersion of initialize' })
}

/** @returns headers that must not be forwarded */
function checkBody(head: RequestHead, parsed: ParsedBody, revision: string): readonly string[] {
  if (head.repeatedMcpField !== undefined)
    throw new ProxyError('header_mismatch', { cause: `more than one ${head.repeatedMcpField} field` })
  if (parsed.isBatch && !permitsBatches(revision))
    throw new ProxyError('message_invalid', { cause: `${revision} knows no batches` })
  // "The client MUST NOT send JSON-RPC responses" (2026-07-28, streamable-http, Sending Messages).
  if (isModernRevision(revision) && parsed.operations.some((operation) => operation.kind === 'response')) {
    throw new ProxyError('message_invalid', { cause: `${revision} knows no responses from the client` })
  }
  const headers = { protocolVersion: head.protocolVersion, method: head.mcpMethod, name: head.mcpName }
  const unfounded: readonly string[] = checkHeaderAgreement(headers, parsed, revision)
  // Older revisions do not define them, so that nobody behind us compares them with the body; nor can we, without the tool's schema.
  return head.mcpParams.length > 0 && !isModernRevision(revision) ? [...unfounded, ...head.mcpParams] : unfounded
}

function formatHeaders(exchange: Exchange, head: RequestHead, identity: Identity, unfounded: readonly string[]): string[] {
  const { request, record, edge } = exchange
  let headers = unfounded.length === 0 ? head.forward : dropFields(head.forward, unfounded)
  // What is rewritten on the way back must arrive readable.
  if (exchange.route?.kind === 'sse') headers = dropFields(headers, ['accept-encoding'])
  if (identity.form !== undefined) replaceContentType(headers)
  headers.push(...formatForwarded(record.remoteAddress, request.rawHeaders, edge.forwarded))
  headers.push('via', request.httpVersion === '1.0' ? viaOldClient : via)
  return headers
}

/** "A proxy or gateway MUST send" it with a name that tells nothing of the network (RFC 9110 §7.6.3). What clients send is dropped: anybody could write it. */
const via = '1.1 open-mcp-auth-proxy'
const viaOldClient = '1.0 open-mcp-auth-proxy'

function dropFields(headers: string[], names: readonly string[]): string[] {
  return headers.filter((_, index) => !names.includes(headers[index - (index % 2)] ?? ''))
}

function replaceContentType(headers: string[]): void {
  for (let i = 0; i < headers.length; i += 2) if (headers[i] === 'content-type') headers[i + 1] = 'application/json'
}

type SessionOfCall = Pick<RoutedCall, 'mcpSessionId' | 'upstreamTarget' | 'query'>

/** Sessions belong to whoever opened them: what the client holds is sealed to the principal. */
function readSession(exchange: Exchange, head: RequestHead, route: Route, identity: Identity, revision: string): SessionOfCall {
  if (route.kind === 'messages')
    return { mcpSessionId: undefined, query: undefined, upstreamTarget: openEndpoint(exchange, head, route, identity) }
  const query = stripQueryToken(head.query)
  // "An `Mcp-Session-Id` header on a request: ignore it" (2026-07-28, streamable-http, Earlier Streamable HTTP Revisions).
  if (head.mcpSessionId === undefined || isModernRevision(revision))
    return { mcpSessionId: undefined, query, upstreamTarget: undefined }
  const mcpSessionId = exchange.edge.seal.open(head.mcpSessionId, 'mcp-session', route.server, identity.principal)
  if (mcpSessionId === undefined)
    throw new ProxyError('mcp_session_unknown', { cause: 'the session is not sealed to this principal' })
  head.forward.push('mcp-session-id', mcpSessionId)
  return { mcpSessionId, query, upstreamTarget: undefined }
}

function openEndpoint(exchange: Exchange, head: RequestHead, route: Route, identity: Identity): string {
  const sealed = new URLSearchParams(head.query ?? '').getAll('endpoint')
  const [code, ...more] = sealed
  const opened =
    code !== undefined && more.length === 0
      ? exchange.edge.seal.open(code, 'sse-endpoint', route.server, identity.principal)
      : undefined
  if (opened === undefined) throw new ProxyError('mcp_session_unknown', { cause: 'the endpoint is not sealed to this principal' })
  return Buffer.from(opened, 'base64url').toString('utf8')
}

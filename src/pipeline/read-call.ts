import { type DeclaredCapabilities, NOTHING_DECLARED } from '../core/declared-capabilities.ts'
import { ProxyError } from '../core/errors.ts'
import { dropFields } from '../core/header-fields.ts'
import type { Route, RoutedCall } from '../core/route.ts'
import { formatForwarded } from '../http/forwarded.ts'
import type { RequestHead } from '../http/request-head.ts'
import { checkHeaderAgreement } from '../mcp/header-agreement.ts'
import type { ParsedBody } from '../mcp/messages.ts'
import { isModernRevision, mayOpenBeforeAuthorization, permitsBatches } from '../mcp/revision.ts'
import { openSessionId } from '../mcp/session-id.ts'
import { stripQueryToken } from '../oauth/bearer.ts'
import type { Identity } from './authenticate.ts'
import type { Exchange } from './exchange.ts'

/** A request whose caller is known and whose body was parsed: what its call is read from. */
export interface AuthenticatedRequest {
  readonly exchange: Exchange
  readonly head: RequestHead
  readonly route: Route
  readonly identity: Identity
  /** The one that applies, see `mcp/revision.ts`. */
  readonly revision: string
  /** Undefined for methods that have none. */
  readonly body: Buffer | undefined
  readonly messages: ParsedBody
}

/**
 * Reads what the request asks for. Whatever could be read in two ways is refused.
 *
 * @throws ProxyError `legacy_client_rejected`, `message_invalid`, `header_mismatch`, `protocol_version_missing`, `mcp_session_unknown`
 */
export function readCall(request: AuthenticatedRequest): RoutedCall {
  const { exchange, head, route, identity, revision, body, messages } = request
  checkOpening(route, messages)
  const unfounded = checkMessages(request)
  const { mcpSessionId, declared, query, upstreamTarget } = readSession(request)
  return {
    requestId: exchange.record.requestId,
    route,
    principal: identity.principal,
    method: head.method,
    operations: messages.operations,
    argumentSpans: messages.argumentSpans,
    isBatch: messages.isBatch,
    revision,
    body,
    mcpSessionId,
    declared,
    query,
    upstreamTarget,
    trace: exchange.trace,
    headers: formatHeaders(request, unfounded, mcpSessionId),
  }
}

/** `initialize` names the client's revision in its body; the header comes with later requests. */
function checkOpening({ legacyClients }: Route, { openedRevisions }: ParsedBody): void {
  if (legacyClients === 'reject' && openedRevisions.some(mayOpenBeforeAuthorization))
    throw new ProxyError('legacy_client_rejected', { cause: 'protocolVersion of initialize' })
}

/** @returns headers that must not be forwarded */
function checkMessages({ head, messages, revision }: AuthenticatedRequest): readonly string[] {
  if (head.repeatedMcpField !== undefined)
    throw new ProxyError('header_mismatch', { reason: 'header_repeated', cause: `more than one ${head.repeatedMcpField} field` })
  if (messages.isBatch && !permitsBatches(revision))
    throw new ProxyError('message_invalid', { reason: 'batch_not_allowed', cause: `${revision} knows no batches` })
  // "The client MUST NOT send JSON-RPC responses" (2026-07-28, streamable-http, Sending Messages).
  if (isModernRevision(revision) && messages.operations.some((operation) => operation.kind === 'response')) {
    throw new ProxyError('message_invalid', {
      reason: 'response_not_allowed',
      cause: `${revision} knows no responses from the client`,
    })
  }
  const headers = { protocolVersion: head.protocolVersion, method: head.mcpMethod, name: head.mcpName }
  const unfounded: readonly string[] = checkHeaderAgreement(headers, messages, revision)
  // Older revisions do not define them, so that no server compares them with the body; nor can we, without the tool's schema.
  return head.mcpParams.length > 0 && !isModernRevision(revision) ? [...unfounded, ...head.mcpParams] : unfounded
}

function formatHeaders(request: AuthenticatedRequest, unfounded: readonly string[], mcpSessionId: string | undefined): string[] {
  const { exchange, head, route, identity, messages } = request
  const { edge, chain } = exchange
  let kept: readonly string[] = unfounded.length === 0 ? head.forward : dropFields(head.forward, new Set(unfounded))
  // What is read or rewritten on the way back must arrive readable.
  if (route.kind === 'sse' || messages.openedRevisions.length > 0) kept = dropFields(kept, ACCEPT_ENCODING)
  // A copy: the same request may be read again, by another configuration.
  const headers = kept.concat(formatForwarded(chain, edge.forwarded))
  if (identity.form !== undefined) replaceContentType(headers)
  if (mcpSessionId !== undefined) headers.push('mcp-session-id', mcpSessionId)
  headers.push('via', exchange.request.httpVersion === '1.0' ? VIA_OLD_CLIENT : VIA)
  return headers
}

/** "A proxy or gateway MUST send" it with a name that tells nothing of the network (RFC 9110 §7.6.3). What clients send is dropped, since a client can write anything there. */
const VIA = '1.1 open-mcp-auth-proxy'
const VIA_OLD_CLIENT = '1.0 open-mcp-auth-proxy'

const ACCEPT_ENCODING = new Set(['accept-encoding'])

function replaceContentType(headers: string[]): void {
  for (let i = 0; i < headers.length; i += 2) if (headers[i] === 'content-type') headers[i + 1] = 'application/json'
}

type SessionOfCall = Pick<RoutedCall, 'mcpSessionId' | 'declared' | 'upstreamTarget' | 'query'>

const NO_SESSION: SessionOfCall = {
  mcpSessionId: undefined,
  declared: NOTHING_DECLARED,
  upstreamTarget: undefined,
  query: undefined,
}
const URL_ELICITATION: DeclaredCapabilities = { ...NOTHING_DECLARED, urlElicitation: true }

/** A session belongs to the principal that opened it: its id is sealed to that principal. */
function readSession(request: AuthenticatedRequest): SessionOfCall {
  const { exchange, head, route, identity, revision, messages } = request
  if (route.kind === 'messages') return { ...NO_SESSION, upstreamTarget: openEndpoint(request) }
  const query = stripQueryToken(head.query)
  // "An `Mcp-Session-Id` header on a request: ignore it" (2026-07-28, streamable-http, Earlier Streamable HTTP Revisions).
  if (head.mcpSessionId === undefined || isModernRevision(revision))
    return { ...NO_SESSION, query, declared: messages.urlElicitation ? URL_ELICITATION : NOTHING_DECLARED }
  const session = openSessionId(exchange.edge.seal, head.mcpSessionId, route.server, identity.principal)
  if (session === undefined) throw new ProxyError('mcp_session_unknown', { cause: 'the session is not sealed to this principal' })
  return { ...NO_SESSION, query, mcpSessionId: session.id, declared: session.declared }
}

function openEndpoint({ exchange, head, route, identity }: AuthenticatedRequest): string {
  const [sealed, ...more] = new URLSearchParams(head.query ?? '').getAll('endpoint')
  const opened =
    sealed !== undefined && more.length === 0
      ? exchange.edge.seal.open(sealed, 'sse-endpoint', route.server, identity.principal)
      : undefined
  if (opened === undefined) throw new ProxyError('mcp_session_unknown', { cause: 'the endpoint is not sealed to this principal' })
  exchange.messageEndpoint = sealed
  return Buffer.from(opened, 'base64url').toString('utf8')
}

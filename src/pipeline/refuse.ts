import { type ErrorCode, findErrorEntry, jsonRpcCodeOf, type ProxyError, toProxyError } from '../core/errors.ts'
import type { ReplyHeaders } from '../core/reply.ts'
import type { Route } from '../core/route.ts'
import { discardBody, lingerOverUnreadBody } from '../http/discard-body.ts'
import { cutAnswer } from '../http/server-reply.ts'
import { findReadableIds, type ReadableIds } from '../mcp/readable-ids.ts'
import { formatChallenge, listScopesToAskFor } from '../oauth/challenge.ts'
import { answerAccountRequired } from './answer-account.ts'
import { answerHidden } from './answer-hidden.ts'
import { findBrowserPage } from './browser-page.ts'
import type { Exchange } from './exchange.ts'
import { methodsOf } from './methods.ts'

/** Answers a refused request. The answer tells the client what to do, the log line why. */
export function refuse(exchange: Exchange, error: unknown): void {
  const { response, record } = exchange
  const refusal = toProxyError(error)
  record.code = refusal.code
  record.reason = refusal.reason
  record.cause = refusal.cause
  record.missingScopes = refusal.missingScopes
  const { status } = findErrorEntry(refusal.code)
  if (status === 401 || status === 403) record.decision = 'deny'
  if (refusal.code === 'client_gone' || response.headersSent) {
    cutAnswer(response)
    return
  }
  if (refusal.code === 'target_hidden') return answerHidden(exchange, refusal)
  if (refusal.code === 'account_required' && answerAccountRequired(exchange, refusal)) return
  const page = findBrowserPage(exchange, refusal)
  const body = Buffer.from(page?.html ?? formatBody(exchange, refusal))
  discardUnreadBody(exchange)
  response.writeHead(status, {
    'x-request-id': record.requestId,
    ...exchange.answerHeaders,
    ...formatHeaders(exchange, refusal),
    ...page?.headers,
    'content-length': String(body.length),
  })
  response.end(exchange.request.method === 'HEAD' ? undefined : body)
}

function formatHeaders(exchange: Exchange, refusal: ProxyError): ReplyHeaders {
  const { route } = exchange
  const headers: ReplyHeaders = {
    'content-type': 'application/json',
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
  }
  const challenge = route && formatRefusalChallenge(exchange, route, refusal)
  if (challenge !== undefined) headers['www-authenticate'] = challenge
  if (refusal.retryAfter !== undefined) headers['retry-after'] = String(refusal.retryAfter)
  if (refusal.code === 'method_not_allowed')
    headers.allow = [...(route ? methodsOf(route) : ['GET', 'HEAD']), 'OPTIONS'].join(', ')
  if (refusal.code === 'shutting_down' || exchange.head === undefined) headers.connection = 'close'
  return headers
}

/**
 * The challenge of a refusal about the token (RFC 6750 §3, RFC 9728 §5.1). Parameters that a client of an old revision does not know, it
 * ignores (RFC 9110 §11.2). The same refusal gets the same bytes: SDK v1 compares the
 * whole header to notice a loop.
 */
function formatRefusalChallenge(exchange: Exchange, route: Route, refusal: ProxyError): string | undefined {
  const { status, oauthError } = findErrorEntry(refusal.code)
  if (oauthError === undefined && refusal.code !== 'token_missing') return undefined
  return formatChallenge({
    resourceMetadata: route.resource.metadataUrl,
    scope: status === 403 ? scopesToAskFor(exchange, route, refusal) : route.challengeScopes,
    ...(oauthError === undefined ? {} : { error: oauthError, errorDescription: refusal.message }),
  })
}

function scopesToAskFor({ record }: Exchange, { comparedScopes }: Route, { scopes = [] }: ProxyError): readonly string[] {
  return listScopesToAskFor(record.principal?.scopes ?? new Set(), comparedScopes, scopes)
}

/**
 * A JSON-RPC error with the request's id, for each request of a batch. Where no id can be read, the member is left out, as the schema of
 * MCP has it (`JSONRPCErrorResponse`), which knows no null.
 */
function formatBody(exchange: Exchange, refusal: ProxyError): string {
  const { code, message, missingScopes, toldReason } = refusal
  const error = JSON.stringify({
    code: jsonRpcCodeOf(code),
    // Most clients show people nothing but this.
    message: toldReason === undefined ? message : `${message}: ${toldReason}`,
    // Left out where there are none.
    data: { error: code, missing_scopes: missingScopes, reason: toldReason, request_id: exchange.record.requestId },
  })
  const { ids, isBatch } = findIds(exchange, code)
  const answers = ids.map((id) => `{"jsonrpc":"2.0","id":${id},"error":${error}}`)
  if (answers.length === 0) answers.push(`{"jsonrpc":"2.0","error":${error}}`)
  return isBatch ? `[${answers.join(',')}]` : (answers[0] as string)
}

function findIds(exchange: Exchange, code: ErrorCode): ReadableIds {
  const { unreadText, unreadIds, isBatch, record, edge } = exchange
  if (unreadIds !== undefined) return unreadIds
  exchange.unreadText = undefined
  if (unreadText !== undefined && code !== 'json_invalid') return findReadableIds(unreadText, edge.limits.batchMembers)
  const ids = record.operations.flatMap(({ kind, id }) => (kind === 'request' && id !== undefined ? [id] : []))
  return { ids: [...new Set(ids)], isBatch }
}

/** The client finishes sending, and reads the refusal. */
function discardUnreadBody({ edge, request, response }: Exchange): void {
  if (request.complete) return
  discardBody(request)
  lingerOverUnreadBody(request, response, edge.clock)
}

import { ProxyError } from '../core/errors.ts'
import type { ReplyHeaders } from '../core/reply.ts'
import type { Route } from '../core/route.ts'
import { formatPreflight, PUBLIC_CORS_HEADERS } from '../http/cors.ts'
import type { Exchange } from './exchange.ts'
import { methodsOf } from './methods.ts'

/** Seconds for which clients may keep metadata: long enough to spare us, short enough to move. */
const METADATA_SECONDS = 300

/** Protected resource metadata (RFC 9728 §3.2), the same for everyone. */
export function answerMetadata(exchange: Exchange, document: Buffer): void {
  exchange.answerHeaders = PUBLIC_CORS_HEADERS
  if (exchange.request.method === 'OPTIONS') {
    checkNoBody(exchange)
    return send(exchange, 204, {})
  }
  checkReading(exchange)
  send(exchange, 200, { 'content-type': 'application/json', 'cache-control': `public, max-age=${METADATA_SECONDS}` }, document)
}

/** `/healthz` and `/readyz`. */
export function answerHealth(exchange: Exchange, isHealthy: boolean): void {
  exchange.trace = undefined
  if (exchange.request.method === 'OPTIONS') {
    checkNoBody(exchange)
    return send(exchange, 204, { allow: 'GET, HEAD, OPTIONS' })
  }
  checkReading(exchange)
  const body = Buffer.from(isHealthy ? '{"status":"ok"}' : '{"status":"unavailable"}')
  send(exchange, isHealthy ? 200 : 503, { 'content-type': 'application/json', 'cache-control': 'no-store' }, body)
}

/** A preflight is answered before authentication: browsers send it without a token. The upstream never sees it. */
export function answerPreflight(exchange: Exchange, route: Route): void {
  checkNoBody(exchange)
  const { head, edge, request } = exchange
  const requested = request.headers['access-control-request-headers']
  const allow = [...methodsOf(route), 'HEAD', 'OPTIONS']
  const headers =
    head?.origin === undefined ? { allow: allow.join(', ') } : formatPreflight(head.origin, requested, allow, edge.cors)
  send(exchange, 204, headers)
}

function checkReading(exchange: Exchange): void {
  const { method } = exchange.request
  if (method !== 'GET' && method !== 'HEAD') throw new ProxyError('method_not_allowed', { cause: method })
  checkNoBody(exchange)
}

/** A body would stay unread, so that one that never ends would hold its connection. */
function checkNoBody(exchange: Exchange): void {
  if (exchange.head?.hasBody) throw new ProxyError('body_unexpected')
}

function send(exchange: Exchange, status: number, headers: ReplyHeaders, body?: Buffer): void {
  const { request, response, record, answerHeaders } = exchange
  const own = { 'x-request-id': record.requestId, 'x-content-type-options': 'nosniff' }
  const length = body === undefined ? {} : { 'content-length': String(body.length) }
  response.writeHead(status, { ...own, ...answerHeaders, ...headers, ...length })
  response.end(request.method === 'HEAD' ? undefined : body)
}

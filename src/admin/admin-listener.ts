import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Clock } from '../core/clock.ts'
import { errorCatalogue, ProxyError, toProxyError } from '../core/errors.ts'
import type { AdminPlan } from '../core/plan/admin-plan.ts'
import { type Listener, listen } from '../http/listener.ts'
import { type RequestHead, readRequestHead } from '../http/request-head.ts'
import { checkCaller } from './check-caller.ts'

/** What is shown on a path. */
export interface AdminPage {
  readonly type: string
  readonly text: string
}

/** By exact path. @param accept - `Accept` of the request */
export type AdminPages = ReadonlyMap<string, (accept: string | undefined) => AdminPage>

export interface AdminOptions {
  readonly plan: AdminPlan
  readonly pages: AdminPages
  readonly headersSeconds: number
  readonly stalledSeconds: number
  readonly clock: Clock
  /** Called for each request that is refused, and with what could not be parsed. */
  readonly onRefused: (refusal: { readonly code: string; readonly cause: unknown; readonly peer: string | undefined }) => void
}

/**
 * Listens for operators and their monitoring, apart from clients.
 *
 * @throws Error that names the admin listener, when it cannot listen
 */
export async function startAdmin(options: AdminOptions): Promise<Listener> {
  const { plan, headersSeconds, stalledSeconds, clock, onRefused } = options
  try {
    return await listen({
      listen: { host: plan.host, port: plan.port, tls: undefined },
      headersSeconds,
      stalledSeconds,
      clock,
      handler: (request, response) => answer(options, request, response),
      onUnreadable: (_status, cause, peer) => onRefused({ code: 'request_malformed', cause, peer }),
    })
  } catch (cause) {
    throw new Error(`the admin listener has no port: ${cause instanceof Error ? cause.message : String(cause)}`, { cause })
  }
}

function answer(options: AdminOptions, request: IncomingMessage, response: ServerResponse): void {
  try {
    const head = readRequestHead(request)
    checkCaller(head, request.headers['sec-fetch-site'], options.plan)
    const { type, text } = findPage(options.pages, head)(request.headers.accept)
    send(request, response, 200, type, text)
  } catch (error) {
    const { code, cause } = toProxyError(error)
    options.onRefused({ code, cause, peer: request.socket.remoteAddress })
    refuse(request, response, code)
  }
}

/** @throws ProxyError `route_not_found`, `method_not_allowed`, `body_unexpected` */
function findPage(pages: AdminPages, { path, method, hasBody }: RequestHead) {
  const page = pages.get(path)
  if (page === undefined) throw new ProxyError('route_not_found')
  if (method !== 'GET' && method !== 'HEAD') throw new ProxyError('method_not_allowed', { cause: method })
  if (hasBody) throw new ProxyError('body_unexpected')
  return page
}

/** What the request holds besides its header section stays unread, so the connection ends. */
function refuse(request: IncomingMessage, response: ServerResponse, code: ProxyError['code']): void {
  const { status, message } = errorCatalogue[code]
  response.shouldKeepAlive = false
  if (status === 401) response.setHeader('www-authenticate', 'Bearer realm="admin"')
  if (status === 405) response.setHeader('allow', 'GET, HEAD')
  send(request, response, status, 'application/json', JSON.stringify({ error: code, message }))
}

function send(request: IncomingMessage, response: ServerResponse, status: number, type: string, text: string): void {
  const body = Buffer.from(text)
  response.writeHead(status, {
    'content-type': type,
    'content-length': body.length,
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    'content-security-policy': "default-src 'none'",
    'cross-origin-resource-policy': 'same-origin',
  })
  response.end(request.method === 'HEAD' ? undefined : body)
}

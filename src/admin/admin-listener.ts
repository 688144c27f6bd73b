import type { IncomingMessage, ServerResponse } from 'node:http'
import { redactAccessKeys } from '../core/access-key.ts'
import type { Clock } from '../core/clock.ts'
import { type ErrorCode, errorCatalogue, ProxyError, toProxyError } from '../core/errors.ts'
import type { AdminPlan } from '../core/plan/admin-plan.ts'
import { createRequestId } from '../core/request-id.ts'
import type { RequestTrace } from '../core/request-trace.ts'
import { readVersion, VERSION_HEADER } from '../core/version.ts'
import { type Listener, listen } from '../http/listener.ts'
import { type RequestHead, readRequestHead } from '../http/request-head.ts'
import type { ActionInput, ActionReport, AdminAction, AdminActions } from './admin-action.ts'
import { checkCaller } from './check-caller.ts'
import { readInput } from './read-input.ts'

/** What is shown on a path. */
export interface AdminPage {
  readonly type: string
  readonly text: string
  /** Beside those that all answers have, or in their place. Lower case. */
  readonly headers?: Readonly<Record<string, string>>
}

/** By exact path. @param accept - `Accept` of the request */
export type AdminPages = ReadonlyMap<string, (accept: string | undefined) => AdminPage | Promise<AdminPage>>

export interface AdminOptions {
  readonly plan: AdminPlan
  /** Answer GET. They change nothing, and need no token. */
  readonly pages: AdminPages
  /** Answer POST, to who shows the token. */
  readonly actions: AdminActions
  /** Whether other processes may listen on the same port. */
  readonly reusePort?: boolean
  /** Of a socket that listens already, in place of an address of our own. */
  readonly descriptor?: number | undefined
  readonly headersSeconds: number
  readonly stalledSeconds: number
  readonly clock: Clock
  /** Called for each request that is refused, and with what could not be parsed. */
  readonly onRefused: (refusal: RefusedRequest) => void
  /** Called when an action was tried, whatever came of it. */
  readonly onAction: (report: ActionReport) => void
  /** Opens the trace of an action; undefined while tracing is off. */
  readonly openTrace?: ((rawHeaders: readonly string[]) => RequestTrace) | undefined
}

interface RefusedRequest {
  /** Undefined for what could not be parsed. */
  readonly requestId: string | undefined
  readonly code: string
  readonly cause: unknown
  readonly peer: string | undefined
}

/**
 * Listens for operators and their monitoring, apart from clients.
 *
 * @throws Error that names the admin listener, when it cannot listen
 */
export async function startAdmin(options: AdminOptions): Promise<Listener> {
  const { plan, reusePort = false, descriptor, headersSeconds, stalledSeconds, clock, onRefused } = options
  const version = readVersion()
  try {
    return await listen({
      listen: { host: plan.host, port: plan.port, reusePort, tls: undefined },
      descriptor,
      headersSeconds,
      stalledSeconds,
      clock,
      handler: (request, response) =>
        void answer(options, { request, response, requestId: createRequestId(), version, isOperator: false }),
      onUnreadable: (_status, cause, peer) => onRefused({ requestId: undefined, code: 'request_malformed', cause, peer }),
    })
  } catch (cause) {
    throw new Error(`the admin listener has no port: ${cause instanceof Error ? cause.message : String(cause)}`, { cause })
  }
}

interface Exchange {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly requestId: string
  readonly version: string
  /** Whether the token was shown. */
  isOperator: boolean
}

async function answer(options: AdminOptions, exchange: Exchange): Promise<void> {
  const { request, requestId } = exchange
  try {
    const head = readRequestHead(request)
    exchange.isOperator = checkCaller(head, request.headers['sec-fetch-site'], options.plan)
    const action = options.actions.get(head.path)
    if (action !== undefined) return send(exchange, 200, toJson(await runAction(options, exchange, head, action)))
    send(exchange, 200, await findPage(options.pages, head)(request.headers.accept))
  } catch (error) {
    const refusal = toProxyError(error)
    options.onRefused({ requestId, code: refusal.code, cause: redactCause(refusal.cause), peer: request.socket.remoteAddress })
    refuse(options, exchange, refusal)
  }
}

/** @throws ProxyError `method_not_allowed`, those of {@link readInput} and of the action */
async function runAction(
  { clock, onAction, openTrace }: AdminOptions,
  { request, response, requestId }: Exchange,
  head: RequestHead,
  action: AdminAction,
): Promise<unknown> {
  if (head.method !== 'POST') throw new ProxyError('method_not_allowed', { cause: head.method })
  const address = request.socket.remoteAddress ?? ''
  let parameters = {}
  let outcome = 'success'
  const tellFailure = (failure: string): void => {
    outcome = failure
  }
  const trace = openTrace?.(request.rawHeaders)
  trace?.setRoute(head.path)
  const report = (code: ErrorCode | undefined): void => {
    trace?.end({ requestId, method: head.method, status: code === undefined ? 200 : errorCatalogue[code].status, code })
    onAction({ requestId, trace: trace?.ids, action: head.path, parameters, address, outcome: code ?? outcome })
  }
  try {
    const input = await readInput(request, response, head, clock)
    parameters = describeInput(input)
    const act = () => action(input, { address, tellFailure })
    const result = await (trace === undefined ? act() : trace.run(act))
    report(undefined)
    return result
  } catch (error) {
    report(toProxyError(error).code)
    throw error
  }
}

function redactCause(cause: unknown): unknown {
  return typeof cause === 'string' ? redactAccessKeys(cause) : cause
}

/** For the audit: what the action was asked to do, and to whom. */
function describeInput(input: ActionInput): ActionReport['parameters'] {
  const plain = Object.entries(input).filter(([, value]) => typeof value !== 'object' || Array.isArray(value))
  const texts = plain.map(([name, value]) => [name, Array.isArray(value) ? value.join(' ') : String(value)] as const)
  return Object.fromEntries(texts.map(([name, text]) => [redactAccessKeys(name), redactAccessKeys(text)]))
}

/** @throws ProxyError `route_not_found`, `method_not_allowed`, `body_unexpected` */
function findPage(pages: AdminPages, { path, method, hasBody }: RequestHead) {
  const page = pages.get(path)
  if (page === undefined) throw new ProxyError('route_not_found')
  if (method !== 'GET' && method !== 'HEAD') throw new ProxyError('method_not_allowed', { cause: method })
  if (hasBody) throw new ProxyError('body_unexpected')
  return page
}

/** What the request holds besides its header section may be unread, so the connection ends. */
function refuse({ actions }: AdminOptions, exchange: Exchange, { code, cause }: ProxyError): void {
  const { request, response, isOperator } = exchange
  const { status, message } = errorCatalogue[code]
  const isAction = actions.has(request.url ?? '')
  response.shouldKeepAlive = false
  if (status === 401) response.setHeader('www-authenticate', 'Bearer realm="admin"')
  if (status === 405) response.setHeader('allow', isAction ? 'POST' : 'GET, HEAD')
  const detail = isOperator && typeof cause === 'string' ? { detail: cause } : {}
  send(exchange, status, toJson({ error: code, message, ...detail }))
}

function toJson(value: unknown): AdminPage {
  return { type: 'application/json', text: JSON.stringify(value) }
}

function send(
  { request, response, requestId, version, isOperator }: Exchange,
  status: number,
  { type, text, headers }: AdminPage,
): void {
  const body = Buffer.from(text)
  response.writeHead(status, {
    'x-request-id': requestId,
    'content-type': type,
    'content-length': body.length,
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    'content-security-policy': "default-src 'none'",
    'cross-origin-resource-policy': 'same-origin',
    ...headers,
    // The command line tells by it that a proxy answers, and which.
    ...(isOperator && { [VERSION_HEADER]: version }),
  })
  response.end(request.method === 'HEAD' ? undefined : body)
}

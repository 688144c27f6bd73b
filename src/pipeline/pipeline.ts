import type { IncomingMessage, ServerResponse } from 'node:http'
import { ProxyError } from '../core/errors.ts'
import type { Route, RoutedCall } from '../core/route.ts'
import { condemn, isCondemned } from '../http/connection.ts'
import { formatCorsHeaders } from '../http/cors.ts'
import type { RequestHandler } from '../http/listener.ts'
import { checkOrigin } from '../http/origins.ts'
import { type RequestHead, readRequestHead } from '../http/request-head.ts'
import { addCredential } from './add-credential.ts'
import { answerHealth, answerMetadata, answerPreflight } from './answers.ts'
import { authenticate } from './authenticate.ts'
import { authorize } from './authorize.ts'
import type { Edge } from './edge.ts'
import { findEndpoint } from './endpoints.ts'
import { type Exchange, openExchange } from './exchange.ts'
import { forward } from './forward.ts'
import { checkMethod } from './methods.ts'
import { readCall } from './read-call.ts'
import { receive } from './receive.ts'
import { refuse } from './refuse.ts'

/** The order of the steps, and the only place where a refusal is caught. */
export function createPipeline(edge: Edge): RequestHandler {
  return (request: IncomingMessage, response: ServerResponse) => {
    if (isCondemned(request.socket)) return ignore(response)
    const exchange = openExchange(edge, request, response)
    serve(exchange).catch((error: unknown) => refuse(exchange, error))
  }
}

/**
 * The connection ends with the answer that is before, and this one is never sent. Node counts it, though, and reads on only so far behind
 * an answer that lasts.
 */
function ignore(response: ServerResponse): void {
  if (response.socket === null) response.writeHead(400, { connection: 'close' }).end()
}

async function serve(exchange: Exchange): Promise<void> {
  const { edge } = exchange
  const head = readHead(exchange.request)
  exchange.head = head
  const endpoint = findEndpoint(edge.endpoints, head.path)
  if (endpoint.kind === 'health') return answerHealth(exchange, endpoint.isHealthy())
  checkHost(exchange, head)
  if (endpoint.kind === 'metadata') return answerMetadata(exchange, endpoint.document)
  if (endpoint.kind === 'handled') return receive(exchange, head, endpoint.handle)
  await guard(exchange, head, endpoint.route)
}

/** A request that can be read in two ways leaves in doubt where the next one begins: nothing is read behind it. */
function readHead(request: IncomingMessage): RequestHead {
  try {
    return readRequestHead(request)
  } catch (error) {
    condemn(request.socket)
    throw error
  }
}

/** What every request to an MCP server goes through. */
async function guard(exchange: Exchange, head: RequestHead, route: Route): Promise<void> {
  const { edge } = exchange
  exchange.route = route
  exchange.record.server = route.server
  if (edge.isDraining()) throw new ProxyError('shutting_down', { retryAfter: 1 })
  checkOrigin(head.origin, edge.origins)
  if (head.origin !== undefined) exchange.answerHeaders = formatCorsHeaders(head.origin, edge.cors)
  if (head.method === 'OPTIONS') return answerPreflight(exchange, route)

  const identity = await authenticate(exchange, head, route)
  checkMethod(head, route)
  const call: RoutedCall = await readCall(exchange, head, route, identity)
  authorize(call, exchange.record)
  forward(exchange, await addCredential(call, identity))
}

/** Load balancers ask for health in HTTP/1.0 and without a host (HAProxy's `option httpchk GET /healthz`). All else is served by name. */
function checkHost({ edge, request }: Exchange, head: RequestHead): void {
  if (head.host === '') {
    condemn(request.socket)
    throw new ProxyError('request_malformed', { cause: 'Host is missing' })
  }
  if (edge.hosts && !edge.hosts.has(head.host))
    throw new ProxyError('host_denied', { cause: `Host ${JSON.stringify(head.host)}` })
}

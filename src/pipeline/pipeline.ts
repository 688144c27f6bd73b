import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Clock } from '../core/clock.ts'
import type { Decision } from '../core/decision.ts'
import { ProxyError } from '../core/errors.ts'
import type { RequestRecord } from '../core/record.ts'
import type { Route, RoutedCall } from '../core/route.ts'
import { isAmbiguous, markAmbiguous } from '../http/connection.ts'
import { formatCorsHeaders } from '../http/cors.ts'
import type { RequestHandler } from '../http/listener.ts'
import { checkOrigin } from '../http/origins.ts'
import { type RequestHead, readRequestHead } from '../http/request-head.ts'
import type { ParsedBody } from '../mcp/messages.ts'
import { findRevision } from '../mcp/revision.ts'
import { addCredential } from './add-credential.ts'
import { addIdentity } from './add-identity.ts'
import { admit } from './admit.ts'
import { answerHealth, answerMetadata, answerPreflight } from './answers.ts'
import { authenticate, checkAssurance, type Identity } from './authenticate.ts'
import { authorize, checkPermitted } from './authorize.ts'
import type { Edge } from './edge.ts'
import { findEndpoint, findPattern } from './endpoints.ts'
import { type Exchange, openExchange } from './exchange.ts'
import { forward } from './forward.ts'
import { checkHost } from './hosts.ts'
import { loadMessages } from './load-body.ts'
import { isLong } from './long-bodies.ts'
import { checkMethod } from './methods.ts'
import { readLongBody, readShortBody } from './read-body.ts'
import { type AuthenticatedRequest, readCall } from './read-call.ts'
import { receive } from './receive.ts'
import { reconsider, type Standing } from './reconsider.ts'
import { checkRecordable, createOutcomeRecorder } from './record-outcomes.ts'
import { refuse } from './refuse.ts'
import { createRequestFacts } from './request-facts.ts'

/** The order of the steps, and the only place where a refusal is caught. */
export function createPipeline(edge: Edge): RequestHandler {
  return (request: IncomingMessage, response: ServerResponse) => {
    if (isAmbiguous(request.socket)) return ignore(response)
    const exchange = openExchange(edge, request, response)
    const serving = exchange.trace === undefined ? serve(exchange) : exchange.trace.run(() => serve(exchange))
    serving.catch((error: unknown) => refuse(exchange, error))
  }
}

/**
 * The connection ends with the answer before this one, so this one is never sent. It is finished all the same: Node counts the answers that
 * wait behind one that lasts, and stops reading when they are too many.
 */
function ignore(response: ServerResponse): void {
  if (response.socket === null) response.writeHead(400, { connection: 'close' }).end()
}

async function serve(exchange: Exchange): Promise<void> {
  const { edge } = exchange
  const head = readHead(exchange.request)
  exchange.head = head
  const endpoint = findEndpoint(edge.endpoints, head.path)
  exchange.trace?.setRoute(findPattern(edge.endpoints, head.path))
  if (endpoint.kind === 'health') return answerHealth(exchange, endpoint.isHealthy(head.query))
  // Where the next request begins is in doubt, too.
  if (head.host === '') markAmbiguous(exchange.request.socket)
  checkHost(edge, head)
  if (endpoint.kind === 'metadata') return answerMetadata(exchange, endpoint.document)
  if (endpoint.kind === 'handled') return receive(exchange, head, endpoint.handle)
  await guard(exchange, head, endpoint.route)
}

/** A request that can be read in two ways leaves in doubt where the next one begins: nothing is read behind it. */
function readHead(request: IncomingMessage): RequestHead {
  try {
    return readRequestHead(request)
  } catch (error) {
    markAmbiguous(request.socket)
    throw error
  }
}

/** The steps of every request to an MCP server. They return or throw; what becomes of the request is recorded here. */
async function guard(exchange: Exchange, head: RequestHead, route: Route): Promise<void> {
  const { edge, record } = exchange
  exchange.route = route
  record.server = route.server
  checkRecordable(edge)
  checkOrigin(head.origin, edge.origins)
  if (head.origin !== undefined) exchange.answerHeaders = formatCorsHeaders(head.origin, edge.cors)
  if (head.method === 'OPTIONS') return answerPreflight(exchange, route)

  exchange.trace?.step('authenticate')
  const identity = await authenticate(exchange, head, route)
  const verifiedAt = edge.clock.monotonic()
  record.principal = identity.principal
  checkAssurance(identity.principal, head, route)
  checkMethod(head, route)
  const revision = findRevision(head.protocolVersion, route.kind !== 'streamable_http')
  record.revision = revision
  exchange.trace?.step('read call')
  const body = head.method === 'POST' ? await loadMessages(exchange, head, identity.form) : undefined
  const messages =
    body === undefined ? NO_MESSAGES : isLong(body) ? await readLongBody(exchange, body) : readShortBody(exchange, body)
  exchange.trace?.step('authorize')
  const ready = await settle({ exchange, head, route, identity, revision, body, messages }, verifiedAt)
  exchange.trace?.step('forward')
  forward(exchange, ready.call, ready.identity)
}

/** A call that is permitted, with the credential for its upstream. */
interface ReadyCall {
  readonly call: RoutedCall
  readonly identity: Identity
}

/** For so long a verified token is believed without another look. */
const BELIEVED_MS = 1000

/**
 * Decides, and again where another configuration or a revocation came into force meanwhile: a body may be long on its way, and so may an
 * identity provider with the credential. A client that sends slowly must not keep a token in use that has expired or was revoked, so
 * the token of a request that took its time is verified again.
 *
 * @param verifiedAt - not when the request began: an issuer that is slow would be asked twice each time
 * @throws ProxyError unless the call is permitted by what is in force at the end
 */
async function settle(request: AuthenticatedRequest, verifiedAt: number): Promise<ReadyCall> {
  const { exchange, head } = request
  const { openRequests } = exchange.edge
  let { route, identity }: Standing = request
  let isLate = exchange.edge.clock.monotonic() - verifiedAt > BELIEVED_MS
  for (;;) {
    if (isLate || exchange.era !== openRequests.era) ({ route, identity } = await reconsider(exchange, head, { route, identity }))
    isLate = false
    const { call, deciding } = decide({ ...request, route, identity })
    const decision = deciding instanceof Promise ? await deciding : deciding
    // What has come into force since decides, also where this would refuse.
    if (exchange.era !== openRequests.era) continue
    recordDecision(exchange.record, decision)
    const { rateLimits } = call.route
    if (rateLimits !== undefined && exchange.admission === undefined) await admit(exchange, call, decision, rateLimits)
    checkPermitted(decision)
    const ready = await addCredential(call, identity)
    if (exchange.era !== openRequests.era) continue
    checkNotOver(identity, exchange.edge.clock)
    return { call: addIdentity(ready), identity }
  }
}

/** @throws ProxyError `token_expired` where the token has ended since it was verified */
function checkNotOver({ principal }: Identity, clock: Clock): void {
  if (clock.wall() >= principal.acceptedUntil * 1000)
    throw new ProxyError('token_expired', { cause: 'the access token has expired before its call was complete' })
}

/** Reads the call, and asks policy. */
function decide(request: AuthenticatedRequest): { readonly call: RoutedCall; readonly deciding: Decision | Promise<Decision> } {
  const { exchange, identity } = request
  exchange.record.principal = identity.principal
  const call = readCall(request)
  const facts = createRequestFacts(exchange, call)
  return { call, deciding: authorize(exchange, call, facts, createOutcomeRecorder(exchange, facts)) }
}

function recordDecision(record: RequestRecord, decision: Decision): void {
  record.decision = decision.effect
  record.wouldDeny = decision.wouldDeny
  record.decidedBy = decision.effect === 'permit' ? undefined : decision.decidedBy
}

const NO_MESSAGES: ParsedBody = {
  operations: [],
  argumentSpans: [],
  isBatch: false,
  revision: undefined,
  openedRevisions: [],
  urlElicitation: false,
}

import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Admission } from '../core/rate-limits.ts'
import type { RequestRecord } from '../core/record.ts'
import type { ReplyHeaders } from '../core/reply.ts'
import { createRequestId } from '../core/request-id.ts'
import type { RequestTrace } from '../core/request-trace.ts'
import type { Route } from '../core/route.ts'
import { findForwardedChain } from '../http/forwarded.ts'
import type { RequestHead } from '../http/request-head.ts'
import type { ReadableIds } from '../mcp/readable-ids.ts'
import type { Edge } from './edge.ts'

/** One request and its answer, while they last. */
export interface Exchange {
  /** By which it is served. */
  edge: Edge
  /** Of the open requests when it was decided last what is permitted, or began. */
  era: number
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly record: RequestRecord
  /** The addresses that the request came through, see `http/forwarded.ts`. */
  readonly chain: readonly string[]
  /** Undefined while tracing is off, and for health checks. */
  trace: RequestTrace | undefined
  /** Headers that every answer carries, CORS among them. */
  answerHeaders: Readonly<ReplyHeaders>
  /** Set as soon as it is known, for the refusal's challenge. */
  route: Route | undefined
  head: RequestHead | undefined
  isBatch: boolean
  /** The sealed endpoint to which a message of HTTP+SSE was sent, once it is known to be the principal's. */
  messageEndpoint: string | undefined
  /** The body's text while it is read, for the ids of a refusal. */
  unreadText: string | undefined
  /** Those of a long body, which was read elsewhere and refused. */
  unreadIds: ReadableIds | undefined
  /** Gives back the room of a long body; undefined when there is none. */
  releaseBody: (() => void) | undefined
  /** Whether policy has looked at the arguments of a call whose body is long. */
  asksForArguments: boolean
  /** What the call takes of the rate limits; undefined where nothing is limited. */
  admission: Admission | undefined
  /** The answer to the permitted call; undefined until then. */
  answer: AnswerInProgress | undefined
}

/** What is told to the answer of a permitted call. */
interface AnswerInProgress {
  /** It has begun. */
  begin(isStream: boolean): void
  /** It is over. */
  close(): void
}

const NO_HEADERS: Readonly<ReplyHeaders> = Object.freeze({})

export function openExchange(edge: Edge, request: IncomingMessage, response: ServerResponse): Exchange {
  const chain = findForwardedChain(request.socket.remoteAddress ?? '', request.rawHeaders, edge.forwarded)
  const record: RequestRecord = {
    requestId: createRequestId(),
    trace: undefined,
    method: request.method ?? '',
    path: pathOf(request.url ?? ''),
    server: undefined,
    principal: undefined,
    parties: undefined,
    operations: [],
    outcomes: undefined,
    revision: undefined,
    askedRevision: undefined,
    decision: undefined,
    decidedBy: undefined,
    wouldDeny: undefined,
    code: undefined,
    reason: undefined,
    cause: undefined,
    missingScopes: undefined,
    status: 0,
    clientAddress: chain[0] ?? '',
    remoteAddress: chain.at(-1) ?? '',
    startedAt: edge.clock.monotonic(),
    headersAfter: undefined,
    duration: 0,
  }
  const exchange: Exchange = {
    edge,
    era: edge.openRequests.era,
    request,
    response,
    record,
    chain,
    trace: edge.tracing?.open(request.rawHeaders),
    answerHeaders: NO_HEADERS,
    route: undefined,
    head: undefined,
    isBatch: false,
    messageEndpoint: undefined,
    unreadText: undefined,
    unreadIds: undefined,
    releaseBody: undefined,
    asksForArguments: false,
    admission: undefined,
    answer: undefined,
  }
  response.on('close', () => closeExchange(exchange))
  return exchange
}

const MAX_PATH_LENGTH = 500

/** The query may hold a token, and a stranger's path may be long: neither goes to the log whole. */
function pathOf(target: string): string {
  const query = target.indexOf('?')
  // A piece of a string holds the whole of it, and this one is remembered.
  const path = query < 0 ? target : Buffer.from(target.slice(0, query), 'latin1').toString('latin1')
  const fragment = path.indexOf('#')
  return (fragment < 0 ? path : path.slice(0, fragment)).slice(0, MAX_PATH_LENGTH)
}

function closeExchange({ edge, record, response, trace, releaseBody, answer, admission }: Exchange): void {
  releaseBody?.()
  answer?.close()
  record.duration = edge.clock.monotonic() - record.startedAt
  record.status = response.headersSent ? response.statusCode : 0
  if (!response.writableFinished && record.code === undefined) record.code = 'client_gone'
  admission?.close(record.status)
  trace?.end(record)
  record.trace = trace?.ids
  edge.observe(record)
}

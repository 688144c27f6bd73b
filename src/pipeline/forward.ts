import type { ServerResponse } from 'node:http'
import { findListen, lastsUntilEnded, opensSession, withoutLongBody } from '../core/call.ts'
import type { ChangingList } from '../core/declared-capabilities.ts'
import { ProxyError } from '../core/errors.ts'
import type { Reply, ReplyHeaders } from '../core/reply.ts'
import type { RoutedCall } from '../core/route.ts'
import { type ReplyOwner, ServerReply } from '../http/server-reply.ts'
import { checkEndpoint, createEndpointRewriter, isEventStream } from '../mcp/endpoint-event.ts'
import { formatListenEnd } from '../mcp/listen-end.ts'
import { isModernRevision } from '../mcp/revision.ts'
import { sealSessionId } from '../mcp/session-id.ts'
import { askForAccount } from './answer-account.ts'
import type { Identity } from './authenticate.ts'
import type { Exchange } from './exchange.ts'
import { findListFiltering } from './filter-lists.ts'
import { type AnsweredCall, OpenAnswer } from './open-answer.ts'
import { OpeningReply } from './opening-reply.ts'
import { ReadAlong } from './read-along.ts'
import { refuse } from './refuse.ts'

/**
 * Sends a permitted call to its upstream. The answer takes the same way back, changed only where it says so below.
 *
 * @throws ProxyError `shutting_down` where the answer would last, and all others like it have been ended
 */
export function forward(exchange: Exchange, call: RoutedCall, identity: Identity): void {
  if (lastsUntilEnded(call) && exchange.edge.isDraining()) throw new ProxyError('shutting_down', { retryAfter: 1 })
  const answered = withoutLongBody(call)
  const forwarding = new Forwarding(exchange, answered, identity.token)
  const reply = new ServerReply(forwarding)
  // What rules looked at they will look at again.
  const whole = answered !== call && exchange.asksForArguments ? call : undefined
  const answer = openAnswer(exchange, { call: answered, whole }, identity, reply)
  const filtering = findListFiltering(exchange, answer)
  const filtered = filtering?.filter(reply) ?? reply
  const { kind, upstream } = call.route
  const onEndpoint = (sealed: string): void => takeAnswers(exchange, sealed, reply)
  const sent = prepare(call, filtering?.headers ?? call.headers, exchange)
  const read = readWhatIsDeclared(exchange, answer, filtered, forwarding)
  upstream.send(sent, kind === 'sse' ? rewriteEndpoint(exchange, call, read, onEndpoint) : read)
}

/** As the upstream gets it. */
function prepare(call: RoutedCall, headers: readonly string[], { admission }: Exchange): RoutedCall {
  if (admission === undefined && headers === call.headers) return call
  return { ...call, headers, admission }
}

/** The answer, and the same bytes, while the server's capabilities are read from it where it tells of any. */
function readWhatIsDeclared({ edge }: Exchange, { call, listsReader }: OpenAnswer, reply: Reply, forwarding: Forwarding): Reply {
  if (listsReader !== undefined) return new ReadAlong(reply, listsReader)
  if (!opensSession(call) || isModernRevision(call.revision)) return reply
  return new OpeningReply(reply, edge.clock, (lists) => {
    forwarding.listChanged = lists
  })
}

/** The client may have gone while the credential for the upstream was fetched. */
function openAnswer(exchange: Exchange, calls: AnsweredCall, identity: Identity, reply: ServerReply): OpenAnswer {
  const answer = new OpenAnswer(exchange, calls, identity, reply)
  exchange.answer = answer
  if (exchange.response.closed) answer.close()
  return answer
}

/** Events of ours may come in between those of the MCP server: answers to calls that do not reach it. */
function takeAnswers({ edge: { messageStreams }, response }: Exchange, sealed: string, reply: ServerReply): void {
  const send = (event: string): boolean => {
    if (response.writableNeedDrain || !reply.isBetweenEvents) return false
    reply.write(Buffer.from(event))
    return true
  }
  messageStreams.set(sealed, send)
  response.on('close', () => messageStreams.get(sealed) === send && messageStreams.delete(sealed))
}

/** What is done with the answer to a call. */
class Forwarding implements ReplyOwner {
  readonly response: ServerResponse
  readonly #exchange: Exchange
  readonly #call: RoutedCall
  /** Of the caller. */
  readonly #token: string
  /** As the server declares in this very answer. */
  listChanged: readonly ChangingList[] | undefined
  /** Whether events can be added to the answer. */
  #isEventStream = false

  constructor(exchange: Exchange, call: RoutedCall, token: string) {
    this.response = exchange.response
    this.#exchange = exchange
    this.#call = call
    this.#token = token
  }

  get farewell(): string | undefined {
    const listen = this.#isEventStream ? findListen(this.#call) : undefined
    return listen?.id === undefined ? undefined : `event: message\ndata: ${formatListenEnd(listen.id)}\n\n`
  }

  get answerHeaders(): Readonly<ReplyHeaders> {
    return this.#exchange.answerHeaders
  }

  get requestId(): string {
    return this.#exchange.record.requestId
  }

  beforeStart(headers: ReplyHeaders): void {
    if (this.#call.route.kind !== 'sse') replaceSessionId(this.#exchange, this.#call, headers, this.listChanged)
    // Keeps a proxy before us from holding events back (2026-07-28, streamable-http, Receiving Messages).
    if (isEventStream(headers)) headers['x-accel-buffering'] ??= 'no'
  }

  mayEndAnywhere(headers: ReplyHeaders): boolean {
    return headers['content-length'] === undefined && isEventStream(headers)
  }

  afterStart(headers: ReplyHeaders): void {
    this.#isEventStream = isEventStream(headers) && headers['content-encoding'] === undefined
    this.#exchange.answer?.begin(isEventStream(headers))
  }

  onFlush(): void {
    const { record, edge } = this.#exchange
    record.headersAfter = edge.clock.monotonic() - record.startedAt
    this.#exchange.releaseBody?.()
    // From here on nothing can be refused, and what a refusal would need may go: a stream holds it for as long as it lasts.
    this.#exchange.head = undefined
  }

  refuse(error: ProxyError): void {
    const { route, principal, headers } = this.#call
    const { credential } = route
    if (error.code === 'upstream_refused_credential') {
      // It may have been revoked where it was issued: the next call gets another one.
      if (credential.kind === 'delegated') credential.forget({ principal, token: this.#token })
      if (credential.kind === 'own_account') credential.noteRefusal(principal, findBearerToken(headers))
    }
    const isQuestion = error.code === 'account_required' && credential.kind === 'own_account'
    refuse(this.#exchange, isQuestion ? askForAccount(error, this.#call, credential) : error)
  }

  onFailure({ code, reason, cause }: ProxyError): void {
    this.#exchange.record.code = code
    this.#exchange.record.reason = reason
    this.#exchange.record.cause = cause
  }
}

/** The token that the upstream got. */
function findBearerToken(headers: readonly string[]): string {
  // Names stand at even places, and what follows may be a value that reads like one.
  const at = headers.findLastIndex((name, place) => place % 2 === 0 && name === 'authorization')
  return (headers[at + 1] ?? '').slice('Bearer '.length)
}

/**
 * A session id goes out sealed to the principal that opened the session, and not at all where there are none: "Do not mint or echo session
 * IDs" (2026-07-28, streamable-http, Earlier Streamable HTTP Revisions).
 */
function replaceSessionId(
  { edge, admission }: Exchange,
  { route, revision, principal, declared }: RoutedCall,
  headers: ReplyHeaders,
  listChanged = declared.listChanged,
): void {
  const id = headers['mcp-session-id']
  // Removing a property makes an object slow, so none is removed that isn't there.
  if (id === undefined) return
  if (typeof id !== 'string' || route.kind === 'messages' || isModernRevision(revision)) {
    delete headers['mcp-session-id']
    return
  }
  admission?.useSession(id)
  headers['mcp-session-id'] = sealSessionId(edge.seal, { id, declared: { ...declared, listChanged } }, route.server, principal)
}

/** The client posts to our message endpoint; where that leads on the upstream travels sealed in its query. */
function rewriteEndpoint(exchange: Exchange, call: RoutedCall, reply: Reply, onEndpoint: (sealed: string) => void): Reply {
  const { route, principal } = call
  return createEndpointRewriter(reply, (uri) => {
    const target = Buffer.from(checkEndpoint(uri, route.upstreamUrl)).toString('base64url')
    const sealed = exchange.edge.seal.seal(target, 'sse-endpoint', route.server, principal)
    onEndpoint(sealed)
    return `${route.messagesPath}?endpoint=${sealed}`
  })
}

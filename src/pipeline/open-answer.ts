import { findListen, lastsUntilEnded } from '../core/call.ts'
import { type ProxyError, toProxyError } from '../core/errors.ts'
import { type MemoryShare, PART_FOR_WAITING } from '../core/held-memory.ts'
import type { OpenRequest } from '../core/open-requests.ts'
import type { Operation } from '../core/operation.ts'
import type { Upstream } from '../core/ports.ts'
import { formatPrincipalKey, type Principal } from '../core/principal.ts'
import type { RoutedCall } from '../core/route.ts'
import { watchIdle } from '../http/idle-watch.ts'
import { readRequestHead } from '../http/request-head.ts'
import type { ServerReply } from '../http/server-reply.ts'
import {
  createAcknowledgmentReader,
  createDeclarationReader,
  formatListChanged,
  type ListsReader,
} from '../mcp/changing-lists.ts'
import type { Identity } from './authenticate.ts'
import { authorize, checkPermitted } from './authorize.ts'
import type { Exchange } from './exchange.ts'
import { createCallFilter } from './filter-lists.ts'
import { movedElsewhere, reconsider } from './reconsider.ts'
import { createRequestFacts } from './request-facts.ts'
import { waitForToken } from './stream-expiry.ts'

/** Most answers are over by then, and to keep a list of them, or a timer for each, costs more than it is worth. */
const SHORT_SECONDS = 1

export interface AnsweredCall {
  /** Without a long body. */
  readonly call: RoutedCall
  /** With it, where policy has looked at its arguments. */
  readonly whole: RoutedCall | undefined
}

/** The answer to a permitted call, for as long as it lasts. A class, since thousands of streams may wait in one of these each. */
export class OpenAnswer implements OpenRequest {
  readonly lasts: boolean
  isStream = false
  readonly openedAt: number
  /** Whether hidden items are removed from it. */
  isFiltered = false
  filterFromNowOn = (): boolean => false
  /** Reads from the stream itself of which lists it tells; undefined where that is known without it, or none. */
  readonly listsReader: ListsReader | undefined
  readonly #exchange: Exchange
  readonly #identity: Identity
  readonly #reply: ServerReply
  #call: RoutedCall
  /** With the arguments that policy asks for, where the body is long. */
  #whole: RoutedCall | undefined
  /** What a stream takes for them. */
  #memory: MemoryShare | undefined
  /** Why it would not be permitted any more, as it was decided last. */
  #refusal: ProxyError | undefined
  /** For the end of a short answer, later for that of its token. */
  #waiting: { stop(): void }

  constructor(exchange: Exchange, { call, whole }: AnsweredCall, identity: Identity, reply: ServerReply) {
    const { clock, openRequests } = exchange.edge
    this.#exchange = exchange
    this.#call = call
    this.#whole = whole
    this.#identity = identity
    this.#reply = reply
    this.lasts = lastsUntilEnded(call)
    this.listsReader = createListsReader(call)
    this.openedAt = exchange.record.startedAt
    if (this.lasts) openRequests.add(this)
    this.#waiting = watchIdle(SHORT_SECONDS, () => this.#settle(), clock)
  }

  get requestId(): string {
    return this.#exchange.record.requestId
  }

  get server(): string {
    return this.#call.route.server
  }

  get path(): string {
    return this.#call.route.path
  }

  get upstream(): Upstream {
    return this.#call.route.upstream
  }

  get principal(): Principal {
    return this.#call.principal
  }

  get operations(): readonly Operation[] {
    return this.#call.operations
  }

  /** As it was decided last. */
  get call(): RoutedCall {
    return this.#call
  }

  /** Called when the answer begins. */
  begin(isStream: boolean): void {
    this.isStream = isStream
    this.#keepArguments()
    if (!isStream) return
    this.#catchUp()
    // It may go on for ever, where a call that was permitted may have its answer.
    if (this.#refusal !== undefined) this.#endStream(this.#refusal)
  }

  end(reason: ProxyError): void {
    if (!this.lasts) return this.#reply.fail(reason)
    this.#exchange.record.cause = reason.cause ?? reason.code
    this.#reply.close(reason)
  }

  async decideAnew(): Promise<void> {
    try {
      await this.#decide()
      this.#refusal = undefined
    } catch (error) {
      this.#refusal = toProxyError(error)
      this.#endStream(this.#refusal)
    }
  }

  /** Called when the answer is over. */
  close(): void {
    this.#memory?.give(this.#whole?.body?.length ?? 0)
    this.#memory = undefined
    this.#whole = undefined
    this.#waiting.stop()
    this.#exchange.edge.openRequests.remove(this)
  }

  /** Only a stream ends for what is decided anew. Where there is no memory for its arguments, nothing is known of them then, which refuses. */
  #keepArguments(): void {
    const whole = this.#whole
    this.#whole = undefined
    if (!this.isStream || whole?.body === undefined) return
    const memory = this.#exchange.edge.heldMemory.open(this.server, formatPrincipalKey(this.principal))
    if (!memory.take(whole.body.length, PART_FOR_WAITING)) return
    this.#whole = whole
    this.#memory = memory
  }

  /** It takes longer than most. */
  #settle(): void {
    this.#exchange.edge.openRequests.add(this)
    this.#waitForToken()
    this.#catchUp()
  }

  #waitForToken(): void {
    this.#waiting.stop()
    this.#waiting = { stop: waitForToken(this.#call, (reason) => this.end(reason), this.#exchange.edge.clock) }
  }

  /** What is permitted may have changed before this was among the open requests. */
  #catchUp(): void {
    const { edge, era } = this.#exchange
    if (era !== edge.openRequests.era) void this.decideAnew()
  }

  async #decide(): Promise<void> {
    const exchange = this.#exchange
    const before = this.#call
    const standing = { route: before.route, identity: { ...this.#identity, principal: before.principal } }
    const { route, identity } = await reconsider(exchange, readRequestHead(exchange.request), standing)
    const { era } = exchange
    if (route.upstream !== before.route.upstream) throw movedElsewhere()
    const call = { ...before, route, principal: identity.principal }
    const { body, argumentSpans } = this.#whole ?? before
    const asked = { ...call, body, argumentSpans }
    const decision = await authorize(exchange, asked, createRequestFacts(exchange, asked))
    // What came into force meanwhile decides.
    if (era !== exchange.edge.openRequests.era) return this.#decide()
    checkPermitted(decision)
    this.#call = call
    this.#filterWhereNeeded()
    if (this.isFiltered && route.policy !== before.route.policy) this.#tellOfLists()
    if (call.principal.acceptedUntil !== before.principal.acceptedUntil) this.#waitForToken()
  }

  /** Other items may be hidden from now on. In the middle of an event nothing can be told. */
  #tellOfLists(): void {
    if (!this.lasts || !this.#reply.isBetweenEvents) return
    const subscription = findListen(this.#call)?.id
    const lists = this.listsReader === undefined ? this.#call.declared.listChanged : (this.listsReader.found ?? [])
    for (const list of lists) this.#reply.write(Buffer.from(formatListChanged(list, subscription)))
  }

  /** @throws ProxyError where what has passed unread until now cannot be filtered: the stream that its client opens next will be */
  #filterWhereNeeded(): void {
    if (!this.lasts || this.isFiltered || createCallFilter(this.#exchange, this.#call) === undefined) return
    if (!this.filterFromNowOn()) throw movedElsewhere()
    this.isFiltered = true
  }

  /** A call that was permitted may have its answer, unless that is a stream, which may go on for ever. */
  #endStream(reason: ProxyError): void {
    const isMoved = reason.code === 'upstream_replaced' || reason.code === 'route_not_found'
    if (this.lasts || (this.isStream && !isMoved)) this.end(reason)
  }
}

/** A subscription is acknowledged on its stream, and an MCP session of HTTP+SSE opened on its own. */
function createListsReader(call: RoutedCall): ListsReader | undefined {
  if (findListen(call) !== undefined) return createAcknowledgmentReader()
  return call.route.kind === 'sse' ? createDeclarationReader() : undefined
}

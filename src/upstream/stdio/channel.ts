import { ProxyError } from '../../core/errors.ts'
import { type Waiting, watchIdle } from '../../http/idle-watch.ts'
import type { Child, ChildEnd } from './child.ts'
import type { ChildMessage } from './child-messages.ts'
import { type ClientMessage, letGoOfMessage, metaOf, paramsOf } from './client-messages.ts'
import type { RequestSink } from './peer.ts'
import { describeEnd, type Spawner } from './spawner.ts'
import { applyEdits, type Edit, findMember, outlineMessage, replaceAt, replaceResponseId } from './splice.ts'

const subscriptionKey = 'io.modelcontextprotocol/subscriptionId'

interface InFlight {
  readonly sink: RequestSink
  /** The client's id and progress token, in JSON. */
  id: string
  progressToken: string | undefined
  /** Undefined for what lasts: a subscription is not answered. */
  readonly waiting: Waiting | undefined
}

/** What comes from a child and belongs to no request. */
export interface ChannelEvents {
  message(message: ChildMessage): void
  ended(error: ProxyError): void
}

/** One request on its way. */
export interface Ticket {
  /** Nobody wants the answer any more: the child is told, and what it still sends goes nowhere. */
  cancel(reason: string): void
  /** Another request of the client has taken this one's place: its id and progress token count from now on. */
  moveTo(message: ClientMessage): void
}

/**
 * A child that serves many clients. Every request gets an id and a progress token of our own, never used twice, so that no answer, not
 * even a late one, can reach anybody but whoever asked.
 */
export class Channel {
  readonly #requestSeconds: number
  #events: ChannelEvents
  readonly #inFlight = new Map<number, InFlight>()
  #child: Child | undefined
  #lastId = 0
  #idleSince = performance.now()
  /** The request that log messages belong to. */
  #exclusive: number | undefined

  private constructor(events: ChannelEvents, requestSeconds: number) {
    this.#events = events
    this.#requestSeconds = requestSeconds
  }

  /** @throws ProxyError `upstream_busy` */
  static async start(spawner: Spawner, key: string, events: ChannelEvents): Promise<Channel> {
    const channel = new Channel(events, spawner.requestSeconds)
    channel.#child = await spawner.start(key, {
      message: (message) => channel.#receive(message),
      broken: (id, reason) => channel.#break(id, reason),
      ended: (end) => channel.#finish(end),
    })
    return channel
  }

  get isOver(): boolean {
    return this.#child?.isOver !== false
  }

  /** Requests that have not been answered. */
  get load(): number {
    return this.#inFlight.size
  }

  /** Whether a request can have the child's log messages for itself. */
  get isExclusiveFree(): boolean {
    return this.#exclusive === undefined
  }

  /** Milliseconds for which nothing has been asked. */
  idle(now: number): number {
    return this.#inFlight.size > 0 ? 0 : now - this.#idleSince
  }

  /** Hands what belongs to no request to somebody else. */
  listen(events: ChannelEvents): void {
    this.#events = events
  }

  /**
   * Sends a client's request.
   *
   * @param exclusive - whether log messages belong to it; only one request at a time
   * @throws ProxyError `upstream_busy`, `upstream_ended`
   */
  request(message: ClientMessage, sink: RequestSink, exclusive = false): Ticket {
    const ours = ++this.#lastId
    this.#write(rewriteRequest(message.text, ours))
    const waiting = message.method === 'subscriptions/listen' ? undefined : this.#limit(ours)
    const request: InFlight = { sink, id: message.idKey, progressToken: readProgressToken(message), waiting }
    this.#inFlight.set(ours, request)
    letGoOfMessage(message)
    if (exclusive) this.#exclusive = ours
    return {
      cancel: (reason) => this.#cancel(ours, reason),
      moveTo(next) {
        request.id = next.idKey
        request.progressToken = readProgressToken(next)
        waiting?.touch()
      },
    }
  }

  /**
   * Asks something ourselves.
   *
   * @returns `result` or `error` of the answer
   * @throws ProxyError when there is none
   */
  ask(method: string, params: unknown): Promise<Readonly<Record<string, unknown>>> {
    return new Promise((resolve, reject) => {
      const ours = ++this.#lastId
      const sink: RequestSink = { related: () => undefined, response: (_text, value) => resolve(value), failed: reject }
      this.#write(JSON.stringify({ jsonrpc: '2.0', id: ours, method, params }))
      this.#inFlight.set(ours, { sink, id: String(ours), progressToken: undefined, waiting: this.#limit(ours) })
    })
  }

  /** Sends a notification or a response. @throws ProxyError `upstream_busy`, `upstream_ended` */
  tell(text: string): void {
    this.#write(text)
  }

  end(): void {
    void this.#child?.end()
  }

  #write(text: string): void {
    if (!this.#child) throw new ProxyError('upstream_ended')
    this.#child.write(text)
  }

  #receive(message: ChildMessage): void {
    if (message.kind === 'response') return this.#answer(message)
    if (message.kind === 'request') return this.#events.message(message)
    const { params, ours } = this.#findRequest(message)
    const request = ours === undefined ? undefined : this.#inFlight.get(ours)
    if (!request || ours === undefined) return this.#events.message(message)
    if (message.method === 'notifications/cancelled') {
      // A legacy server withdraws a request of its own, with a number of its own: none of ours is meant.
      if (!request.sink.closed) return this.#events.message(message)
      this.#take(ours)
      return request.sink.closed()
    }
    request.waiting?.touch()
    const text = editOrUndefined(message.text, params, params.at(-1) === subscriptionKey ? request.id : request.progressToken)
    if (text !== undefined) request.sink.related(text, message)
  }

  /** Which request a notification belongs to, and where in it that is said. */
  #findRequest(message: ChildMessage): { params: string[]; ours: number | undefined } {
    const params = paramsOf(message)
    const at = (value: unknown, ...path: string[]) => ({ params: path, ours: typeof value === 'number' ? value : undefined })
    if (message.method === 'notifications/progress') return at(params.progressToken, 'params', 'progressToken')
    if (message.method === 'notifications/cancelled') return at(params.requestId)
    if (message.method === 'notifications/message') return { params: [], ours: this.#exclusive }
    return at(metaOf(message)[subscriptionKey], 'params', '_meta', subscriptionKey)
  }

  #answer(message: ChildMessage): void {
    const request = this.#take(readOurId(message.id))
    // An answer to nothing that was asked goes nowhere.
    if (!request) return
    const text = rewriteResponse(message, JSON.stringify(message.id), request.id)
    if (text === undefined) request.sink.failed(unreadable('an answer that can be read in two ways'))
    else request.sink.response(text, message.value)
  }

  #break(id: string | number, reason: string): void {
    this.#take(readOurId(id))?.sink.failed(unreadable(reason))
  }

  #limit(ours: number): Waiting {
    return watchIdle(this.#requestSeconds, () => this.#expire(ours))
  }

  /** Nothing was heard of it for too long: its client is told, and so is the child. */
  #expire(ours: number): void {
    const request = this.#inFlight.get(ours)
    this.#cancel(ours, 'it took too long')
    const cause = `neither an answer nor progress within ${this.#requestSeconds} seconds`
    request?.sink.failed(new ProxyError('upstream_timeout', { cause }))
  }

  #cancel(ours: number, reason: string): void {
    if (!this.#take(ours) || this.isOver) return
    const params = `{"requestId":${ours},"reason":${JSON.stringify(reason)}}`
    try {
      this.#write(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":${params}}`)
    } catch {
      // A child that doesn't read learns of it no more than of the request.
    }
  }

  #take(ours: number): InFlight | undefined {
    const request = this.#inFlight.get(ours)
    if (!request) return undefined
    this.#inFlight.delete(ours)
    request.waiting?.stop()
    if (this.#exclusive === ours) this.#exclusive = undefined
    if (this.#inFlight.size === 0) this.#idleSince = performance.now()
    return request
  }

  #finish({ reason }: ChildEnd): void {
    const error = describeEnd(reason)
    for (const ours of [...this.#inFlight.keys()]) this.#take(ours)?.sink.failed(error)
    this.#events.ended(error)
  }
}

/** Our ids are numbers; some servers write them down as strings. NaN is no id of ours. */
function readOurId(id: ChildMessage['id']): number {
  if (typeof id === 'string') return /^\d{1,15}$/.test(id) ? Number(id) : Number.NaN
  return id ?? Number.NaN
}

function readProgressToken(message: ClientMessage): string | undefined {
  const token = metaOf(message).progressToken
  return token === undefined ? undefined : JSON.stringify(token)
}

/** Our id in place of the client's, twice: a progress token is as good as an id. */
function rewriteRequest(text: string, ours: number): string {
  const outline = outlineMessage(text)
  const edits: Edit[] = []
  for (const member of [findMember(outline, 'id'), findMember(outline, 'params', '_meta', 'progressToken')])
    if (member) edits.push(replaceAt(member, String(ours)))
  return applyEdits(text, edits)
}

/** Undefined when what the child sent can be read in two ways. */
function rewriteResponse({ text, value }: ChildMessage, ours: string, theirs: string): string | undefined {
  try {
    const answer = replaceResponseId(text, ours, theirs)
    const meta = (value.result as { _meta?: Record<string, unknown> } | undefined)?._meta
    if (meta?.[subscriptionKey] === undefined) return answer
    return editOrUndefined(answer, ['result', '_meta', subscriptionKey], theirs)
  } catch {
    return undefined
  }
}

function editOrUndefined(text: string, path: readonly string[], json: string | undefined): string | undefined {
  if (path.length === 0) return text
  if (json === undefined) return undefined
  try {
    const member = findMember(outlineMessage(text), ...path)
    return member && applyEdits(text, [replaceAt(member, json)])
  } catch {
    return undefined
  }
}

function unreadable(cause: string): ProxyError {
  return new ProxyError('upstream_invalid_response', { cause })
}

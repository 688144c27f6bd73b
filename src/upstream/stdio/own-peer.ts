import { ProxyError } from '../../core/errors.ts'
import { type Waiting, watchIdle } from '../../http/idle-watch.ts'
import type { Child, ChildEnd } from './child.ts'
import type { ChildMessage } from './child-messages.ts'
import { type ClientMessage, letGoOfMessage, metaOf, paramsOf } from './client-messages.ts'
import type { Flow } from './event-stream.ts'
import type { Peer, PeerEvents, RequestSink } from './peer.ts'
import { describeEnd, type Spawner } from './spawner.ts'
import { replaceResponseId } from './splice.ts'

interface InFlight {
  readonly sink: RequestSink
  readonly progressKey: string | undefined
  readonly waiting: Waiting
}

/** Cancelled requests that are remembered. */
const mostCancelled = 1000

/** A child that serves one MCP session alone: messages pass as they are, ids included. */
export class OwnPeer implements Peer {
  readonly flow: Flow
  readonly #events: PeerEvents
  readonly #requestSeconds: number
  readonly #inFlight = new Map<string, InFlight>()
  readonly #byProgress = new Map<string, string>()
  /** Requests whose answer may still come: one with the same id would get it. */
  readonly #cancelled = new Set<string>()
  #child: Child | undefined

  private constructor(events: PeerEvents, requestSeconds: number) {
    this.#events = events
    this.#requestSeconds = requestSeconds
    this.flow = { pause: () => this.#child?.pause(), resume: () => this.#child?.resume() }
  }

  /**
   * @param key - whom the child is for
   * @throws ProxyError `upstream_busy`
   */
  static async start(spawner: Spawner, key: string, events: PeerEvents): Promise<OwnPeer> {
    const peer = new OwnPeer(events, spawner.requestSeconds)
    peer.#child = await spawner.start(key, {
      message: (message) => peer.#receive(message),
      broken: (id, reason) => peer.#break(id, reason),
      ended: (end) => peer.#finish(end),
    })
    return peer
  }

  request(message: ClientMessage, sink: RequestSink): void {
    const { idKey } = message
    // "The request ID MUST NOT have been previously used by the requestor within the same session" (2025-11-25, basic/index, Requests).
    if (this.#inFlight.has(idKey) || this.#cancelled.has(idKey))
      throw new ProxyError('message_invalid', { cause: 'a request with this id may still be answered' })
    const token = metaOf(message).progressToken
    const progressKey = token === undefined ? undefined : JSON.stringify(token)
    this.#write(message.text)
    const waiting = watchIdle(this.#requestSeconds, () => this.#expire(idKey))
    this.#inFlight.set(idKey, { sink, progressKey, waiting })
    letGoOfMessage(message)
    if (progressKey !== undefined) this.#byProgress.set(progressKey, idKey)
  }

  tell(message: ClientMessage): void {
    this.#write(message.text)
    // Its answer may come all the same, and goes nowhere.
    if (message.method === 'notifications/cancelled') this.#drop(JSON.stringify(paramsOf(message).requestId))
  }

  cancel(idKey: string, reason: string): void {
    if (!this.#drop(idKey) || this.#child?.isOver !== false) return
    const params = `{"requestId":${idKey},"reason":${JSON.stringify(reason)}}`
    try {
      this.#write(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":${params}}`)
    } catch {
      // A child that doesn't read learns of it no more than of the request.
    }
  }

  end(): void {
    void this.#child?.end()
  }

  #write(text: string): void {
    if (!this.#child) throw new ProxyError('upstream_ended')
    this.#child.write(text)
  }

  #receive(message: ChildMessage): void {
    if (message.kind === 'response') {
      // An answer to nothing that was asked, or to what was cancelled, goes nowhere.
      const said = JSON.stringify(message.id)
      const idKey = this.#findKey(said)
      this.#cancelled.delete(idKey)
      const text = idKey === said ? message.text : replaceResponseId(message.text, said, idKey)
      this.#take(idKey)?.sink.response(text, message.value)
      return
    }
    const request = message.method === 'notifications/progress' ? this.#findByProgress(message) : undefined
    request?.waiting.touch()
    if (request) request.sink.related(message.text)
    else this.#events.message(message)
  }

  /** The id that is meant: some servers write down numbers as strings. Another request may have that string for its id. */
  #findKey(said: string): string {
    if (this.#inFlight.has(said) || this.#cancelled.has(said)) return said
    return /^"(?:0|[1-9]\d{0,14})"$/.test(said) ? said.slice(1, -1) : said
  }

  #findByProgress(message: ChildMessage): InFlight | undefined {
    const { progressToken } = paramsOf(message)
    if (typeof progressToken !== 'string' && typeof progressToken !== 'number') return undefined
    return this.#inFlight.get(this.#byProgress.get(JSON.stringify(progressToken)) ?? '')
  }

  #break(id: string | number, reason: string): void {
    this.#take(this.#findKey(JSON.stringify(id)))?.sink.failed(new ProxyError('upstream_invalid_response', { cause: reason }))
  }

  /** Nothing was heard of it for too long: its client is told, and so is the child. */
  #expire(idKey: string): void {
    const request = this.#inFlight.get(idKey)
    this.cancel(idKey, 'it took too long')
    const cause = `neither an answer nor progress within ${this.#requestSeconds} seconds`
    request?.sink.failed(new ProxyError('upstream_timeout', { cause }))
  }

  #drop(idKey: string): boolean {
    if (!this.#take(idKey)) return false
    const [oldest] = this.#cancelled
    if (this.#cancelled.size >= mostCancelled && oldest !== undefined) this.#cancelled.delete(oldest)
    this.#cancelled.add(idKey)
    return true
  }

  #take(idKey: string): InFlight | undefined {
    const request = this.#inFlight.get(idKey)
    if (!request) return undefined
    this.#inFlight.delete(idKey)
    request.waiting.stop()
    // Unless a later request uses the same token.
    const { progressKey = '' } = request
    if (this.#byProgress.get(progressKey) === idKey) this.#byProgress.delete(progressKey)
    return request
  }

  #finish({ reason }: ChildEnd): void {
    const error = describeEnd(reason)
    for (const idKey of [...this.#inFlight.keys()]) this.#take(idKey)?.sink.failed(error)
    this.#events.ended(error)
  }
}

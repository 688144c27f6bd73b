import type { Clock } from '../../../core/clock.ts'
import { ProxyError } from '../../../core/errors.ts'
import type { Reply } from '../../../core/reply.ts'
import { UNSENT } from '../channel/pending-request.ts'
import { type ClientRequest, cancelPending, PendingRequests } from '../channel/pending-requests.ts'
import { whenOver } from '../channel/request-sink.ts'
import type { ServerConnection, ServerEvents } from '../channel/server-connection.ts'
import type { Spare } from '../process/places.ts'
import type { ProcessOwner } from '../process/process-owner.ts'
import { EventStream } from '../stream/event-stream.ts'
import type { ChildMessage } from '../wire/child-messages.ts'
import { type ClientMessage, paramsOf } from '../wire/client-messages.ts'
import { formatRefusal } from '../wire/json-responses.ts'
import { readCancellation } from './cancellation.ts'
import type { HttpSession } from './sessions.ts'

/** An MCP session over HTTP+SSE (2024-11-05). It lasts as long as its stream, which carries everything that the server sends. */
export class SseSession implements ServerEvents, HttpSession {
  readonly isListening = true
  readonly owner: ProcessOwner
  readonly #clock: Clock
  readonly #onOver: () => void
  readonly #pending = new PendingRequests<ClientRequest>()
  #connection: ServerConnection | undefined
  #stream: EventStream | undefined
  #lastUsed: number
  #isOver = false

  /** @param onOver - called once */
  constructor(owner: ProcessOwner, clock: Clock, onOver: () => void) {
    this.owner = owner
    this.#clock = clock
    this.#onOver = onOver
    this.#lastUsed = clock.monotonic()
  }

  get isOver(): boolean {
    return this.#isOver
  }

  /** @throws ProxyError `upstream_ended` */
  open(reply: Reply, connection: ServerConnection, endpoint: string): void {
    if (this.#isOver) throw new ProxyError('upstream_ended', { retryAfter: 1 })
    this.#connection = connection
    this.#stream = new EventStream({ log: undefined, flow: connection.flow, onDetached: () => this.end() })
    this.#stream.attach(reply)
    this.#stream.announce('endpoint', endpoint)
  }

  /** @throws ProxyError `upstream_busy`, `upstream_ended` */
  post(message: ClientMessage): void {
    if (!this.#connection) throw new ProxyError('upstream_ended')
    this.#touch()
    if (message.method === 'notifications/cancelled') this.#cancel(message)
    else if (message.kind === 'request') this.#request(this.#connection, message)
    else this.#connection.tell(message)
  }

  message(message: ChildMessage): void {
    this.#stream?.send(message.text)
  }

  ended(_error: ProxyError): void {
    this.#finish()
  }

  findSpare(now: number): Spare | undefined {
    if (this.#pending.size > 0) return undefined
    return { key: this.owner.key, idle: now - this.#lastUsed, end: () => this.end() }
  }

  keepAlive(): void {
    this.#stream?.keepAlive()
  }

  end(): void {
    if (this.#isOver) return
    this.#finish()
    this.#connection?.end()
  }

  #touch(): void {
    this.#lastUsed = this.#clock.monotonic()
  }

  #request(connection: ServerConnection, message: ClientMessage): void {
    const request: ClientRequest = { id: message.idKey, atServer: UNSENT }
    const over = (): void => {
      this.#pending.delete(request)
      this.#touch()
    }
    const send = (text: string): void => this.#stream?.send(text)
    const failed = (error: ProxyError): void => send(formatRefusal(message.idKey, error))
    this.#pending.add(request)
    try {
      request.atServer = connection.request(message, whenOver({ kind: 'response', related: send, response: send, failed }, over))
    } catch (error) {
      over()
      throw error
    }
  }

  #cancel(message: ClientMessage): void {
    const { idKey, reason } = readCancellation(paramsOf(message))
    const request = this.#pending.findNewest(idKey)
    if (request) cancelPending(this.#pending, request, reason)
  }

  #finish(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#stream?.end()
    this.#onOver()
  }
}

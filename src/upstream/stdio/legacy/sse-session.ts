import { randomBytes } from 'node:crypto'
import type { Call } from '../../../core/call.ts'
import { ProxyError } from '../../../core/errors.ts'
import { formatPrincipalKey } from '../../../core/principal.ts'
import type { Reply } from '../../../core/reply.ts'
import { type ServerConnection, type ServerEvents, whenOver } from '../channel/server-connection.ts'
import type { Spare } from '../process/places.ts'
import { EventStream } from '../stream/event-stream.ts'
import type { ChildMessage } from '../wire/child-messages.ts'
import { type ClientMessage, paramsOf, readClientMessages } from '../wire/client-messages.ts'
import { formatRefusal, sendStatus } from '../wire/json-responses.ts'
import type { StartConnection } from './legacy-http.ts'
import { type RunningRequest, RunningRequests, readCancellation } from './running-requests.ts'

/** HTTP+SSE (2024-11-05): one stream for everything that the server sends, and a path of its own for what the client does. */
export class HttpSse {
  readonly #startConnection: StartConnection
  readonly #sessions = new Map<string, SseSession>()

  constructor(startConnection: StartConnection) {
    this.#startConnection = startConnection
  }

  /** Opens a stream, and with it an MCP session. @throws ProxyError */
  async open(call: Call, reply: Reply): Promise<void> {
    const id = randomBytes(24).toString('base64url')
    const principalKey = formatPrincipalKey(call.principal)
    const session = new SseSession(principalKey, () => this.#sessions.delete(id))
    let isGone = false
    reply.onClose(() => {
      isGone = true
    })
    const connection = await this.#startConnection(principalKey, session)
    if (isGone) return connection.end()
    this.#sessions.set(id, session)
    session.open(reply, connection, `/messages?session=${id}`)
  }

  /** Takes a message; the answer comes on the stream. @throws ProxyError */
  post(call: Call, reply: Reply): void {
    const id = new URLSearchParams(call.upstreamTarget?.split('?')[1] ?? '').get('session') ?? ''
    const session = this.#sessions.get(id)
    if (session?.principalKey !== formatPrincipalKey(call.principal))
      throw new ProxyError('mcp_session_unknown', { cause: 'the stream of this session is closed' })
    const messages = readClientMessages(call)
    for (const message of messages) session.post(message)
    sendStatus(reply, 202)
  }

  /** Sessions in which nothing runs. */
  spares(): Spare[] {
    const now = performance.now()
    return [...this.#sessions.values()].flatMap((session) => session.findSpare(now) ?? [])
  }

  keepAlive(): void {
    for (const session of this.#sessions.values()) session.keepAlive()
  }

  close(): void {
    for (const session of this.#sessions.values()) session.end()
  }
}

/** An MCP session that lasts as long as its stream. */
class SseSession implements ServerEvents {
  readonly isListening = true
  readonly principalKey: string
  readonly #onOver: () => void
  readonly #running = new RunningRequests<RunningRequest>()
  #connection: ServerConnection | undefined
  #stream: EventStream | undefined
  #lastUsed = performance.now()
  #isOver = false

  constructor(principalKey: string, onOver: () => void) {
    this.principalKey = principalKey
    this.#onOver = onOver
  }

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
    this.#lastUsed = performance.now()
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
    if (this.#running.size > 0) return undefined
    return { key: this.principalKey, idle: now - this.#lastUsed, end: () => this.end() }
  }

  keepAlive(): void {
    this.#stream?.keepAlive()
  }

  end(): void {
    if (this.#isOver) return
    this.#finish()
    this.#connection?.end()
  }

  #request(connection: ServerConnection, message: ClientMessage): void {
    const running: RunningRequest = { idKey: message.idKey, pending: undefined }
    const sink = {
      related: (text: string) => this.#stream?.send(text),
      response: (text: string) => this.#stream?.send(text),
      failed: (error: ProxyError) => this.#stream?.send(formatRefusal(message.idKey, error)),
    }
    const over = (): void => {
      this.#running.delete(running)
      this.#lastUsed = performance.now()
    }
    this.#running.add(running)
    try {
      running.pending = connection.request(message, whenOver(sink, over))
    } catch (error) {
      over()
      throw error
    }
  }

  #cancel(message: ClientMessage): void {
    const { idKey, reason } = readCancellation(paramsOf(message))
    this.#running.cancelNewest(idKey, reason)
  }

  #finish(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#stream?.end()
    this.#onOver()
  }
}

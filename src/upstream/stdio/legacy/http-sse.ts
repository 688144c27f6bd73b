import { randomBytes } from 'node:crypto'
import type { Call } from '../../../core/call.ts'
import type { Clock } from '../../../core/clock.ts'
import type { Reply } from '../../../core/reply.ts'
import type { Spare } from '../process/places.ts'
import { findOwner } from '../process/process-owner.ts'
import { readClientMessages } from '../wire/client-messages.ts'
import { sendStatus } from '../wire/json-responses.ts'
import type { StartConnection } from './legacy-http.ts'
import { Sessions } from './sessions.ts'
import { SseSession } from './sse-session.ts'

/** HTTP+SSE (2024-11-05): a GET opens the stream, and messages of the client are sent to a path of their own. */
export class HttpSse {
  readonly #clock: Clock
  readonly #startConnection: StartConnection
  readonly #sessions = new Sessions<SseSession>()

  constructor(clock: Clock, startConnection: StartConnection) {
    this.#clock = clock
    this.#startConnection = startConnection
  }

  /** How many are open. */
  get sessions(): number {
    return this.#sessions.size
  }

  /** Opens a stream, and with it an MCP session. @throws ProxyError */
  async open(call: Call, reply: Reply): Promise<void> {
    const id = randomBytes(24).toString('base64url')
    const owner = findOwner(call)
    const session = new SseSession(owner, this.#clock, () => this.#sessions.delete(id))
    let isGone = false
    reply.onClose(() => {
      isGone = true
    })
    const connection = await this.#startConnection(owner, session)
    if (isGone) return connection.end()
    session.open(reply, connection, `/messages?session=${id}`)
    if (!session.isOver) this.#sessions.add(id, session)
  }

  /** Takes a message. The response comes on the stream. @throws ProxyError */
  post(call: Call, reply: Reply): void {
    const id = new URLSearchParams(call.upstreamTarget?.split('?')[1] ?? '').get('session') ?? ''
    const session = this.#sessions.find(id, findOwner(call), 'the stream of this session is closed')
    const messages = readClientMessages(call)
    for (const message of messages) session.post(message)
    sendStatus(reply, 202)
  }

  spares(): Spare[] {
    return this.#sessions.spares(this.#clock.monotonic())
  }

  keepAlive(): void {
    this.#sessions.keepAlive()
  }

  close(): void {
    this.#sessions.close()
  }
}

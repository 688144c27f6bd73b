import { BoundedMap } from '../../../core/bounded-map.ts'
import type { CancelTimer } from '../../../core/clock.ts'
import { ProxyError } from '../../../core/errors.ts'
import { answerServerRequest } from '../channel/answer-server.ts'
import { Channel } from '../channel/multiplexed-channel.ts'
import type { PendingRequest } from '../channel/pending-request.ts'
import { createKeptIds } from '../channel/request-ids.ts'
import type { RequestSink } from '../channel/request-sink.ts'
import type { ServerConnection, ServerEvents } from '../channel/server-connection.ts'
import type { ProcessOwner } from '../process/process-owner.ts'
import type { ProcessSource } from '../process/server-process.ts'
import type { Flow } from '../stream/event-stream.ts'
import type { ChildMessage } from '../wire/child-messages.ts'
import { type ClientMessage, paramsOf } from '../wire/client-messages.ts'

/** Requests of a server that wait for the client's response. */
const MAX_ASKED = 1000

export interface DedicatedConnectionOptions {
  readonly source: ProcessSource
  /** Whom the process is for. */
  readonly owner: ProcessOwner
  /** Time that the server has to answer `initialize`. */
  readonly startMs: number
}

/** A process that serves one MCP session. Messages pass as they are, except for ids and progress tokens that are in use already. */
export class DedicatedConnection implements ServerConnection {
  readonly #options: DedicatedConnectionOptions
  readonly #events: ServerEvents
  /** Ids of the server's requests. */
  readonly #asked = new BoundedMap<string, true>(MAX_ASKED)
  #channel: Channel | undefined

  private constructor(options: DedicatedConnectionOptions, events: ServerEvents) {
    this.#options = options
    this.#events = events
  }

  /** @throws ProxyError `upstream_busy` */
  static async start(options: DedicatedConnectionOptions, events: ServerEvents): Promise<DedicatedConnection> {
    const connection = new DedicatedConnection(options, events)
    const channelEvents = {
      message: (message: ChildMessage) => connection.#receive(message),
      ended: (error: ProxyError) => events.ended(error),
    }
    connection.#channel = await Channel.start(options.source, options.owner, channelEvents, createKeptIds())
    return connection
  }

  get flow(): Flow | undefined {
    return this.#channel?.flow
  }

  request(message: ClientMessage, sink: RequestSink): PendingRequest {
    if (message.method !== 'initialize') return this.#channelOrThrow().request(message, sink)
    return this.#channelOrThrow().request(message, this.#limitStart(sink))
  }

  tell(message: ClientMessage): void {
    // "The client MUST NOT write anything to the server's stdin that is not a valid MCP message" (2026-07-28, stdio).
    if (message.kind === 'response' && !this.#asked.delete(message.idKey)) return
    this.#channelOrThrow().tell(message.text)
  }

  end(): void {
    this.#channel?.end()
  }

  /** A sink that fails when the server takes too long, and ignores what comes later. */
  #limitStart(sink: RequestSink): RequestSink {
    let isOver = false
    const settle = (deliver: () => void): void => {
      if (isOver) return
      isOver = true
      cancel()
      deliver()
    }
    const cancel: CancelTimer = this.#options.source.clock.after(this.#options.startMs, () => {
      const error = new ProxyError('upstream_timeout', { cause: 'the server did not answer its first request', retryAfter: 2 })
      this.#channel?.giveUp(error)
      settle(() => sink.failed(error))
    })
    return {
      kind: 'response',
      related: (text, message) => sink.related(text, message),
      response: (text, value) => settle(() => sink.response(text, value)),
      failed: (error) => settle(() => sink.failed(error)),
    }
  }

  #channelOrThrow(): Channel {
    if (!this.#channel) throw new ProxyError('upstream_ended')
    return this.#channel
  }

  #receive(message: ChildMessage): void {
    if (message.kind === 'request') {
      if (message.method === 'ping' && !this.#events.isListening) return this.#answerPing(message)
      this.#asked.set(JSON.stringify(message.id), true)
    }
    if (message.method === 'notifications/cancelled') this.#asked.delete(JSON.stringify(paramsOf(message).requestId))
    this.#events.message(message)
  }

  #answerPing(message: ChildMessage): void {
    if (this.#channel) answerServerRequest(this.#channel, message)
  }
}

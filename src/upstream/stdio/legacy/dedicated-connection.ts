import { BoundedMap } from '../../../core/bounded-map.ts'
import { ProxyError } from '../../../core/errors.ts'
import { Channel } from '../channel/multiplexed-channel.ts'
import type { PendingRequest } from '../channel/pending-request.ts'
import { createKeptIds } from '../channel/request-ids.ts'
import type { RequestSink, ServerConnection, ServerEvents } from '../channel/server-connection.ts'
import type { Spawner } from '../process/spawner.ts'
import type { Flow } from '../stream/event-stream.ts'
import type { ChildMessage } from '../wire/child-messages.ts'
import { type ClientMessage, paramsOf } from '../wire/client-messages.ts'
import { formatPong } from '../wire/json-responses.ts'

/** Requests of a server that wait for the client's answer. */
const mostAsked = 1000

/**
 * A child that serves one MCP session alone. Messages pass as they are, but for ids and progress tokens that are in use already.
 */
export class DedicatedConnection implements ServerConnection {
  readonly #events: ServerEvents
  readonly #startMilliseconds: number
  readonly #asked = new BoundedMap<string, true>(mostAsked)
  #channel: Channel | undefined

  private constructor(events: ServerEvents, startMilliseconds: number) {
    this.#events = events
    this.#startMilliseconds = startMilliseconds
  }

  /**
   * @param key - whom the child is for
   * @param startMilliseconds - how long it may take to answer `initialize`
   * @throws ProxyError `upstream_busy`
   */
  static async start(
    spawner: Spawner,
    key: string,
    startMilliseconds: number,
    events: ServerEvents,
  ): Promise<DedicatedConnection> {
    const connection = new DedicatedConnection(events, startMilliseconds)
    const heard = {
      message: (message: ChildMessage) => connection.#receive(message),
      ended: (error: ProxyError) => events.ended(error),
    }
    connection.#channel = await Channel.start(spawner, key, heard, createKeptIds())
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

  /** A sink that fails when the server takes too long, and hears nothing afterwards. */
  #limitStart(sink: RequestSink): RequestSink {
    let isOver = false
    const settle = (deliver: () => void): void => {
      if (isOver) return
      isOver = true
      clearTimeout(timer)
      deliver()
    }
    const timer = setTimeout(() => {
      const error = new ProxyError('upstream_timeout', { cause: 'the server did not answer its first request', retryAfter: 2 })
      this.#channel?.giveUp(error)
      settle(() => sink.failed(error))
    }, this.#startMilliseconds)
    return {
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

  #answerPing({ id }: ChildMessage): void {
    try {
      this.#channel?.tell(formatPong(JSON.stringify(id)))
    } catch {
      // A child that doesn't read can't be answered.
    }
  }
}

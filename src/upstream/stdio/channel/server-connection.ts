import type { ProxyError } from '../../../core/errors.ts'
import type { Flow } from '../stream/event-stream.ts'
import type { ChildMessage } from '../wire/child-messages.ts'
import type { ClientMessage } from '../wire/client-messages.ts'
import type { PendingRequest } from './pending-request.ts'

/** Where what belongs to one request of a client goes. */
export interface RequestSink {
  /** A notification that belongs to the request, on one line; `message` is what the server said, where it came from one. */
  related(text: string, message?: ChildMessage): void
  /** The answer, on one line, with the client's id. */
  response(text: string, value: Readonly<Record<string, unknown>>): void
  /** There will be no answer. */
  failed(error: ProxyError): void
  /** The server has ended a stream that had no answer to wait for. */
  closed?(): void
}

/** The server as one MCP session sees it: a child of its own, or its share of one. */
export interface ServerConnection {
  /** Undefined where the child must not wait for this session's client. */
  readonly flow: Flow | undefined
  /** @throws ProxyError `upstream_busy`, `upstream_ended` */
  request(message: ClientMessage, sink: RequestSink): PendingRequest
  /** Sends a notification other than a cancellation, or a response. @throws ProxyError `upstream_busy`, `upstream_ended` */
  tell(message: ClientMessage): void
  /** The session is over. */
  end(): void
}

/** What a session hears from its server besides answers. */
export interface ServerEvents {
  /** Whether a client is there that would hear at once. */
  readonly isListening: boolean
  /** A request or notification that belongs to no request in particular. */
  message(message: ChildMessage): void
  /** The server is gone. Requests in flight have failed before. */
  ended(error: ProxyError): void
}

/** A sink that tells of its end first. */
export function whenOver(sink: RequestSink, over: () => void): RequestSink {
  const closed = sink.closed && {
    closed: () => {
      over()
      sink.closed?.()
    },
  }
  return {
    ...closed,
    related: (text, message) => sink.related(text, message),
    response: (text, value) => {
      over()
      sink.response(text, value)
    },
    failed: (error) => {
      over()
      sink.failed(error)
    },
  }
}

/** Answers a request without its server: there is nothing to cancel. */
export function answered(sink: RequestSink, text: string, code?: number): PendingRequest {
  sink.response(text, code === undefined ? {} : { error: { code } })
  return { cancel: () => undefined, moveTo: () => undefined }
}

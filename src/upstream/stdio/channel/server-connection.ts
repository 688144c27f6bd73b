import type { ProxyError } from '../../../core/errors.ts'
import type { Flow } from '../stream/event-stream.ts'
import type { ChildMessage } from '../wire/child-messages.ts'
import type { ClientMessage } from '../wire/client-messages.ts'
import type { PendingRequest } from './pending-request.ts'
import type { RequestSink } from './request-sink.ts'

/** The server as one MCP session sees it: a process of its own, or a share of one. */
export interface ServerConnection {
  /** Undefined where other sessions use the process too, so that it can't be made to wait for one client. */
  readonly flow: Flow | undefined
  /** @throws ProxyError `upstream_busy`, `upstream_ended` */
  request(message: ClientMessage, sink: RequestSink): PendingRequest
  /** Sends a response, or a notification other than a cancellation. @throws ProxyError `upstream_busy`, `upstream_ended` */
  tell(message: ClientMessage): void
  /** Ends the connection with its session. */
  end(): void
}

/** Receives what a server sends besides responses. */
export interface ServerEvents {
  /** Whether a client would receive a message at once. */
  readonly isListening: boolean
  /** Called with a request or notification that belongs to no request of the client. */
  message(message: ChildMessage): void
  /** Called when the server is gone, after all pending requests have failed. */
  ended(error: ProxyError): void
}

import type { ProxyError } from '../../../core/errors.ts'
import type { ChildMessage } from '../wire/child-messages.ts'
import { type PendingRequest, UNSENT } from './pending-request.ts'

/** Receives everything that belongs to one request of a client. */
export type RequestSink = ResponseSink | SubscriptionSink

/** Of a request that ends with its response. */
export interface ResponseSink extends ResponseEvents {
  readonly kind: 'response'
}

/** Of a subscription, which lasts until one of the two sides ends it. */
export interface SubscriptionSink extends ResponseEvents {
  readonly kind: 'subscription'
  /** Called when the server has ended the subscription. */
  closed(): void
}

interface ResponseEvents {
  /**
   * Called with each notification that belongs to the request, on one line.
   *
   * @param message - what the server wrote, if the notification is not one of ours
   */
  related(text: string, message?: ChildMessage): void
  /** Called with the response, on one line and with the client's id. */
  response(text: string, value: Readonly<Record<string, unknown>>): void
  /** Called when there will be no response. */
  failed(error: ProxyError): void
}

/** A sink that first calls `over` when its request ends. */
export function whenOver(sink: RequestSink, over: () => void): RequestSink {
  const events: ResponseEvents = {
    related: (text, message) => sink.related(text, message),
    response(text, value) {
      over()
      sink.response(text, value)
    },
    failed(error) {
      over()
      sink.failed(error)
    },
  }
  if (sink.kind === 'response') return { kind: 'response', ...events }
  const closed = (): void => {
    over()
    sink.closed()
  }
  return { kind: 'subscription', ...events, closed }
}

/** Answers a request without its server. */
export function answered(sink: RequestSink, text: string, code?: number): PendingRequest {
  sink.response(text, code === undefined ? {} : { error: { code } })
  return UNSENT
}

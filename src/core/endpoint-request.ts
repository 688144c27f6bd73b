import type { IncomingMessage, ServerResponse } from 'node:http'
import type { ErrorCode } from './errors.ts'
import type { RequestParties } from './request-parties.ts'

/** A request to an endpoint of our own, which writes the response itself. */
export interface EndpointRequest {
  /** Its `url` is the parsed path and query, whatever form the request target had. */
  readonly request: IncomingMessage
  readonly response: ServerResponse
  /** Without the query, as it was compared with the configured ones. */
  readonly path: string
  /** Names the request's line in the log. */
  readonly requestId: string
  /** Whose request it is, as far as trusted proxies say. */
  readonly address: string
  /** Logs why the request was refused. The cause holds no secrets. */
  note(code: ErrorCode, cause: unknown): void
  /** Logs whom the request is about, beside what was told before. */
  noteParties(parties: RequestParties): void
}

/** Called with each request to an endpoint. Errors that it throws become refusals. */
export type EndpointHandler = (incoming: EndpointRequest) => void | Promise<void>

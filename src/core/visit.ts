import type { IncomingMessage, ServerResponse } from 'node:http'
import type { ErrorCode } from './errors.ts'

/** One request to an endpoint that answers for itself. */
export interface Visit {
  /** Its `url` is the parsed path and query, whatever form the request target had. */
  readonly request: IncomingMessage
  readonly response: ServerResponse
  /** Without the query, as it was compared with the configured ones. */
  readonly path: string
  /** Names the request's line in the log. */
  readonly requestId: string
  /** Whose request it is, as far as trusted proxies say. */
  readonly address: string
  /** Says in the log why the visit did not go well. The cause holds no secrets. */
  note(code: ErrorCode, cause: unknown): void
}

/** Answers a visit. What it throws is answered as a refusal. */
export type VisitHandler = (visit: Visit) => void | Promise<void>

import type { AuditedOperation } from './audit.ts'
import type { ErrorCode, ErrorReason } from './errors.ts'
import type { Operation } from './operation.ts'
import type { Principal } from './principal.ts'
import type { RequestParties } from './request-parties.ts'
import type { TraceIds } from './trace-ids.ts'

/** What became of one request. The material of the log line; holds no token. */
export interface RequestRecord {
  readonly requestId: string
  /** Set at its end, while tracing is on. */
  trace: TraceIds | undefined
  readonly method: string
  /** Path without the query, which may hold a token. */
  readonly path: string
  /** Undefined when the request matched no route. */
  server: string | undefined
  principal: Principal | undefined
  /** Whom a request to the broker is about; undefined for all others. */
  parties: RequestParties | undefined
  operations: readonly Operation[]
  /** What was decided on each of them; undefined without an audit log, and before the decision. */
  outcomes: AuditedOperation[] | undefined
  /** The one that applies. */
  revision: string | undefined
  /** The one that the body asks for, in `initialize` or in `_meta`; else the one that applies. Undefined until the body was read. */
  askedRevision: string | undefined
  decision: 'permit' | 'deny' | undefined
  /** The rule that refused: `rules[2]`. */
  decidedBy: string | undefined
  /** What rules and access entries in shadow mode would have refused. */
  wouldDeny: readonly string[] | undefined
  code: ErrorCode | undefined
  /** What exactly is behind the code, where the catalogue tells several reasons apart. */
  reason: ErrorReason | undefined
  /** The same in words, for the operator. */
  cause: unknown
  /** Scopes that a refused request would have needed besides those of its token. */
  missingScopes: readonly string[] | undefined
  status: number
  /** Of the client, as far as trusted proxies report it. */
  readonly clientAddress: string
  /** Of the connection. */
  readonly remoteAddress: string
  readonly startedAt: number
  /** Milliseconds until the response headers, where they went ahead of the body. */
  headersAfter: number | undefined
  /** Milliseconds until the answer was complete. */
  duration: number
}

/** Called once for each finished request. Set by `composition/`; steps don't know it. */
export type RequestObserver = (record: RequestRecord) => void

import type { ErrorCode } from './errors.ts'
import type { Operation } from './operation.ts'
import type { RequestRecord } from './record.ts'
import type { TraceIds } from './trace-ids.ts'

/** The span of one request, and the steps within it. */
export interface RequestTrace {
  /** Of the span; undefined until its parent is known: before the call is sent, or the request is refused. */
  readonly ids: TraceIds | undefined
  /** Runs what serves the request: what we fetch from other hosts meanwhile becomes a part of its trace. */
  run<T>(task: () => T): T
  /** @param pattern - path as it is configured: it holds no id */
  setRoute(pattern: string): void
  /** Called when a step begins, which ends the one before. */
  step(name: string): void
  /** Called once the body was parsed: its `_meta` may name the span that the request belongs to (SEP-414). */
  setContextOfBody(context: Readonly<Record<string, string>> | undefined): void
  /** Called when the call is sent to its upstream, which ends the last step. */
  openCall(called: Called): CallTrace
  /** Called once, with what became of the request. */
  end(request: TracedRequest): void
}

/** What a span tells of its request. */
export type TracedRequest = Pick<RequestRecord, 'requestId' | 'method' | 'status' | 'code'> &
  Partial<Pick<RequestRecord, 'operations' | 'server' | 'decision' | 'decidedBy' | 'askedRevision' | 'reason'>>

/** What an upstream is called for. */
export interface Called {
  readonly method: string
  readonly operations: readonly Operation[]
  readonly route: { readonly server: string }
}

/** The span of a call to an upstream. */
export interface CallTrace {
  /** Header fields that tell the upstream which span it is called in. */
  readonly fields: Readonly<Record<string, string>>
  /** Names of all fields that may tell that, lower case. */
  readonly fieldNames: readonly string[]
  answer(status: number): void
  /** Called at the end of the answer; only the first time counts. */
  end(code?: ErrorCode): void
}

/** Names a span, for what tells of the same request elsewhere. */
export interface TraceIds {
  readonly traceId: string
  readonly spanId: string
  /** Whether the trace is recorded. */
  readonly isSampled: boolean
}

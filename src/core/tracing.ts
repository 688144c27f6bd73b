import type { Upstream } from './ports.ts'
import type { RequestTrace } from './request-trace.ts'

/** Traces of requests, while the environment asks for them. */
export interface Tracing {
  /** @param rawHeaders - of the request, which may name the span that it belongs to */
  open(rawHeaders: readonly string[]): RequestTrace
  /** @returns an upstream that does the same, and whose calls are traced */
  traceUpstream(upstream: Upstream, kind: 'http' | 'stdio'): Upstream
  /** Sends what was not sent yet, within a bounded time. */
  close(): Promise<void>
}

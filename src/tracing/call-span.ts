import { propagation, ROOT_CONTEXT, type Span, SpanStatusCode, trace } from '@opentelemetry/api'
import type { ErrorCode } from '../core/errors.ts'
import type { CallTrace } from '../core/request-trace.ts'

/** The span of a call to an upstream. */
export class CallSpan implements CallTrace {
  readonly #span: Span
  readonly #now: () => number
  #hasEnded = false

  constructor(span: Span, now: () => number) {
    this.#span = span
    this.#now = now
  }

  /** Of this span alone: baggage of the client is not ours to write anew. */
  get fields(): Readonly<Record<string, string>> {
    const fields: Record<string, string> = {}
    propagation.inject(trace.setSpan(ROOT_CONTEXT, this.#span), fields)
    return fields
  }

  get fieldNames(): readonly string[] {
    return propagation.fields().filter((name) => name !== 'baggage')
  }

  answer(status: number): void {
    this.#span.setAttribute('http.response.status_code', status)
    if (status >= 400) this.#fail(String(status))
  }

  end(code?: ErrorCode): void {
    if (this.#hasEnded) return
    this.#hasEnded = true
    if (code !== undefined && code !== 'client_gone') this.#fail(code)
    this.#span.end(this.#now())
  }

  #fail(type: string): void {
    this.#span.setAttribute('error.type', type).setStatus({ code: SpanStatusCode.ERROR, message: type })
  }
}

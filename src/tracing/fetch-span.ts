import { type Attributes, type Context, type Span, SpanKind, SpanStatusCode, type Tracer } from '@opentelemetry/api'
import type { FetchTrace, OutboundFetch } from '../core/outbound-fetch.ts'
import { createSpanClock } from './span-clock.ts'

/** Codes of Node and undici, such as `ECONNREFUSED`. Messages may be anything. */
const CODE = /^[A-Z][A-Z0-9_]{2,60}$/

/**
 * The span of a fetch of ours. It is made when its parent is known, which may be after its end: the body of a request may name the trace that
 * the request belongs to.
 */
export class FetchSpan implements FetchTrace {
  readonly #tracer: Tracer
  readonly #fetch: OutboundFetch
  readonly #now = createSpanClock()
  readonly #startedAt = this.#now()
  #span: Span | undefined
  #ended: { readonly at: number; readonly attributes: Attributes; readonly failure: string | undefined } | undefined

  constructor(tracer: Tracer, fetch: OutboundFetch) {
    this.#tracer = tracer
    this.#fetch = fetch
  }

  /** Called once. */
  open(parent: Context): void {
    const options = { kind: SpanKind.CLIENT, startTime: this.#startedAt, attributes: describe(this.#fetch) }
    this.#span = this.#tracer.startSpan(this.#fetch.method, options, parent)
    this.#close()
  }

  /** "Status code [...] in the 4xx and 5xx range" is an error of the one who asked (semantic conventions for HTTP, Status). */
  answer(status: number): void {
    this.#end({ 'http.response.status_code': status }, status >= 400 ? String(status) : undefined)
  }

  fail(error: unknown): void {
    this.#end({}, findCode(error))
  }

  #end(attributes: Attributes, failure: string | undefined): void {
    this.#ended = { at: this.#now(), attributes, failure }
    this.#close()
  }

  #close(): void {
    if (this.#span === undefined || this.#ended === undefined) return
    const { at, attributes, failure } = this.#ended
    this.#span.setAttributes(attributes)
    if (failure !== undefined) this.#span.setAttribute('error.type', failure).setStatus({ code: SpanStatusCode.ERROR })
    this.#span.end(at)
  }
}

/** By the semantic conventions for HTTP client spans. */
function describe({ method, target }: OutboundFetch): Attributes {
  return {
    'http.request.method': method,
    ...(target && { 'server.address': target.host, 'server.port': target.port, 'url.full': target.url }),
  }
}

/** "_OTHER" where nothing better is known (semantic conventions, error.type). */
function findCode(error: unknown): string {
  const { code, name } = error as { readonly code?: unknown; readonly name?: unknown }
  if (typeof code === 'string' && CODE.test(code)) return code
  return name === 'TimeoutError' || name === 'AbortError' ? name : '_OTHER'
}

import {
  type Context,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  type SpanOptions,
  TraceFlags,
  type Tracer,
  trace,
} from '@opentelemetry/api'
import type { Called, CallTrace, RequestTrace, TracedRequest } from '../core/request-trace.ts'
import type { TraceIds } from '../core/trace-ids.ts'
import { CallSpan } from './call-span.ts'
import { findSpanInFields, findSpanInHeaders } from './carrier.ts'
import type { FetchSpan } from './fetch-span.ts'
import { createSpanClock } from './span-clock.ts'
import { describeCall, describeRequest, markFailed, nameRequest } from './span-facts.ts'
import { runWaiting, type Waiting } from './waiting.ts'

interface Step {
  readonly name: string
  readonly at: number
}

/**
 * The span of one request. It is made late, since the body may name its parent, with the time when the request came. A class, since
 * thousands of streams may have one of these each.
 */
export class RequestSpan implements RequestTrace {
  readonly #tracer: Tracer
  readonly #now = createSpanClock()
  readonly #startedAt = this.#now()
  readonly #rawHeaders: readonly string[]
  readonly #steps: Step[] = []
  #route: string | undefined
  #inBody: Readonly<Record<string, string>> | undefined
  #opened: { readonly span: Span; readonly context: Context } | undefined
  #call: CallSpan | undefined
  /** Fetches from before the parent was known. */
  readonly #fetches: FetchSpan[] = []
  readonly #waiting: Waiting = { take: (fetch) => this.#take(fetch) }

  constructor(tracer: Tracer, rawHeaders: readonly string[]) {
    this.#tracer = tracer
    this.#rawHeaders = rawHeaders
  }

  get ids(): TraceIds | undefined {
    if (this.#opened === undefined) return undefined
    const { traceId, spanId, traceFlags } = this.#opened.span.spanContext()
    return { traceId, spanId, isSampled: (traceFlags & TraceFlags.SAMPLED) !== 0 }
  }

  run<T>(task: () => T): T {
    return runWaiting(this.#waiting, task)
  }

  setRoute(pattern: string): void {
    this.#route = pattern
  }

  step(name: string): void {
    this.#steps.push({ name, at: this.#now() })
  }

  setContextOfBody(context: Readonly<Record<string, string>> | undefined): void {
    this.#inBody = context
  }

  openCall(called: Called): CallTrace {
    this.step('')
    this.#waiting.take = undefined
    const { context } = this.#open()
    const options = { kind: SpanKind.CLIENT, startTime: this.#now(), attributes: describeCall(called) }
    this.#call = new CallSpan(this.#tracer.startSpan(nameRequest(called), options, context), this.#now)
    return this.#call
  }

  end(request: TracedRequest): void {
    this.#waiting.take = undefined
    this.#call?.end(request.code)
    const { span, context } = this.#open()
    if (!span.isRecording()) return
    const endedAt = this.#now()
    this.#endSteps(context, endedAt, request)
    span.updateName(nameRequest(request, this.#route))
    span.setAttributes(describeRequest(request, this.#route))
    markFailed(span, request)
    span.end(endedAt)
  }

  /** "Use context extracted from `params._meta` as a parent, and link current ambient context" (semantic conventions for MCP, Context propagation). */
  #open() {
    if (this.#opened !== undefined) return this.#opened
    const ambient = findSpanInHeaders(this.#rawHeaders)
    const named = this.#inBody && findSpanInFields(this.#inBody)
    const parent = named ?? ambient
    const context = parent === undefined ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, parent)
    const links = named && ambient && ambient.spanId !== named.spanId ? [{ context: ambient }] : []
    const options: SpanOptions = { kind: SpanKind.SERVER, startTime: this.#startedAt, links }
    const span = this.#tracer.startSpan('request', options, context)
    this.#opened = { span, context: trace.setSpan(ROOT_CONTEXT, span) }
    for (const fetch of this.#fetches.splice(0)) fetch.open(this.#opened.context)
    return this.#opened
  }

  #take(fetch: FetchSpan): void {
    if (this.#opened === undefined) this.#fetches.push(fetch)
    else fetch.open(this.#opened.context)
  }

  /** The step in which a request was refused is the last one, and failed with it. */
  #endSteps(context: Context, endedAt: number, request: TracedRequest): void {
    this.#steps.forEach(({ name, at }, index) => {
      if (name === '') return
      const next = this.#steps[index + 1]
      const span = this.#tracer.startSpan(name, { startTime: at }, context)
      if (next === undefined) markFailed(span, request)
      span.end(next?.at ?? endedAt)
    })
  }
}

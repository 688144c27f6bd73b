import { createServer, type IncomingHttpHeaders } from 'node:http'
import { gunzipSync } from 'node:zlib'
import { closeServer, listenOnLoopback } from '../../src/sandbox/listen.ts'
import { waitUntil } from './processes.ts'

/** A span as it was exported. */
export interface ReceivedSpan {
  readonly name: string
  readonly traceId: string
  readonly spanId: string
  /** Empty for the first of a trace. */
  readonly parentSpanId: string
  /** 1: internal, 2: server, 3: client (opentelemetry.proto.trace.v1.Span.SpanKind). */
  readonly kind: number
  readonly startedAt: bigint
  readonly endedAt: bigint
  readonly attributes: Readonly<Record<string, unknown>>
  readonly links: readonly { readonly traceId: string; readonly spanId: string }[]
  /** 2: error. */
  readonly status: { readonly code?: number; readonly message?: string }
  readonly resource: Readonly<Record<string, unknown>>
}

export interface TraceReceiver {
  readonly origin: string
  readonly spans: readonly ReceivedSpan[]
  /** Header sections of the exports. */
  readonly exports: readonly IncomingHttpHeaders[]
  /** Everything that arrived. */
  text(): string
  /** The first span that matches: already there, or as soon as it arrives. */
  waitFor(matches: (span: ReceivedSpan) => boolean): Promise<ReceivedSpan>
  close(): Promise<void>
}

/** Receives spans by the OpenTelemetry protocol in JSON (`OTEL_EXPORTER_OTLP_PROTOCOL=http/json`). */
export async function startTraceReceiver(): Promise<TraceReceiver> {
  const spans: ReceivedSpan[] = []
  const exports: IncomingHttpHeaders[] = []
  let text = ''
  const server = createServer(async (request, response) => {
    const pieces: Buffer[] = []
    for await (const piece of request) pieces.push(piece as Buffer)
    const body = Buffer.concat(pieces)
    const json = (request.headers['content-encoding'] === 'gzip' ? gunzipSync(body) : body).toString()
    text += json
    exports.push(request.headers)
    spans.push(...readSpans(JSON.parse(json) as TracesRequest))
    response.writeHead(200, { 'content-type': 'application/json' }).end('{}')
  })
  const port = await listenOnLoopback(server, 0)
  return {
    origin: `http://127.0.0.1:${port}`,
    spans,
    exports,
    text: () => text,
    async waitFor(matches) {
      await waitUntil(() => spans.some(matches), 'the span arrives').catch((error: Error) => {
        throw new Error(`${error.message}: ${describe(spans)}`)
      })
      return spans.find(matches) as ReceivedSpan
    },
    close: () => closeServer(server),
  }
}

/** `ExportTraceServiceRequest` in the JSON encoding of the protocol. */
export interface TracesRequest {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: readonly KeyValue[] }
    readonly scopeSpans: readonly { readonly spans: readonly EncodedSpan[] }[]
  }[]
}

interface KeyValue {
  readonly key: string
  readonly value: Readonly<Record<string, unknown>>
}

interface EncodedSpan {
  readonly name: string
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId?: string
  readonly kind: number
  readonly startTimeUnixNano: string
  readonly endTimeUnixNano: string
  readonly attributes?: readonly KeyValue[]
  readonly links?: readonly { readonly traceId: string; readonly spanId: string }[]
  readonly status?: { readonly code?: number; readonly message?: string }
}

export function readSpans({ resourceSpans }: TracesRequest): ReceivedSpan[] {
  return resourceSpans.flatMap(({ resource, scopeSpans }) =>
    scopeSpans.flatMap(({ spans }) => spans.map((span) => readSpan(span, readAttributes(resource.attributes)))),
  )
}

function readSpan(span: EncodedSpan, resource: Readonly<Record<string, unknown>>): ReceivedSpan {
  const { name, traceId, spanId, parentSpanId = '', kind, links = [], status = {} } = span
  const [startedAt, endedAt] = [BigInt(span.startTimeUnixNano), BigInt(span.endTimeUnixNano)]
  const attributes = readAttributes(span.attributes ?? [])
  return { name, traceId, spanId, parentSpanId, kind, startedAt, endedAt, attributes, links, status, resource }
}

function readAttributes(attributes: readonly KeyValue[]): Record<string, unknown> {
  return Object.fromEntries(attributes.map(({ key, value }) => [key, Object.values(value)[0]]))
}

function describe(spans: readonly ReceivedSpan[]): string {
  return JSON.stringify(spans.map(({ name, traceId }) => `${traceId} ${name}`))
}

import { AsyncResource } from 'node:async_hooks'
import { trace } from '@opentelemetry/api'
import { NodeSDK } from '@opentelemetry/sdk-node'
import { afterEach, describe, expect, it } from 'vitest'
import { tellFetch } from '../core/outbound-fetch.ts'
import type { RequestTrace, TracedRequest } from '../core/request-trace.ts'
import type { Tracing } from '../core/tracing.ts'
import { startTracing } from './start-tracing.ts'

const request: TracedRequest = { requestId: 'r-1', method: 'GET', status: 200, code: undefined }

const open: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close()
})

interface EndedSpan {
  readonly name: string
  readonly attributes: Readonly<Record<string, unknown>>
  readonly parentSpanContext?: { readonly spanId: string } | undefined
}

/** The SDK of an application that the proxy is a part of. */
function startForeignSdk() {
  const ended: string[] = []
  const spans: EndedSpan[] = []
  const shutdowns: unknown[] = []
  const processor = {
    onStart: () => undefined,
    onEnd: (span: EndedSpan) => {
      ended.push(span.name)
      spans.push(span)
    },
    forceFlush: async () => undefined,
    shutdown: async () => void shutdowns.push(true),
  }
  const sdk = new NodeSDK({ spanProcessors: [processor], instrumentations: [], metricReaders: [], logRecordProcessors: [] })
  sdk.start()
  open.push(async () => {
    await sdk.shutdown()
    trace.disable()
  })
  return { ended, spans, shutdowns }
}

const start = async (): Promise<Tracing> => {
  const lines: string[] = []
  const tracing = (await startTracing({ OTEL_TRACES_EXPORTER: 'otlp' }, (_level, line) => lines.push(line))) as Tracing
  open.push(() => tracing.close())
  expect(lines).toEqual(['traces are sent by OpenTelemetry, since OTEL_TRACES_EXPORTER is set'])
  return tracing
}

it('spans go to an SDK that was started before, which goes on when the proxy is closed', async () => {
  const { ended, shutdowns } = startForeignSdk()
  const tracing = await start()
  tracing.open([]).end(request)
  expect(ended).toEqual(['GET'])
  await tracing.close()
  expect(shutdowns).toEqual([])
})

describe('a fetch', () => {
  const URL_OF_KEYS = new URL('https://idp.example.com/keys?token=secret')
  const fetchKeys = () => tellFetch('GET', URL_OF_KEYS, async () => ({ status: 200 }))
  const called = { method: 'POST', operations: [], route: { server: 'files' } }

  it.each<[string, (trace: RequestTrace) => void]>([
    ['is over', (trace) => trace.end(request)],
    ['was sent on to its MCP server', (trace) => void trace.openCall(called)],
  ])('that a request has left behind is a trace of its own once the request %s', async (_name, settle) => {
    const { spans } = startForeignSdk()
    const traced = (await start()).open([])
    const later = traced.run(() => AsyncResource.bind(fetchKeys))
    settle(traced)
    await later()
    expect(spans.filter(({ attributes }) => 'url.full' in attributes)).toMatchObject([
      { parentSpanContext: undefined, attributes: { 'url.full': 'https://idp.example.com/keys', 'server.port': 443 } },
    ])
  })

  it('that is still under way at the end of its request ends as a span within it', async () => {
    const { spans } = startForeignSdk()
    const traced = (await start()).open([])
    const { promise, resolve } = Promise.withResolvers<{ status: number }>()
    const fetching = traced.run(() => tellFetch('GET', URL_OF_KEYS, () => promise))
    traced.end(request)
    expect(spans).toHaveLength(1)
    resolve({ status: 503 })
    await fetching
    expect(spans[1]).toMatchObject({ parentSpanContext: { spanId: traced.ids?.spanId }, attributes: { 'error.type': '503' } })
  })

  it('names an address of IPv6 without the brackets that it has in a URL, and no user of one', async () => {
    const { spans } = startForeignSdk()
    await start()
    await tellFetch('GET', new URL('http://me:secret@[::1]:8080/keys?a=b#c'), async () => ({ status: 200 }))
    const { attributes } = spans[0] as EndedSpan
    expect(attributes).toMatchObject({ 'server.address': '::1', 'server.port': 8080, 'url.full': 'http://[::1]:8080/keys' })
  })

  it('is one span where two proxies of one process have one SDK, and none when they are closed', async () => {
    const { ended } = startForeignSdk()
    const both = [await start(), await start()]
    await fetchKeys()
    for (const tracing of both) await tracing.close()
    await fetchKeys()
    expect(ended).toEqual(['GET'])
  })

  it.each([
    [Object.assign(new Error('connect to 10.0.0.1'), { code: 'ECONNREFUSED' }), 'ECONNREFUSED'],
    [Object.assign(new Error('x'), { code: 'a secret' }), '_OTHER'],
    [new Error('a message with a secret'), '_OTHER'],
    [AbortSignal.abort().reason, 'AbortError'],
  ])('that fails is an error by its code, not by its message: %o', async (error, type) => {
    const { spans } = startForeignSdk()
    await start()
    await expect(tellFetch('GET', undefined, () => Promise.reject(error))).rejects.toBe(error)
    expect(spans.map(({ attributes }) => attributes)).toEqual([{ 'http.request.method': 'GET', 'error.type': type }])
  })
})

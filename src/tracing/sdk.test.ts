import { NodeSDK } from '@opentelemetry/sdk-node'
import { afterEach, expect, it } from 'vitest'
import type { TracedRequest } from '../core/request-trace.ts'
import type { Tracing } from '../core/tracing.ts'
import { startTracing } from './start-tracing.ts'

const request: TracedRequest = { requestId: 'r-1', method: 'GET', status: 200, code: undefined }

const open: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close()
})

/** The SDK of an application that the proxy is a part of. */
function startForeignSdk() {
  const ended: string[] = []
  const shutdowns: unknown[] = []
  const processor = {
    onStart: () => undefined,
    onEnd: ({ name }: { readonly name: string }) => void ended.push(name),
    forceFlush: async () => undefined,
    shutdown: async () => void shutdowns.push(true),
  }
  const sdk = new NodeSDK({ spanProcessors: [processor], instrumentations: [], metricReaders: [], logRecordProcessors: [] })
  sdk.start()
  open.push(() => sdk.shutdown())
  return { ended, shutdowns }
}

const start = async (): Promise<Tracing> => {
  const lines: string[] = []
  const tracing = await startTracing({ OTEL_TRACES_EXPORTER: 'otlp' }, (_level, line) => lines.push(line))
  expect(lines).toEqual(['traces are sent by OpenTelemetry, since OTEL_TRACES_EXPORTER is set'])
  return tracing as Tracing
}

it('spans go to an SDK that was started before, which goes on when the proxy is closed', async () => {
  const { ended, shutdowns } = startForeignSdk()
  const tracing = await start()
  tracing.open([]).end(request)
  expect(ended).toEqual(['GET'])
  await tracing.close()
  expect(shutdowns).toEqual([])
})

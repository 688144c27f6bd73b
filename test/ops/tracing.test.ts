import { createServer, type IncomingMessage } from 'node:http'
import { fileURLToPath } from 'node:url'
import { afterEach, expect, it } from 'vitest'
import { closeServer, listenOnLoopback } from '../../src/sandbox/listen.ts'
import { startEgressProxy } from '../support/egress-proxy.ts'
import { findFreePort } from '../support/free-port.ts'
import { waitUntil } from '../support/processes.ts'
import { answerJson, startRecordingUpstream } from '../support/recording-upstream.ts'
import { startIssuer } from '../support/tokens.ts'
import { readSpans, startTraceReceiver } from '../support/trace-receiver.ts'
import { type Replica, startReplica } from './support/replica.ts'

const HOOKS = fileURLToPath(new URL('../fixtures/tracing/module-hooks.mjs', import.meta.url))
/** Milliseconds for which a stop may wait for a collector, and what it takes besides. */
const STOP_MS = 3000 + 5000

const open: (() => unknown)[] = []
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close()
})

/** Starts the proxy in a process of its own, with variables of OpenTelemetry. */
async function start(env: Record<string, string>) {
  const upstream = await startRecordingUpstream(answerJson({ jsonrpc: '2.0', id: 1, result: {} }))
  const issuer = await startIssuer()
  open.push(
    () => upstream.close(),
    () => issuer.close(),
  )
  const port = await findFreePort()
  const lines: string[] = []
  const config = {
    public_url: `http://127.0.0.1:${port}`,
    listen: { port },
    issuers: [issuer.issuer],
    servers: [{ name: 'files', path: '/mcp', upstream: `${upstream.origin}/mcp` }],
  }
  const replica = startReplica(config, {
    env: { NODE_OPTIONS: `--import ${HOOKS}`, ...env },
    onLine: (line) => lines.push(line),
  })
  open.push(async () => {
    replica.signal('SIGKILL')
    await replica.exited
  })
  await replica.waitUntilReady()
  const token = await issuer.mint({ claims: { aud: `${replica.origin}/mcp` } })
  return { replica, lines, call: () => call(replica, token) }
}

async function call({ origin }: Replica, token: string): Promise<number> {
  const response = await fetch(`${origin}/mcp`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: '{"jsonrpc":"2.0","id":1,"method":"ping"}',
  })
  await response.arrayBuffer()
  return response.status
}

const listLoaded = ({ told }: Replica): string[] => told.filter((line) => line.startsWith('loaded '))

async function stop(replica: Replica): Promise<{ readonly code: number | null; readonly milliseconds: number }> {
  const began = performance.now()
  replica.signal('SIGTERM')
  const { code, at } = await replica.exited
  return { code, milliseconds: at - began }
}

it('no module of OpenTelemetry is loaded where the environment asks for no traces', async () => {
  const { replica, call } = await start({ OTEL_SERVICE_NAME: 'a-service', OTEL_EXPORTER_OTLP_HEADERS: 'a=b' })
  expect(await call()).toBe(200)
  expect((await stop(replica)).code).toBe(0)
  expect(listLoaded(replica)).toEqual([])
})

it('traces go past the egress proxy, which docs/recipes/company-proxy.md says', async () => {
  const egress = await startEgressProxy({ routes: {} })
  open.push(() => egress.close())
  const { lines, call } = await start({
    HTTP_PROXY: egress.url,
    OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector.example.test:4318',
    OTEL_BSP_SCHEDULE_DELAY: '100',
    OTEL_EXPORTER_OTLP_TIMEOUT: '1000',
  })
  expect(await call()).toBe(200)
  await waitUntil(() => lines.some((line) => line.includes('"OpenTelemetry: ')), 'the log tells of the collector', 30_000)
  expect([egress.tunnels, egress.others]).toEqual([[], []])
})

it('where the packages are missing, the start says once what to install, and goes on', async () => {
  const { lines, call, replica } = await start({
    OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:1',
    TEST_OTEL_MISSING: 'true',
  })
  expect(await call()).toBe(200)
  await stop(replica)
  const told = lines.filter((line) => line.includes('OTEL_'))
  expect(told).toHaveLength(1)
  expect(told[0]).toContain('npm install @opentelemetry/sdk-node @opentelemetry/api')
  expect(JSON.parse(told[0] ?? '{}')).toMatchObject({ level: 'warn' })
})

it('a stop sends what was not sent yet', async () => {
  const receiver = await startTraceReceiver()
  open.push(() => receiver.close())
  const { replica, call } = await start({
    OTEL_EXPORTER_OTLP_ENDPOINT: receiver.origin,
    OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
    OTEL_BSP_SCHEDULE_DELAY: '600000',
    OTEL_SERVICE_NAME: 'a-service',
  })
  expect(await call()).toBe(200)
  expect(listLoaded(replica).length).toBeGreaterThan(10)
  expect(receiver.spans).toEqual([])
  expect((await stop(replica)).code).toBe(0)
  expect(receiver.spans.filter(({ kind }) => kind === 2).map(({ name }) => name)).toEqual(['ping'])
  expect(receiver.spans[0]?.resource['service.name']).toBe('a-service')
})

it('a collector that is down delays no call and no stop, and is told of once', async () => {
  const { replica, lines, call } = await start({
    OTEL_EXPORTER_OTLP_ENDPOINT: `http://user:a-password@127.0.0.1:${await findFreePort()}`,
    OTEL_BSP_SCHEDULE_DELAY: '10',
    // The SDK would write to the console, where the log goes.
    OTEL_LOG_LEVEL: 'debug',
  })
  for (let i = 0; i < 20; i += 1) expect(await call()).toBe(200)
  await waitUntil(() => lines.some((line) => line.includes('OpenTelemetry: connect ECONNREFUSED')), 'the log tells of it', 30_000)
  const { code, milliseconds } = await stop(replica)
  expect([code, milliseconds < STOP_MS]).toEqual([0, true])
  expect(
    lines.filter((line) => line.includes('OpenTelemetry: ')),
    lines.join(),
  ).toHaveLength(1)
  for (const line of lines) JSON.parse(line)
  expect(lines.join()).not.toContain('a-password')
})

it('a collector that never answers delays no call and no stop, and holds a bounded number of spans', async () => {
  const spans: unknown[] = []
  const held: IncomingMessage[] = []
  const hanging = createServer(async (request) => {
    held.push(request)
    const pieces: Buffer[] = []
    for await (const piece of request) pieces.push(piece as Buffer)
    spans.push(...readSpans(JSON.parse(Buffer.concat(pieces).toString())))
  })
  const port = await listenOnLoopback(hanging, 0)
  open.push(() => closeServer(hanging))
  const { replica, call } = await start({
    OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}`,
    OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
    OTEL_BSP_SCHEDULE_DELAY: '10',
    OTEL_BSP_MAX_QUEUE_SIZE: '20',
    OTEL_BSP_MAX_EXPORT_BATCH_SIZE: '20',
  })
  expect(await call()).toBe(200)
  await waitUntil(() => held.length > 0, 'the collector is asked')
  for (let i = 0; i < 100; i += 1) expect(await call()).toBe(200)
  const { code, milliseconds } = await stop(replica)
  expect([code, milliseconds < STOP_MS]).toEqual([0, true])
  // Of 500: one batch that hangs, and one queue at the stop.
  expect(spans.length).toBeLessThanOrEqual(40)
})

// Traces on their way to a real OpenTelemetry collector, in the encodings that it is asked in.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { startReplica } from '../ops/support/replica.ts'
import { findFreePort } from '../support/free-port.ts'
import { waitUntil } from '../support/processes.ts'
import { answerJson, startRecordingUpstream } from '../support/recording-upstream.ts'
import { startIssuer } from '../support/tokens.ts'
import { type ReceivedSpan, readSpans, type TracesRequest } from '../support/trace-receiver.ts'
import { findProgram } from './programs.ts'

const program = findProgram('collector')
const TRACEPARENT = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'

const open: (() => unknown)[] = []
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close()
})

describe.skipIf(program === undefined)('a collector', () => {
  const folder = mkdtempSync(join(tmpdir(), 'collector-'))
  const file = join(folder, 'traces.jsonl')
  let ports: { readonly http: number; readonly grpc: number }
  let stop: () => Promise<void>
  beforeAll(async () => {
    ports = { http: await findFreePort(), grpc: await findFreePort() }
    const protocols = `http: { endpoint: '127.0.0.1:${ports.http}' }, grpc: { endpoint: '127.0.0.1:${ports.grpc}' }`
    const config = [
      `receivers: { otlp: { protocols: { ${protocols} } } }`,
      `exporters: { file: { path: '${file}', flush_interval: 100ms } }`,
      'service: { telemetry: { metrics: { level: none } }, pipelines: { traces: { receivers: [otlp], exporters: [file] } } }',
    ].join('\n')
    writeFileSync(join(folder, 'config.yaml'), config)
    const child = spawn(program ?? '', ['--config', join(folder, 'config.yaml')], { stdio: ['ignore', 'ignore', 'pipe'] })
    let told = ''
    child.stderr.on('data', (piece) => (told += piece))
    stop = async () => {
      const exited = once(child, 'exit')
      if (child.kill()) await exited
    }
    const isOpen = async (): Promise<boolean> => (await isListening(ports.http)) && (await isListening(ports.grpc))
    await waitUntil(isOpen, 'the collector listens', 30_000).catch((error: Error) => {
      throw new Error(`${error.message}: ${told}`)
    })
  })
  afterAll(async () => {
    await stop()
    rmSync(folder, { recursive: true, force: true })
  })

  const readFile = (): ReceivedSpan[] => {
    const lines = existsSync(file) ? readFileSync(file, 'utf8').split('\n') : []
    return lines.filter((line) => line.endsWith('}')).flatMap((line) => readSpans(JSON.parse(line) as TracesRequest))
  }

  it.each([
    ['as is usual', 'http', {}],
    ['in protobuf over gRPC', 'grpc', { OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' }],
    ['in JSON over HTTP', 'http', { OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json' }],
  ] as const)('gets the spans of a call %s', async (name, protocol, more) => {
    const server = name.replaceAll(' ', '-')
    await serveOneCall(server, { OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${ports[protocol]}`, ...more })
    const isOfServer = ({ attributes }: ReceivedSpan): boolean => attributes['mcp_auth_proxy.server'] === server
    await waitUntil(() => readFile().filter(isOfServer).length === 2, 'the collector has written both spans')
    const [caller, request] = readFile()
      .filter(isOfServer)
      .toSorted((one, other) => other.kind - one.kind)
    expect(request).toMatchObject({ kind: 2, name: 'tools/call search', parentSpanId: '00f067aa0ba902b7' })
    expect(request?.traceId).toBe('4bf92f3577b34da6a3ce929d0e0e4736')
    expect(caller).toMatchObject({ kind: 3, name: 'tools/call search', parentSpanId: request?.spanId, traceId: request?.traceId })
    expect(request?.resource).toMatchObject({ 'service.name': 'open-mcp-auth-proxy' })
  })
})

async function isListening(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1')
  const isOpen = await Promise.race([once(socket, 'connect').then(() => true), once(socket, 'close').then(() => false)]).catch(
    () => false,
  )
  socket.destroy()
  return isOpen
}

/** Starts the proxy in a process of its own, sends it one call, and stops it. */
async function serveOneCall(name: string, env: Readonly<Record<string, string>>): Promise<void> {
  const upstream = await startRecordingUpstream(answerJson({ jsonrpc: '2.0', id: 1, result: {} }))
  const issuer = await startIssuer()
  open.push(
    () => upstream.close(),
    () => issuer.close(),
  )
  const port = await findFreePort()
  const replica = startReplica(
    {
      public_url: `http://127.0.0.1:${port}`,
      listen: { port },
      issuers: [issuer.issuer],
      servers: [{ name, path: '/mcp', upstream: `${upstream.origin}/mcp` }],
    },
    { env },
  )
  open.push(() => replica.signal('SIGKILL'))
  await replica.waitUntilReady()
  const token = await issuer.mint({ claims: { aud: `${replica.origin}/mcp` } })
  const response = await fetch(`${replica.origin}/mcp`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', traceparent: TRACEPARENT },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'search' } }),
  })
  expect(response.status).toBe(200)
  await response.arrayBuffer()
  replica.signal('SIGTERM')
  expect((await replica.exited).code).toBe(0)
}

import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { fileURLToPath } from 'node:url'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { SSEClientTransport } from '@modelcontextprotocol/sdk/client/sse.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { SSEServerTransport } from '@modelcontextprotocol/sdk/server/sse.js'
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { closeServer, listenOnLoopback } from '../src/sandbox/listen.ts'
import { createTellingServer } from './fixtures/tracing/telling-server.ts'
import { startTestProxy, type TestProxy } from './support/proxy.ts'
import { sendRaw } from './support/raw-client.ts'
import { answerJson, type RecordingUpstream, startRecordingUpstream } from './support/recording-upstream.ts'
import { startIssuer, type TestIssuer } from './support/tokens.ts'
import { type ReceivedSpan, startTraceReceiver, type TraceReceiver } from './support/trace-receiver.ts'

const TELLING = fileURLToPath(new URL('./fixtures/tracing/telling-server.ts', import.meta.url))
const ADMIN_TOKEN = 'operators-only-'.repeat(3)
const SERVER = 2
const CLIENT = 3
const ERROR = 2

let receiver: TraceReceiver
let upstream: RecordingUpstream
let issuer: TestIssuer
let proxy: TestProxy
let token: string
let closeTelling: () => Promise<void>

beforeAll(async () => {
  receiver = await startTraceReceiver()
  Object.assign(process.env, {
    OTEL_EXPORTER_OTLP_ENDPOINT: receiver.origin,
    OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
    OTEL_EXPORTER_OTLP_HEADERS: 'x-collector-key=of-the-operator',
    OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment.name=test',
    OTEL_BSP_SCHEDULE_DELAY: '50',
  })
  upstream = await startRecordingUpstream(answerJson({ jsonrpc: '2.0', id: 1, result: {} }))
  issuer = await startIssuer()
  const telling = await startTellingServer()
  closeTelling = telling.close
  proxy = await startTestProxy(
    {
      issuers: [issuer.issuer],
      admin: { port: 0, token: { env: 'ADMIN_TOKEN' } },
      servers: [
        { name: 'files', path: '/mcp', upstream: `${upstream.origin}/mcp`, rules: [{ tool: 'secret', scopes: ['never'] }] },
        { name: 'streamable', path: '/streamable', upstream: `${telling.origin}/mcp` },
        {
          name: 'old',
          path: '/old',
          upstream: `${telling.origin}/mcp`,
          sse: { path: '/old/sse', upstream: `${telling.origin}/sse` },
        },
        { name: 'stdio', path: '/stdio', upstream: { command: [process.execPath, TELLING] }, sse: { path: '/stdio/sse' } },
      ],
    },
    { ADMIN_TOKEN },
  )
  const paths = ['/mcp', '/streamable', '/old', '/old/sse', '/stdio', '/stdio/sse']
  token = await issuer.mint({ claims: { aud: paths.map((path) => `${proxy.origin}${path}`), sub: 'alice-the-subject' } })
})
afterAll(async () => {
  await proxy.close()
  await Promise.all([receiver.close(), upstream.close(), issuer.close(), closeTelling()])
})

/** A real MCP server over Streamable HTTP at `/mcp`, and over HTTP+SSE at `/sse`. */
async function startTellingServer() {
  const streams = new Map<string, SSEServerTransport>()
  const server = createServer(async (request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '', 'http://localhost')
    if (pathname === '/messages') return streams.get(searchParams.get('sessionId') ?? '')?.handlePostMessage(request, response)
    const isStream = pathname === '/sse'
    const transport = isStream ? new SSEServerTransport('/messages', response) : new StreamableHTTPServerTransport({})
    await createTellingServer().connect(transport)
    if (transport instanceof SSEServerTransport) streams.set(transport.sessionId, transport)
    else await transport.handleRequest(request, response)
  })
  const port = await listenOnLoopback(server, 0)
  return { origin: `http://127.0.0.1:${port}`, close: () => closeServer(server) }
}

/** Where a client is in a trace of its own. */
function createParent(flags = '01') {
  const [traceId, spanId] = [randomBytes(16).toString('hex'), randomBytes(8).toString('hex')]
  return { traceId, spanId, traceparent: `00-${traceId}-${spanId}-${flags}` }
}

interface Told {
  readonly headers: Readonly<Record<string, string>>
  readonly meta: Readonly<Record<string, string>>
}

/** Calls the tool of the telling server with the official client. */
async function callTell(path: string, headers: Record<string, string>, meta?: Record<string, unknown>): Promise<Told> {
  const url = new URL(`${proxy.origin}${path}`)
  const requestInit = { headers: { authorization: `Bearer ${token}`, ...headers } }
  const isSse = path.endsWith('/sse')
  const transport = isSse ? new SSEClientTransport(url, { requestInit }) : new StreamableHTTPClientTransport(url, { requestInit })
  const client = new Client({ name: 'test', version: '1.0.0' })
  await client.connect(transport as never)
  const result = await client.callTool({ name: 'tell', arguments: {}, ...(meta && { _meta: meta }) })
  await client.close()
  return JSON.parse((result.content as { text: string }[])[0]?.text ?? '') as Told
}

const call = (name: string, more: object = {}) => ({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name, ...more } })

async function post(body: unknown, headers: Readonly<Record<string, string>> = {}, path = '/mcp'): Promise<Response> {
  const response = await fetch(`${proxy.origin}${path}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  })
  await response.arrayBuffer()
  return response
}

/** The span of the request in a trace. It is exported behind its steps. */
function waitForServerSpan({ traceId }: { readonly traceId: string }): Promise<ReceivedSpan> {
  return receiver.waitFor((span) => span.traceId === traceId && span.kind === SERVER)
}

const parse = (traceparent = '') => traceparent.split('-')

describe('a call', () => {
  it.each([
    ['/streamable', 'the header section'],
    ['/old/sse', 'the header section'],
    ['/stdio', '_meta'],
    ['/stdio/sse', '_meta'],
  ])('of %s is one trace from the client through the proxy to a real MCP server, told in %s', async (path, where) => {
    const parent = createParent()
    const told = await callTell(path, { traceparent: parent.traceparent })
    const carried = where === '_meta' ? told.meta.traceparent : told.headers.traceparent
    const [, traceId, callerId, flags] = parse(carried)
    expect([traceId, flags]).toEqual([parent.traceId, '01'])
    const caller = await receiver.waitFor(({ spanId }) => spanId === callerId)
    expect(caller).toMatchObject({ traceId, kind: CLIENT, name: 'tools/call tell' })
    const server = await receiver.waitFor(({ spanId }) => spanId === caller.parentSpanId)
    expect(server).toMatchObject({ traceId, kind: SERVER, name: 'tools/call tell', parentSpanId: parent.spanId })
  })

  it('of 2026-07-28 is told to a stdio server of an older revision, too', async () => {
    const parent = createParent()
    const revision = '2026-07-28'
    const key = 'io.modelcontextprotocol'
    const envelope = { [`${key}/protocolVersion`]: revision, [`${key}/clientCapabilities`]: {} }
    const response = await fetch(`${proxy.origin}/stdio`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${token}`,
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        'mcp-protocol-version': revision,
        'mcp-method': 'tools/call',
        'mcp-name': 'tell',
        traceparent: parent.traceparent,
      },
      body: JSON.stringify(call('tell', { arguments: {}, _meta: envelope })),
    })
    const text = await response.text()
    const [, callerId] = new RegExp(`00-${parent.traceId}-([0-9a-f]{16})-01`).exec(text) ?? []
    expect(callerId, text).toBeDefined()
    expect(await receiver.waitFor(({ spanId }) => spanId === callerId)).toMatchObject({ kind: CLIENT, traceId: parent.traceId })
  })

  it('is parted into its steps', async () => {
    const parent = createParent()
    await post(call('search'), { traceparent: parent.traceparent })
    const server = await waitForServerSpan(parent)
    const steps = receiver.spans.filter(({ parentSpanId }) => parentSpanId === server.spanId)
    expect(steps.map(({ name }) => name).sort()).toEqual([
      'authenticate',
      'authorize',
      'forward',
      'read call',
      'tools/call search',
    ])
    for (const { startedAt, endedAt } of steps) {
      expect(startedAt >= server.startedAt && endedAt <= server.endedAt && startedAt <= endedAt).toBe(true)
    }
  })

  it('is described by the semantic conventions, and without who sent it and what they sent', async () => {
    const parent = createParent()
    const { headers } = await post(call('search', { arguments: { q: 'a-secret-argument' } }), { traceparent: parent.traceparent })
    const server = await waitForServerSpan(parent)
    expect(server.attributes).toEqual({
      'http.request.method': 'POST',
      'http.route': '/mcp',
      'http.response.status_code': 200,
      'mcp.method.name': 'tools/call',
      'mcp.protocol.version': '2025-03-26',
      'gen_ai.tool.name': 'search',
      'gen_ai.operation.name': 'execute_tool',
      'mcp_auth_proxy.request_id': headers.get('x-request-id'),
      'mcp_auth_proxy.server': 'files',
      'mcp_auth_proxy.decision': 'permit',
    })
    for (const secret of ['a-secret-argument', 'alice-the-subject', token, upstream.origin])
      expect(receiver.text()).not.toContain(secret)
  })

  it('begins a trace of its own where the client has none', async () => {
    const { headers } = await post(call('search'))
    const line = await proxy.log.waitFor(({ request_id: id }) => id === headers.get('x-request-id'))
    const server = await receiver.waitFor(({ spanId }) => spanId === line.span_id)
    expect(server).toMatchObject({ traceId: line.trace_id, kind: SERVER, parentSpanId: '' })
  })
})

describe('the span that a request belongs to', () => {
  it('is the one that its _meta names, and the one of its header section is linked (semantic conventions for MCP)', async () => {
    const [outer, inner] = [createParent(), createParent()]
    await post(call('search', { _meta: { traceparent: inner.traceparent } }), { traceparent: outer.traceparent })
    const server = await waitForServerSpan(inner)
    expect(server.parentSpanId).toBe(inner.spanId)
    expect(server.links.map(({ spanId }) => spanId)).toEqual([outer.spanId])
  })

  it('is named in _meta of a batch, too', async () => {
    const inner = createParent()
    await post([{ jsonrpc: '2.0', method: 'notifications/x' }, call('search', { _meta: { traceparent: inner.traceparent } })])
    expect(await waitForServerSpan(inner)).toMatchObject({ name: 'batch', parentSpanId: inner.spanId, links: [] })
  })

  it('keeps its trace state on the way to the MCP server', async () => {
    const parent = createParent()
    await post(call('search'), { traceparent: parent.traceparent, tracestate: 'vendor=of-the-client' })
    const { headers } = upstream.requests.at(-1) ?? {}
    expect(parse(headers?.traceparent as string)[1]).toBe(parent.traceId)
    expect(headers?.tracestate).toBe('vendor=of-the-client')
  })

  it.each([
    ['no hexadecimal number', 'x'.repeat(55)],
    ['of version ff', `ff-${'a'.repeat(32)}-${'b'.repeat(16)}-01`],
    ['without a trace', `00-${'0'.repeat(32)}-${'b'.repeat(16)}-01`],
    ['without a span', `00-${'a'.repeat(32)}-${'0'.repeat(16)}-01`],
    ['too long', `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01-more`],
    ['in capitals', `00-${'A'.repeat(32)}-${'B'.repeat(16)}-01`],
  ])('is none where its name is malformed: %s', async (_name, traceparent) => {
    const { status, headers } = await post(call('search', { _meta: { traceparent } }), { traceparent })
    expect(status).toBe(200)
    const { span_id: id } = await proxy.log.waitFor(({ request_id: found }) => found === headers.get('x-request-id'))
    expect(await receiver.waitFor(({ spanId }) => spanId === id)).toMatchObject({ parentSpanId: '', links: [] })
    expect(upstream.requests.at(-1)?.headers.traceparent).not.toBe(traceparent)
  })

  it('is none where two fields name different ones', async () => {
    const [one, other] = [createParent(), createParent()]
    const body = JSON.stringify(call('search'))
    const fields = [one, other].map(({ traceparent }) => `traceparent: ${traceparent}\r\n`).join('')
    const request = `POST /mcp HTTP/1.1\r\nHost: localhost:${proxy.port}\r\nAuthorization: Bearer ${token}\r\nContent-Type: application/json\r\n${fields}Content-Length: ${body.length}\r\n\r\n${body}`
    const answer = await sendRaw(proxy.port, Buffer.from(request))
    const id = answer.header('x-request-id')
    const { trace_id: traceId } = await proxy.log.waitFor(({ request_id: found }) => found === id)
    expect([one.traceId, other.traceId]).not.toContain(traceId)
    const { rawHeaders = [] } = upstream.requests.at(-1) ?? {}
    expect(rawHeaders.filter((name) => name.toLowerCase() === 'traceparent')).toHaveLength(1)
  })

  it('may say that it is not recorded: then nothing is, and the MCP server is told so', async () => {
    const parent = createParent('00')
    const { headers } = await post(call('search'), { traceparent: parent.traceparent })
    const carried = upstream.requests.at(-1)?.headers.traceparent as string
    expect([parse(carried)[1], parse(carried)[3]]).toEqual([parent.traceId, '00'])
    const line = await proxy.log.waitFor(({ request_id: found }) => found === headers.get('x-request-id'))
    expect(line.trace_id).toBe(parent.traceId)
    // Spans are exported in their order.
    const next = createParent()
    await post(call('search'), { traceparent: next.traceparent })
    await waitForServerSpan(next)
    expect(receiver.text()).not.toContain(parent.traceId)
  })
})

describe('a trace state in _meta', () => {
  it.each([['a=b\r\nX-User: root'], ['a=b\n'], ['a=ü'], ['a=\u0000'], [`a=${'b'.repeat(3000)}`], ['=,=,=']])(
    'writes nothing into the header section of the MCP server but a list of its own: %j',
    async (tracestate) => {
      const inner = createParent()
      const { status } = await post(call('search', { _meta: { traceparent: inner.traceparent, tracestate } }))
      expect(status).toBe(200)
      const { headers } = upstream.requests.at(-1) ?? {}
      expect(parse(headers?.traceparent as string)[1]).toBe(inner.traceId)
      expect(headers).not.toHaveProperty('x-user')
      expect(headers?.tracestate ?? '').toMatch(/^(?:a=b)?$/)
    },
  )
})

describe('what a client sends besides', () => {
  it('reaches a server over HTTP byte for byte, its own trace context in _meta and its baggage included', async () => {
    const body = call('search', { _meta: { traceparent: createParent().traceparent, baggage: 'user=mallory' } })
    await post(body, { baggage: 'user=mallory' })
    const arrived = upstream.requests.at(-1)
    expect((await arrived?.body)?.toString()).toBe(JSON.stringify(body))
    expect(arrived?.headers.baggage).toBe('user=mallory')
    expect(receiver.text()).not.toContain('mallory')
  })

  it('is kept over stdio, where a request has a trace context of its own', async () => {
    const inner = createParent()
    const { meta } = await callTell('/stdio', {}, { traceparent: inner.traceparent, mine: 'yes' })
    expect(meta).toMatchObject({ traceparent: inner.traceparent, mine: 'yes' })
    expect((await waitForServerSpan(inner)).parentSpanId).toBe(inner.spanId)
  })
})

describe('a refused request', () => {
  it.each([
    ['by its token', call('search'), { authorization: 'Bearer none' }, 401, 'token_invalid', 'authenticate'],
    ['by its body', { jsonrpc: '1.0' }, {}, 400, 'message_invalid', 'read call'],
    ['by policy', call('secret'), {}, 403, 'scope_insufficient', 'authorize'],
  ])('is an error with its code, and so is the step that refused it: %s', async (_name, body, headers, status, code, step) => {
    const parent = createParent()
    await post(body, { traceparent: parent.traceparent, ...headers })
    const server = await waitForServerSpan(parent)
    expect(server).toMatchObject({ parentSpanId: parent.spanId, status: { code: ERROR, message: code } })
    expect(server.attributes).toMatchObject({
      'error.type': code,
      'mcp_auth_proxy.code': code,
      'http.response.status_code': status,
    })
    const failed = receiver.spans.filter(
      ({ parentSpanId, status: { code: ended } }) => parentSpanId === server.spanId && ended === ERROR,
    )
    expect(failed.map(({ name }) => name)).toEqual([step])
  })

  it('has no name that its client chose', async () => {
    const parent = createParent()
    await post({ ...call('x'), method: 'made-up' }, { traceparent: parent.traceparent })
    const one = await waitForServerSpan(parent)
    expect([one.name, one.attributes['mcp.method.name']]).toEqual(['other', 'other'])
    const other = createParent()
    await post(call('secret'), { traceparent: other.traceparent })
    expect((await waitForServerSpan(other)).name).toBe('tools/call')
  })
})

describe('a request that is no call', () => {
  it.each([
    ['metadata', '/.well-known/oauth-protected-resource/mcp', 'GET /.well-known/oauth-protected-resource/mcp'],
    ['an unknown path', '/unknown/a-secret-of-someone', 'GET'],
  ])('is named by its configured path alone: %s', async (_name, path, name) => {
    const parent = createParent()
    await fetch(`${proxy.origin}${path}`, { headers: { traceparent: parent.traceparent } })
    expect((await waitForServerSpan(parent)).name).toBe(name)
    expect(receiver.text()).not.toContain('a-secret-of-someone')
  })

  it('is not traced where it asks for health', async () => {
    const [health, other] = [createParent(), createParent()]
    await fetch(`${proxy.origin}/healthz`, { headers: { traceparent: health.traceparent } })
    await post(call('search'), { traceparent: other.traceparent })
    await waitForServerSpan(other)
    expect(receiver.text()).not.toContain(health.traceId)
  })
})

describe('an action of an operator', () => {
  it.each([
    ['one that succeeds', { issuer: 'the issuer', subject: 'bob-the-subject' }, 200, {}],
    ['one that is refused', { subject: 7 }, 400, { code: ERROR, message: 'admin_input_invalid' }],
  ])('is a span, and has its id in the log and the answer: %s', async (_name, input, status, ended) => {
    const parent = createParent()
    const body = JSON.stringify(input).replace('the issuer', issuer.issuer)
    const response = await fetch(`${proxy.adminUrl}/users/revoke`, {
      method: 'POST',
      headers: { authorization: `Bearer ${ADMIN_TOKEN}`, 'content-type': 'application/json', traceparent: parent.traceparent },
      body,
    })
    expect([response.status, await response.text()]).toEqual([status, expect.any(String)])
    const id = response.headers.get('x-request-id')
    const span = await waitForServerSpan(parent)
    expect(span).toMatchObject({ name: 'POST /users/revoke', parentSpanId: parent.spanId, status: ended })
    expect(span.attributes).toMatchObject({ 'http.response.status_code': status, 'mcp_auth_proxy.request_id': id })
    const line = await proxy.log.waitFor((found) => found.request_id === id)
    expect(line).toMatchObject({ action: '/users/revoke', trace_id: parent.traceId, span_id: span.spanId })
    expect(receiver.text()).not.toContain('bob-the-subject')
  })
})

describe('an export', () => {
  it('has no attribute that the documentation does not tell of', () => {
    const page = readFileSync(new URL('../docs/operations.md', import.meta.url), 'utf8')
    const names = new Set(receiver.spans.flatMap(({ attributes }) => Object.keys(attributes)))
    expect([...names].filter((name) => !page.includes(`\`${name}\``))).toEqual([])
  })

  it('has what the environment says, and names the service', async () => {
    const parent = createParent()
    await post(call('search'), { traceparent: parent.traceparent })
    const { resource } = await waitForServerSpan(parent)
    expect(resource).toMatchObject({ 'service.name': 'open-mcp-auth-proxy', 'deployment.environment.name': 'test' })
    expect(Object.keys(resource).filter((name) => name.startsWith('process.'))).toEqual([])
    expect(receiver.exports[0]?.['x-collector-key']).toBe('of-the-operator')
    expect(proxy.log.text()).not.toContain('of-the-operator')
  })
})

describe('an exemplar of the metrics', () => {
  const read = async (): Promise<string> =>
    (await fetch(`${proxy.adminUrl}/metrics`, { headers: { accept: 'application/openmetrics-text' } })).text()

  it.each(['request', 'upstream'])('names the trace of its request, where that is recorded: %s', async (what) => {
    const recorded = createParent()
    const { headers } = await post(call('search'), { traceparent: recorded.traceparent })
    const id = headers.get('x-request-id')
    await waitForServerSpan(recorded)
    const lines = (await read())
      .split('\n')
      .filter((line) => line.startsWith(`mcp_auth_proxy_${what}_seconds_bucket{server="files"`))
    expect(lines.join('\n')).toContain(`# {request_id="${id}",trace_id="${recorded.traceId}"} `)
  })

  it('names no trace that is not recorded', async () => {
    const unrecorded = createParent('00')
    const { headers } = await post(call('search'), { traceparent: unrecorded.traceparent })
    await proxy.log.waitFor(({ request_id: id }) => id === headers.get('x-request-id'))
    const text = await read()
    expect(text).toContain(`# {request_id="${headers.get('x-request-id')}"} `)
    expect(text).not.toContain(unrecorded.traceId)
  })
})

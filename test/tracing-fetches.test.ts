import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startTestProxy, type TestProxy } from './support/proxy.ts'
import { answerJson, type RecordingUpstream, startRecordingUpstream } from './support/recording-upstream.ts'
import { refuseToken, startTokenServer, type TokenServer } from './support/token-server.ts'
import { startIssuer, type TestIssuer } from './support/tokens.ts'
import { type ReceivedSpan, startTraceReceiver, type TraceReceiver } from './support/trace-receiver.ts'

const SECRET = 'secret-of-the-proxy-at-its-issuers'
const SERVER = 2
const CLIENT = 3
const ERROR = 2

let receiver: TraceReceiver
let upstream: RecordingUpstream
let issuer: TestIssuer
let opaque: TestIssuer
let tokenServer: TokenServer
let proxy: TestProxy
let token: string

beforeAll(async () => {
  receiver = await startTraceReceiver()
  Object.assign(process.env, {
    OTEL_EXPORTER_OTLP_ENDPOINT: receiver.origin,
    OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
    OTEL_BSP_SCHEDULE_DELAY: '50',
  })
  upstream = await startRecordingUpstream(answerJson({ jsonrpc: '2.0', id: 1, result: {} }))
  issuer = await startIssuer()
  opaque = await startIssuer()
  tokenServer = await startTokenServer()
  const client = { client_id: 'the-proxy', client_secret: { env: 'CLIENT_SECRET' } }
  proxy = await startTestProxy(
    {
      issuers: [issuer.issuer],
      servers: [
        {
          name: 'exchanged',
          path: '/exchanged',
          upstream: `${upstream.origin}/mcp`,
          credential: { kind: 'token_exchange', issuer: tokenServer.issuer, ...client } as never,
        },
        {
          name: 'opaque',
          path: '/opaque',
          upstream: `${upstream.origin}/mcp`,
          issuers: [{ issuer: opaque.issuer, introspection: client }],
        },
      ],
    },
    { CLIENT_SECRET: SECRET },
  )
  token = await issuer.mint({ claims: { aud: `${proxy.origin}/exchanged`, sub: 'alice' } })
})
afterAll(async () => {
  await proxy.close()
  await Promise.all([receiver.close(), upstream.close(), issuer.close(), opaque.close(), tokenServer.close()])
})

async function call(path: string, accessToken: string, meta: object, headers?: Record<string, string>): Promise<number> {
  const response = await fetch(`${proxy.origin}${path}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${accessToken}`, 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'search', _meta: meta } }),
  })
  await response.arrayBuffer()
  return response.status
}

function createTraceparent() {
  const traceId = randomBytes(16).toString('hex')
  return { traceId, traceparent: `00-${traceId}-${randomBytes(8).toString('hex')}-01` }
}

/** Spans of fetches at one place, in one trace. The span of the request is exported last. */
async function findFetches(traceId: string, url: string): Promise<ReceivedSpan[]> {
  const request = await receiver.waitFor((span) => span.traceId === traceId && span.kind === SERVER)
  return receiver.spans.filter(
    ({ attributes, parentSpanId }) => attributes['url.full'] === url && parentSpanId === request.spanId,
  )
}

const portOf = (url: string) => Number(new URL(url).port)

describe('a fetch that a request waits for', () => {
  it('is a span within that of the request, which its body names: introspection (RFC 7662)', async () => {
    const accessToken = 'an-opaque-token-of-alice'
    const audience = `${proxy.origin}/opaque`
    const exp = Math.floor(Date.now() / 1000) + 600
    opaque.setIntrospection(() => ({ active: true, sub: 'alice', aud: audience, iss: opaque.issuer, exp, client_id: 'c' }))
    const { traceId, traceparent } = createTraceparent()
    expect(await call('/opaque', accessToken, { traceparent })).toBe(200)
    const [span, ...others] = await findFetches(traceId, `${opaque.issuer}/introspect`)
    expect(others).toEqual([])
    expect(span).toMatchObject({ name: 'POST', kind: CLIENT, status: {} })
    expect(span?.attributes).toEqual({
      'http.request.method': 'POST',
      'http.response.status_code': 200,
      'server.address': '127.0.0.1',
      'server.port': portOf(opaque.issuer),
      'url.full': `${opaque.issuer}/introspect`,
    })
    expect(receiver.text()).not.toContain(accessToken)
  })

  it('is a span for a token that the MCP server is called with, and names no trace to its issuer', async () => {
    const { traceId, traceparent } = createTraceparent()
    expect(await call('/exchanged', token, { traceparent })).toBe(200)
    const [span] = await findFetches(traceId, `${tokenServer.issuer}/token`)
    const request = receiver.spans.find(({ spanId }) => spanId === span?.parentSpanId)
    expect(request && span && span.startedAt >= request.startedAt && span.endedAt <= request.endedAt).toBe(true)
    expect(span?.attributes['http.response.status_code']).toBe(200)
    const { headers, form } = tokenServer.requests.at(-1) ?? {}
    expect(headers).not.toHaveProperty('traceparent')
    for (const secret of [SECRET, token, 'issued-1', String(form)]) expect(receiver.text()).not.toContain(secret)
  })

  it('is an error by its status, and by the code of a connection that fails', async () => {
    const bob = await issuer.mint({ claims: { aud: `${proxy.origin}/exchanged`, sub: 'bob' } })
    tokenServer.answerWith((_request, response) => refuseToken(response, 'invalid_target'))
    const refused = createTraceparent()
    await call('/exchanged', bob, { traceparent: refused.traceparent })
    const [first] = await findFetches(refused.traceId, `${tokenServer.issuer}/token`)
    expect(first).toMatchObject({ status: { code: ERROR }, attributes: { 'error.type': '400' } })

    await opaque.setOutage('refuse')
    const failed = createTraceparent()
    expect(await call('/opaque', 'another-opaque-token', {}, { traceparent: failed.traceparent })).toBe(503)
    const [second] = await findFetches(failed.traceId, `${opaque.issuer}/introspect`)
    expect(second).toMatchObject({ status: { code: ERROR }, attributes: { 'error.type': 'ECONNREFUSED' } })
    await opaque.setOutage('none')
  })
})

describe('a fetch that no request waits for', () => {
  it('is a trace of its own: the keys of an issuer at the start', async () => {
    for (const url of [issuer.jwksUri, `${issuer.issuer}/.well-known/oauth-authorization-server`]) {
      const span = await receiver.waitFor(({ attributes }) => attributes['url.full'] === url)
      expect(span).toMatchObject({ name: 'GET', kind: CLIENT, parentSpanId: '' })
    }
  })
})

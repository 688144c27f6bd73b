// Streams may be silent for as long as they like: no timer of the proxy or of undici cuts them. All their timers run on a clock that the
// test moves, from before the first of them is set; that it moves theirs shows in the last test.
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { startTestProxy, type TestProxy } from './support/proxy.ts'
import { openRawConnection, type RawConnection } from './support/raw-client.ts'
import { controlStream, type RecordingUpstream, startRecordingUpstream } from './support/recording-upstream.ts'
import { startIssuer, type TestIssuer } from './support/tokens.ts'

const MINUTE = 60_000

let issuer: TestIssuer
let upstream: RecordingUpstream
let proxy: TestProxy
let token: string
const connections: RawConnection[] = []

beforeAll(async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval'] })
  issuer = await startIssuer()
  upstream = await startRecordingUpstream()
  proxy = await startTestProxy({
    issuers: [issuer.issuer],
    servers: [{ path: '/mcp', upstream: `${upstream.origin}/mcp`, sse: { upstream: `${upstream.origin}/sse` } }],
  })
  token = await issuer.mint({ claims: { aud: [`${proxy.origin}/mcp`, `${proxy.origin}/sse`] } })
})

afterEach(() => {
  for (const connection of connections.splice(0)) connection.destroy()
})

afterAll(async () => {
  vi.useRealTimers()
  await proxy.close()
  await upstream.close()
  await issuer.close()
})

async function send(method: string, path: string): Promise<RawConnection> {
  const connection = await openRawConnection(proxy.port)
  connections.push(connection)
  const body = method === 'POST' ? '{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"echo","arguments":{}}}' : ''
  const head = [
    `${method} ${path} HTTP/1.1`,
    `Host: localhost:${proxy.port}`,
    `Authorization: Bearer ${token}`,
    'Accept: application/json, text/event-stream',
    ...(method === 'POST' ? ['Content-Type: application/json', `Content-Length: ${body.length}`] : []),
  ]
  connection.write(`${head.join('\r\n')}\r\n\r\n${body}`)
  return connection
}

describe('a stream on which nothing happens', () => {
  it.each([
    ['an answer', 'POST', '/mcp', 'data: {"jsonrpc":"2.0","method":"notifications/x"}\n\n'],
    ['the stream of an MCP session', 'GET', '/mcp', 'data: {"jsonrpc":"2.0","method":"notifications/x"}\n\n'],
    ['HTTP+SSE', 'GET', '/sse', 'event: endpoint\ndata: /messages?sessionId=1\n\n'],
  ])('is still there after nearly an hour: %s', async (_what, method, path, firstEvent) => {
    const stream = controlStream()
    upstream.answerWith(stream.answer)
    const connection = await send(method, path)
    await stream.send(firstEvent)
    await connection.waitFor('data: ')
    for (let passed = 0; passed < 55; passed++) await vi.advanceTimersByTimeAsync(MINUTE)
    await stream.send('data: at last\n\n')
    await connection.waitFor('data: at last\n\n')
  })

  it.each([
    ['an answer', 'POST', '/mcp'],
    ['the stream of an MCP session', 'GET', '/mcp'],
    ['HTTP+SSE', 'GET', '/sse'],
  ])('gets a comment every 25 seconds, but never within an event: %s', async (_what, method, path) => {
    const stream = controlStream()
    upstream.answerWith(stream.answer)
    const connection = await send(method, path)
    await stream.opened
    await connection.waitFor('\r\n\r\n')
    if (path === '/sse') {
      await stream.send('event: endpoint\ndata: /messages?sessionId=1\n\n')
      await connection.waitFor('endpoint=')
    }
    const count = () => connection.received().toString().split('3\r\n:\n\n\r\n').length - 1
    await vi.advanceTimersByTimeAsync(24_000)
    expect(count()).toBe(0)
    await vi.advanceTimersByTimeAsync(54_000)
    await vi.waitUntil(() => count() === 3)
    await stream.send('data: half')
    await connection.waitFor('data: half')
    await vi.advanceTimersByTimeAsync(5 * MINUTE)
    await stream.send(' of it\n\n')
    await connection.waitFor(' of it\n\n')
    expect(count()).toBe(3)
    await vi.advanceTimersByTimeAsync(27_000)
    await vi.waitUntil(() => count() === 4)
  })

  it('gets none while the MCP server sends its own', async () => {
    const stream = controlStream()
    upstream.answerWith(stream.answer)
    const connection = await send('GET', '/mcp')
    for (let passed = 0; passed < 6; passed++) {
      await stream.send(`: own ${passed}\n\n`)
      await connection.waitFor(`: own ${passed}\n\n`)
      await vi.advanceTimersByTimeAsync(20_000)
    }
    expect(connection.received().toString()).not.toContain('3\r\n:\n\n')
  })

  it('while an MCP server that never answers is given up on the same clock', async () => {
    upstream.answerWith(() => {})
    const arriving = upstream.waitForRequest(upstream.requests.length)
    const answering = (await send('POST', '/mcp')).readResponse()
    await arriving
    let isOver = false
    const noting = answering.finally(() => {
      isOver = true
    })
    for (let passed = 0; passed < 60 && !isOver; passed++) await vi.advanceTimersByTimeAsync(MINUTE)
    await noting
    const response = await answering
    expect(response.status).toBe(504)
    expect(JSON.parse(response.body.toString())).toMatchObject({ id: 7, error: { data: { error: 'upstream_timeout' } } })
  })
})

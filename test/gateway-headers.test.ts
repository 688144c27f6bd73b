import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Arena, formatCall, formatRequest, startArena } from './support/attack.ts'
import { openRawConnection } from './support/raw-client.ts'
import type { Answer } from './support/recording-upstream.ts'

let arena: Arena
let answer: Answer
beforeAll(async () => {
  arena = await startArena({ answer: (request, response) => answer(request, response) })
})
afterAll(() => arena.close())

async function send(version: string, ...more: string[]) {
  const connection = await openRawConnection(arena.proxy.port)
  connection.write(formatRequest(arena, { version, more, body: formatCall() }))
  const head = await connection.readHead()
  connection.destroy()
  const { rawHeaders = [] } = arena.upstream.requests.at(-1) ?? {}
  return { head, via: rawHeaders.filter((_, index) => rawHeaders[index - 1]?.toLowerCase() === 'via') }
}

const sendEvents =
  (headers: Record<string, string> = {}): Answer =>
  (_request, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream', ...headers }).end('data: {}\n\n')
  }

it.each(['1.0', '1.1'])(
  'the MCP server is told that the call came over HTTP/%s and through a gateway (RFC 9110 §7.6.3)',
  async (version) => {
    answer = sendEvents()
    expect((await send(version)).via).toEqual([`${version} open-mcp-auth-proxy`])
    expect((await send(version, 'Via: 1.1 trusted-gateway')).via).toEqual([`${version} open-mcp-auth-proxy`])
  },
)

it('event streams say that they must not be held back by a proxy on their way, unless the MCP server says something else', async () => {
  answer = sendEvents()
  expect((await send('1.1')).head.header('x-accel-buffering')).toBe('no')
  answer = sendEvents({ 'x-accel-buffering': 'yes' })
  expect((await send('1.1')).head.header('x-accel-buffering')).toBe('yes')
  answer = (_request, response) => {
    response.writeHead(200, { 'content-type': 'application/json' }).end('{}')
  }
  expect((await send('1.1')).head.header('x-accel-buffering')).toBeUndefined()
})

it('the trace context of a client passes as it is, while the proxy traces nothing itself', async () => {
  answer = sendEvents()
  const fields = [
    'traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
    'tracestate: vendor=x',
    'baggage: user=alice',
    'traceparent: malformed',
  ]
  await send('1.1', ...fields)
  const { rawHeaders = [] } = arena.upstream.requests.at(-1) ?? {}
  const arrived = rawHeaders.flatMap((name, index) => (index % 2 === 0 ? [`${name}: ${rawHeaders[index + 1]}`] : []))
  expect(arrived.filter((field) => /^(?:trace|baggage)/.test(field))).toEqual(fields)
})

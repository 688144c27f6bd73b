import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Arena, startArena } from '../../test/support/attack.ts'
import { sendRaw } from '../../test/support/raw-client.ts'

let arena: Arena
beforeAll(async () => {
  arena = await startArena()
})
afterAll(() => arena.close())

const metadata = '/.well-known/oauth-protected-resource/mcp'
const send = (method: string, target: string, more = '', body = '') =>
  sendRaw(arena.proxy.port, `${method} ${target} HTTP/1.1\r\nHost: localhost:${arena.proxy.port}\r\n${more}\r\n${body}`)

describe('what may be asked without a token', () => {
  it.each(['/healthz', '/readyz'])('%s says that all is well, now and not a while ago', async (target) => {
    const answer = await send('GET', target)
    expect([answer.status, answer.body.toString()]).toEqual([200, '{"status":"ok"}'])
    expect(answer.header('content-type')).toBe('application/json')
    expect(answer.header('cache-control')).toBe('no-store')
    expect(answer.header('x-content-type-options')).toBe('nosniff')
  })

  it.each(['for=', 'for=store', 'for=broker&for=broker', 'for=Broker'])('/readyz?%s is a mistake', async (query) => {
    expect((await send('GET', `/readyz?${query}`)).status).toBe(400)
  })

  it('/readyz?for=broker never holds where there is no broker', async () => {
    expect((await send('GET', '/readyz?for=broker')).status).toBe(503)
    expect((await send('GET', '/readyz?probe=1')).status).toBe(200)
  })

  it('metadata may be kept for five minutes, and read from every page', async () => {
    const answer = await send('GET', metadata)
    expect(answer.status).toBe(200)
    expect(answer.header('cache-control')).toBe('public, max-age=300')
    expect(answer.header('access-control-allow-origin')).toBe('*')
    expect((await send('OPTIONS', metadata)).status).toBe(204)
  })

  it.each(['/healthz', '/readyz', metadata])('%s takes no other methods', async (target) => {
    for (const method of ['POST', 'PUT', 'DELETE']) expect((await send(method, target)).status).toBe(405)
  })

  it.each([
    ['GET', '/healthz'],
    ['GET', '/readyz'],
    ['GET', metadata],
    ['OPTIONS', metadata],
    ['OPTIONS', '/mcp'],
  ])('%s %s takes no body, however its end is told', async (method, target) => {
    for (const [more, body] of [
      ['Content-Length: 2\r\n', '{}'],
      ['Transfer-Encoding: chunked\r\n', '2\r\n{}\r\n0\r\n\r\n'],
    ] as const)
      expect((await send(method, target, more, body)).status).toBe(400)
  })
})

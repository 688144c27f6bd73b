import { once } from 'node:events'
import { Agent, get, type RequestListener, request } from 'node:http'
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { connect as connectTls } from 'node:tls'
import { afterEach, describe, expect, it } from 'vitest'
import { systemClock } from '../src/core/clock.ts'
import { drain } from '../src/http/drain.ts'
import { listen as startListener } from '../src/http/listener.ts'
import { createCertificate } from './support/certificate.ts'
import { waitUntil } from './support/processes.ts'
import { startTestProxy } from './support/proxy.ts'
import { openRawConnection } from './support/raw-client.ts'
import { type Answer, answerJson, controlStream, startRecordingUpstream } from './support/recording-upstream.ts'
import { startIssuer } from './support/tokens.ts'

const open: { close(): Promise<unknown> }[] = []
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close()
})

async function start(answer: Answer, shutdown = {}) {
  const upstream = await startRecordingUpstream(answer)
  const issuer = await startIssuer()
  open.push(upstream, issuer)
  const proxy = await startTestProxy({
    issuers: [issuer.issuer],
    servers: [{ path: '/mcp', upstream: `${upstream.origin}/mcp` }],
    shutdown: { drain_seconds: 10, ...shutdown },
  })
  const token = await issuer.mint({ claims: { aud: `${proxy.origin}/mcp` } })
  return { upstream, proxy, headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' } }
}

/** Whether nothing listens on the port any more. */
async function refuses(port: number): Promise<boolean> {
  try {
    ;(await openRawConnection(port)).destroy()
    return false
  } catch {
    return true
  }
}

function formatPing(port: number, headers: Record<string, string>): string {
  const body = '{"jsonrpc":"2.0","id":1,"method":"ping"}'
  const fields = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
  return `POST /mcp HTTP/1.1\r\nHost: localhost:${port}\r\n${fields.join('')}Content-Length: ${body.length}\r\n\r\n${body}`
}

describe('shutting down', () => {
  it('lets a running request finish and then closes its kept-alive connection', async () => {
    let finish: () => void = () => undefined
    const arrived = Promise.withResolvers<void>()
    const { proxy, headers } = await start((_request, response) => {
      finish = () => response.writeHead(200, { 'content-type': 'application/json' }).end('{"jsonrpc":"2.0","id":1,"result":{}}')
      arrived.resolve()
    })
    const agent = new Agent({ keepAlive: true })
    const answered = new Promise<number>((resolve, reject) => {
      const call = request(`${proxy.origin}/mcp`, { method: 'POST', agent, headers }, (response) =>
        response.resume().on('end', () => resolve(response.statusCode ?? 0)),
      )
      call.on('error', reject).end('{"jsonrpc":"2.0","id":1,"method":"ping"}')
    })
    await arrived.promise
    const closed = proxy.close()
    finish()
    expect(await answered).toBe(200)
    await closed
    agent.destroy()
  })

  it('tells load balancers first, and serves what still comes, each answer the last of its connection', async () => {
    const { proxy, headers } = await start(answerJson({ jsonrpc: '2.0', id: 1, result: {} }), { delay_seconds: 4 })
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    open.push({ close: async () => agent.destroy() })
    const ask = (path: string, method = 'GET', body = '') =>
      new Promise<[number | undefined, string | undefined]>((resolve, reject) => {
        const asked = request(`${proxy.origin}${path}`, { method, agent, headers }, (response) =>
          response.resume().on('end', () => resolve([response.statusCode, response.headers.connection])),
        )
        asked.on('error', reject).end(body)
      })
    const ping = () => ask('/mcp', 'POST', '{"jsonrpc":"2.0","id":1,"method":"ping"}')
    await waitUntil(async () => (await ask('/readyz'))[0] === 200, 'it is ready')
    expect(await ping()).toEqual([200, 'keep-alive'])
    const closed = proxy.close()
    expect(await ask('/readyz')).toEqual([503, 'close'])
    expect(await ask('/healthz')).toEqual([200, 'close'])
    expect(await ping()).toEqual([200, 'close'])
    await closed
    await expect(ping()).rejects.toThrow('ECONNREFUSED')
  })

  it('closes the connection of an answer that was awaited when the shutdown began', async () => {
    let finish: () => void = () => undefined
    const arrived = Promise.withResolvers<void>()
    const { proxy, headers } = await start(
      (_request, response) => {
        finish = () => response.writeHead(200, { 'content-type': 'application/json' }).end('{"jsonrpc":"2.0","id":1,"result":{}}')
        arrived.resolve()
      },
      { delay_seconds: 2 },
    )
    const agent = new Agent({ keepAlive: true })
    const answered = new Promise<string | undefined>((resolve, reject) => {
      const call = request(`${proxy.origin}/mcp`, { method: 'POST', agent, headers }, (response) =>
        response.resume().on('end', () => resolve(response.headers.connection)),
      )
      call.on('error', reject).end('{"jsonrpc":"2.0","id":1,"method":"ping"}')
    })
    await arrived.promise
    const closed = proxy.close()
    finish()
    expect(await answered).toBe('close')
    await closed
    agent.destroy()
  })

  it('answers the request of a connection that it had accepted before it stopped listening', async () => {
    const { proxy, headers } = await start(answerJson({ jsonrpc: '2.0', id: 1, result: {} }))
    const early = await openRawConnection(proxy.port)
    // Connections are accepted in their order.
    expect((await fetch(`${proxy.origin}/healthz`)).status).toBe(200)
    const closed = proxy.close()
    await waitUntil(() => refuses(proxy.port), 'nothing listens')
    early.write(formatPing(proxy.port, headers))
    const answer = await early.readResponse()
    expect([answer.status, answer.header('connection')]).toEqual([200, 'close'])
    await closed
  })

  it.each([
    ['HTTP', undefined],
    ['TLS', createCertificate()],
  ])('does not wait for connections on which nothing was ever sent, over %s', async (_protocol, certificate) => {
    const handler = () => undefined
    const listen = { host: '127.0.0.1', port: 0, reusePort: false, tls: certificate }
    const listener = await startListener({ listen, headersSeconds: 3600, stalledSeconds: 3600, handler, onUnreadable: handler })
    const silent = [connect(listener.port, '127.0.0.1')]
    if (certificate)
      silent.push(connectTls({ port: listener.port, host: '127.0.0.1', ca: certificate.cert, servername: 'localhost' }))
    await once(silent[silent.length - 1]!, certificate ? 'secureConnect' : 'connect')
    await drain(listener, 3_600_000, [], systemClock)
    for (const socket of silent) socket.destroy()
  })

  it('answers a request that has arrived when silent connections are closed, however late it is read', async () => {
    const listen = { host: '127.0.0.1', port: 0, reusePort: false, tls: undefined }
    const handler: RequestListener = (_request, response) => void response.end('served')
    const waits = { headersSeconds: 3600, stalledSeconds: 3600, handler, onUnreadable: () => undefined }
    const listener = await startListener({ listen, ...waits })
    const socket = connect(listener.port, '127.0.0.1')
    // Connections are accepted in their order.
    expect((await fetch(`http://127.0.0.1:${listener.port}/`)).status).toBe(200)
    socket.write('GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n')
    listener.closeSilent()
    expect(await text(socket)).toContain('served')
    await listener.closeNow()
  })

  it('answers requests on connections that wait to be accepted when it stops listening', async () => {
    const { proxy, headers } = await start(answerJson({ jsonrpc: '2.0', id: 1, result: {} }))
    const waiting = Array.from({ length: 40 }, () => connect(proxy.port, '127.0.0.1'))
    for (const socket of waiting) socket.write(formatPing(proxy.port, headers))
    const answers = waiting.map((socket) => text(socket).then((answer) => answer.slice(0, 12), String))
    // The system accepts a connection of this machine as soon as it is asked for.
    await new Promise<void>((resolve) => process.nextTick(resolve))
    const closed = proxy.close()
    expect(new Set(await Promise.all(answers))).toEqual(new Set(['HTTP/1.1 200']))
    await closed
  })

  it('ends an open event stream cleanly', async () => {
    const stream = controlStream()
    const { proxy, headers } = await start(stream.answer)
    const ended = new Promise<boolean>((resolve, reject) => {
      get(`${proxy.origin}/mcp`, { headers: { ...headers, accept: 'text/event-stream' } }, (response) =>
        response
          .resume()
          .on('end', () => resolve(response.complete))
          .on('error', reject),
      ).on('error', reject)
    })
    await stream.opened
    await stream.send('data: 1\n\n')
    await proxy.close()
    expect(await ended).toBe(true)
  })
})

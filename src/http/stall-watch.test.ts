import { createServer, type RequestListener, type Server } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createCertificate } from '../../test/support/certificate.ts'
import { createFakeClock, type FakeClock } from '../../test/support/fake-clock.ts'
import { watchStalled } from './stall-watch.ts'

/** Much more than the system holds between the two. */
const answer = Buffer.alloc(64 * 1024 * 1024, 'x')
const listener: RequestListener = (_request, response) => response.writeHead(200, { 'Content-Length': answer.length }).end(answer)
const seconds = 0.4
let clock: FakeClock
beforeEach(() => {
  clock = createFakeClock()
})
let end = (): void => undefined
afterEach(() => end())

/** Asks for one long piece, and reads nothing yet. */
async function ask(server: Server, open: (port: number) => Socket): Promise<Socket> {
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => sockets.add(socket)).on('secureConnection', (socket: Socket) => sockets.add(socket))
  const stop = watchStalled(sockets, seconds, clock)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const client = open((server.address() as AddressInfo).port)
  end = () => {
    stop()
    client.destroy()
    server.close()
  }
  client.pause()
  client.on('error', () => undefined).write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')
  return client
}

describe.each([
  ['without TLS', () => createServer(listener), (port: number) => connect(port, '127.0.0.1')],
  [
    'with TLS',
    () => createTlsServer(createCertificate(), listener),
    (port: number) => connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false }),
  ],
])('a client that is sent one long piece, %s,', (_name, create, open) => {
  it('is left alone while it takes it slowly', async () => {
    const client = await ask(create(), open)
    let received = 0
    for await (const piece of client) {
      received += piece.length
      if (received >= answer.length) break
      // In all, four times as long as it may take nothing.
      clock.advance((piece.length / answer.length) * seconds * 4000)
    }
    expect(received).toBeGreaterThanOrEqual(answer.length)
  })

  it('is cut off when it takes nothing', async () => {
    const server = create()
    let wasFinished: boolean | undefined
    server.on('request', (_request, response) => {
      response.on('close', () => {
        wasFinished = response.writableFinished
      })
    })
    await ask(server, open)
    await vi.waitUntil(() => {
      clock.advance(seconds * 1000)
      return wasFinished !== undefined
    })
    expect(wasFinished).toBe(false)
  })
})

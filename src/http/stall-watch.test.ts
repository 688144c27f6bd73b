import { createServer, type RequestListener, type Server } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { afterEach, describe, expect, it } from 'vitest'
import { createCertificate } from '../../test/support/certificate.ts'
import { watchStalled } from './stall-watch.ts'

const answer = Buffer.alloc(24 * 1024 * 1024, 'x')
const listener: RequestListener = (_request, response) => response.writeHead(200, { 'Content-Length': answer.length }).end(answer)
const seconds = 0.4
let end = (): void => undefined
afterEach(() => end())

/** Asks for one long piece, and reads nothing yet. */
async function ask(server: Server, open: (port: number) => Socket): Promise<Socket> {
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => sockets.add(socket)).on('secureConnection', (socket: Socket) => sockets.add(socket))
  const stop = watchStalled(sockets, seconds)
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
    const begun = performance.now()
    let received = 0
    for await (const piece of client) {
      received += piece.length
      if (received >= answer.length) break
      // Four times as long as it may take nothing.
      const due = (received / answer.length) * seconds * 4000
      while (performance.now() - begun < due) await new Promise((resolve) => setTimeout(resolve, 5))
    }
    expect(received).toBeGreaterThanOrEqual(answer.length)
  })

  it('is cut off when it takes nothing', async () => {
    const server = create()
    const cut = new Promise((resolve) =>
      server.on('request', (_request, response) => response.on('close', () => resolve(response.writableFinished))),
    )
    await ask(server, open)
    expect(await cut).toBe(false)
  })
})

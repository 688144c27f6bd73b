// What comes on a connection behind a request whose answer lasts.
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { Socket } from 'node:net'
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'
import { type Arena, checkServes, formatRequest, repeatId, startArena } from '../support/attack.ts'
import { openRawConnection, type RawConnection } from '../support/raw-client.ts'
import { controlStream } from '../support/recording-upstream.ts'

let arena: Arena
let connection: RawConnection
beforeAll(async () => {
  arena = await startArena()
})
afterEach(() => {
  connection.destroy()
  arena.upstream.answerWith(repeatId)
})
afterAll(() => arena.close())

/** Opens a connection on which an event stream has begun. */
async function openStream(): Promise<ReturnType<typeof controlStream>> {
  const stream = controlStream()
  arena.upstream.answerWith(stream.answer)
  connection = await openRawConnection(arena.proxy.port)
  connection.write(formatRequest(arena, { method: 'GET', more: ['Accept: text/event-stream'] }))
  await stream.send(': begun\n\n')
  await connection.waitFor(': begun')
  arena.upstream.answerWith(repeatId)
  return stream
}

/** Sends requests, and counts those that the proxy has taken by the time that it takes no more. */
async function countTaken(requests: string, most: number): Promise<number> {
  const { localPort } = connection.socket
  let taken = 0
  const count = (message: unknown): void => {
    if ((message as { socket: Socket }).socket.remotePort === localPort) taken++
  }
  subscribe('http.server.request.start', count)
  connection.write(requests)
  for (let before = -1, quiet = 0; taken < most && quiet < 20; quiet = taken === before ? quiet + 1 : 0) {
    before = taken
    await checkServes(arena)
  }
  unsubscribe('http.server.request.start', count)
  return taken
}

const many = 20_000

it.each([
  ['that are refused', ''],
  ['behind one that can be read in two ways', 'GET /mcp HTTP/1.1\r\nHost: localhost\r\nHost: other\r\n\r\n'],
])('requests %s are not taken without end while another answer lasts', async (_name, first) => {
  await openStream()
  const request = `GET / HTTP/1.1\r\nHost: localhost:${arena.proxy.port}\r\n\r\n`
  expect(await countTaken(first + request.repeat(many), many)).toBeLessThan(many / 4)
})

it('nothing behind a request that can be read in two ways is answered, whatever was before it', async () => {
  const stream = await openStream()
  const good = formatRequest(arena, {})
  connection.write(`GET /mcp HTTP/1.1\r\nHost: localhost\r\nHost: other\r\n\r\n${good.repeat(3)}`)
  await checkServes(arena)
  await stream.end()
  await connection.closed
  const statuses = connection
    .received()
    .toString()
    .match(/HTTP\/1\.1 \d+/g)
  expect(statuses).toEqual(['HTTP/1.1 200', 'HTTP/1.1 400'])
})

it('a refused body that never ends cuts nothing of the answer before it, and ends the connection after its refusal', async () => {
  const stream = await openStream()
  connection.write(`POST /mcp HTTP/1.1\r\nHost: localhost:${arena.proxy.port}\r\nTransfer-Encoding: chunked\r\n\r\n`)
  const more = () => void connection.socket.write(`4000\r\n${'x'.repeat(0x4000)}\r\n`)
  connection.socket.on('drain', more)
  for (let i = 0; i < 64; i++) more()
  await checkServes(arena)
  await stream.send(`data: ${'y'.repeat(1_000_000)}\n\n`)
  await stream.end()
  expect((await connection.readResponse()).body.toString()).toMatch(/^: begun\n\ndata: y{1000000}\n\n$/)
  expect((await connection.readResponse()).status).toBe(401)
  await connection.closed
})

import { createServer, type Server, type ServerResponse } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import fc from 'fast-check'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { ProxyError } from '../core/errors.ts'
import type { ReplyHeaders } from '../core/reply.ts'
import { ServerReply } from './server-reply.ts'

const STREAM: ReplyHeaders = { 'content-type': 'text/event-stream' }
const CUT = new ProxyError('shutting_down', { retryAfter: 1 })
const END = '0\r\n\r\n'
const CLOSING = 'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'

const servers: Server[] = []

afterEach(() => {
  for (const server of servers.splice(0)) server.close().closeAllConnections()
})

type Answer = (reply: ServerReply, response: ServerResponse, place: number) => void

async function listen(answer: Answer): Promise<number> {
  let place = 0
  const server = createServer((_request, response) => {
    const reply = new ServerReply({
      response,
      answerHeaders: {},
      requestId: 'r-1',
      farewell: 'data: farewell\n\n',
      beforeStart: () => {},
      mayEndAnywhere: (headers) => headers['content-length'] === undefined,
      afterStart: () => {},
      onFlush: () => {},
      refuse: () => response.writeHead(502).end(),
      onFailure: () => {},
    })
    answer(reply, response, place++)
  })
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as AddressInfo).port
}

/** @returns all bytes that a client gets which sends `request`, one character each */
async function receive(request: string, answer: Answer): Promise<string> {
  const socket = connect(await listen(answer), '127.0.0.1')
  socket.write(request)
  let text = ''
  return new Promise((resolve) => {
    socket.on('data', (bytes) => {
      text += bytes.toString('latin1')
    })
    socket.on('error', () => socket.destroy())
    socket.on('close', () => resolve(text))
  })
}

function bodyOf(text: string): string {
  return text.slice(text.indexOf('\r\n\r\n') + 4)
}

function chunk(text: string): string {
  return `${text.length.toString(16)}\r\n${text}\r\n`
}

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(() => setImmediate(resolve)))

function writeAndEnd(reply: ServerReply): void {
  reply.start(200, { ...STREAM })
  reply.write(Buffer.from('data: a\n\n'))
  reply.write(Buffer.from('data: \xe9\x00\xff\n\n', 'latin1'))
  reply.end()
}

describe('an answer of unknown length', () => {
  it('comes in chunks with HTTP/1.1', async () => {
    const text = await receive(CLOSING, writeAndEnd)
    expect(text).toMatch(/^HTTP\/1\.1 200 OK\r\n/)
    expect(text.match(/transfer-encoding: chunked\r\n/gi)).toHaveLength(1)
    expect(bodyOf(text)).toBe(chunk('data: a\n\ndata: \xe9\x00\xff\n\n') + END)
  })

  it('comes as it is with HTTP/1.0, until the connection ends', async () => {
    const text = await receive('GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n', writeAndEnd)
    expect(text).not.toMatch(/transfer-encoding/i)
    expect(bodyOf(text)).toBe('data: a\n\ndata: \xe9\x00\xff\n\n')
  })

  it('comes as it is with HTTP/1.0 in many turns', async () => {
    const text = await receive('GET / HTTP/1.0\r\n\r\n', async (reply) => {
      reply.start(200, { ...STREAM })
      for (const each of ['a', 'b', 'c']) {
        reply.write(Buffer.from(each))
        await nextTurn()
      }
      reply.end()
    })
    expect(bodyOf(text)).toBe('abc')
  })

  it('has no body where HEAD asked for it', async () => {
    const text = await receive(CLOSING.replace('GET', 'HEAD'), writeAndEnd)
    expect(text).toMatch(/^HTTP\/1\.1 200 OK\r\n/)
    expect(bodyOf(text)).toBe('')
  })

  it('has no body with a status that has none', async () => {
    const text = await receive(CLOSING, (reply) => {
      reply.start(204, {})
      reply.write(Buffer.from('a'))
      reply.end()
    })
    expect(text).toMatch(/^HTTP\/1\.1 204 /)
    expect(bodyOf(text)).toBe('')
  })

  it('is not ended by a piece without bytes', async () => {
    const text = await receive(CLOSING, async (reply) => {
      reply.start(200, { ...STREAM })
      reply.write(Buffer.alloc(0))
      await nextTurn()
      for (const each of ['', 'a', '', 'b', '']) reply.write(Buffer.from(each))
      await nextTurn()
      reply.write(Buffer.alloc(0))
      reply.end()
    })
    expect(bodyOf(text)).toBe(chunk('ab') + END)
  })

  it('has its status and headers ahead of a body that has not begun', async () => {
    const port = await listen((reply) => reply.start(200, { ...STREAM, 'x-name': 'caf\xe9' }))
    const socket = connect(port, '127.0.0.1')
    socket.write(CLOSING)
    const first = await new Promise<Buffer>((resolve) => socket.once('data', resolve))
    socket.destroy()
    expect(first.toString('latin1')).toContain('x-name: caf\xe9\r\n')
    expect(bodyOf(first.toString('latin1'))).toBe('')
  })

  it('is one piece for the system where all of it comes in one turn', async () => {
    let written = Number.NaN
    const text = await receive(CLOSING, (reply, { socket }) => {
      if (socket === null) throw new Error('there is no connection')
      const write = vi.spyOn(socket, 'write')
      writeAndEnd(reply)
      written = write.mock.calls.length
    })
    expect(bodyOf(text)).toContain('data: a')
    expect(written).toBe(1)
  })

  it('is framed by nothing else where it is longer than what is joined to its headers', async () => {
    const long = 'x'.repeat(5000)
    const text = await receive(CLOSING, (reply) => {
      reply.start(200, { ...STREAM })
      reply.write(Buffer.from(long))
      reply.end()
    })
    expect(bodyOf(text)).toBe(chunk(long) + END)
  })

  it('has no last chunk where it failed in the turn in which it began', async () => {
    const text = await receive(CLOSING, (reply) => {
      reply.start(200, { ...STREAM })
      reply.write(Buffer.from('data: a\n\n'))
      reply.fail(CUT)
    })
    expect(bodyOf(text)).toBe(chunk('data: a\n\n'))
  })

  it('has its farewell in a chunk of its own, and then its end, where we close it', async () => {
    const text = await receive(CLOSING, async (reply) => {
      reply.start(200, { ...STREAM })
      reply.write(Buffer.from('data: a\n\n'))
      await nextTurn()
      reply.close(CUT)
    })
    expect(bodyOf(text)).toBe(chunk('data: a\n\n') + chunk('data: farewell\n\n') + END)
  })
})

describe('answers to requests that were sent at once', () => {
  it('keep to their order and their framing, whichever is written first', async () => {
    const first = Promise.withResolvers<ServerReply>()
    const request = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'
    const text = await receive(request + request + CLOSING, async (reply, _response, place) => {
      if (place === 0) return first.resolve(reply)
      if (place === 1) return writeAndEnd(reply)
      reply.start(200, { ...STREAM })
      reply.write(Buffer.from('third'))
      await nextTurn()
      reply.write(Buffer.from('more'))
      reply.end()
      const waiting = await first.promise
      waiting.start(200, { ...STREAM })
      waiting.write(Buffer.from('first'))
      await nextTurn()
      waiting.end()
    })
    const answers = text.split('HTTP/1.1 200 OK\r\n').slice(1)
    expect(answers.map(bodyOf)).toEqual([
      chunk('first') + END,
      chunk('data: a\n\ndata: \xe9\x00\xff\n\n') + END,
      chunk('third') + chunk('more') + END,
    ])
  })

  it('follow a stream over the same connection', async () => {
    const request = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'
    const text = await receive(request + CLOSING, (reply, _response, place) => {
      if (place === 0) return writeAndEnd(reply)
      reply.start(200, { 'content-length': '2' })
      reply.write(Buffer.from('ok'))
      reply.end()
    })
    const [stream = '', plain = ''] = text.split('HTTP/1.1 200 OK\r\n').slice(1)
    expect(bodyOf(stream)).toBe(chunk('data: a\n\ndata: \xe9\x00\xff\n\n') + END)
    expect(bodyOf(plain)).toBe('ok')
  })
})

describe('pieces of any length in any turns', () => {
  /** What is written; a turn ends behind each. */
  const turns = fc.array(fc.array(fc.oneof(fc.nat(40), fc.constantFrom(0, 4096, 16_383, 16_384, 70_000)), { maxLength: 5 }), {
    maxLength: 5,
  })

  it('arrive as they were written, and their answer ends', async () => {
    await fc.assert(
      fc.asyncProperty(turns, async (lengths) => {
        let sent = ''
        const text = await receive(CLOSING, async (reply) => {
          reply.start(200, { ...STREAM })
          for (const turn of lengths) {
            for (const length of turn) {
              const piece = String.fromCharCode(97 + (sent.length % 26)).repeat(length)
              sent += piece
              reply.write(Buffer.from(piece))
            }
            await nextTurn()
          }
          reply.end()
        })
        expect(readChunks(bodyOf(text)) === sent).toBe(true)
      }),
      { numRuns: 30 },
    )
  })

  it('arrive as they were written at a client that reads slowly', async () => {
    const pieces = 20_000
    const piece = (at: number): string => `data: ${at} ${'x'.repeat(at % 300)}\n\n`
    let paused = 0
    const port = await listen((reply) => {
      let at = 0
      const write = (): void => {
        while (at < pieces) if (!reply.write(Buffer.from(piece(at++)))) return void paused++
        reply.end()
      }
      reply.start(200, { ...STREAM })
      reply.onDrain(write)
      write()
    })
    const socket = connect(port, '127.0.0.1')
    socket.write(CLOSING)
    socket.pause()
    await expect.poll(() => paused).toBeGreaterThan(0)
    let text = ''
    for await (const bytes of socket) {
      text += (bytes as Buffer).toString('latin1')
      await nextTurn()
    }
    const sent = Array.from({ length: pieces }, (_, at) => piece(at)).join('')
    expect(readChunks(bodyOf(text)) === sent).toBe(true)
    expect(paused).toBeGreaterThan(1)
  })
})

/** @throws Error where it is no chunked body, or not all of one and no more (RFC 9112 §7.1) */
function readChunks(body: string): string {
  let data = ''
  for (let at = 0; ; ) {
    const [line = '', digits = ''] = /^([0-9a-f]+)\r\n/.exec(body.slice(at, at + 20)) ?? []
    const length = Number.parseInt(digits, 16)
    const start = at + line.length
    if (line === '' || body.slice(start + length, start + length + 2) !== '\r\n') throw new Error(`no chunk at ${at}`)
    at = start + length + 2
    if (length > 0) data += body.slice(start, start + length)
    else if (at === body.length) return data
    else throw new Error('there is more after the last chunk')
  }
}

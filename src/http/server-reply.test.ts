import { createServer, type Server, type ServerResponse } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import { type AddressInfo, connect } from 'node:net'
import { connect as connectSecurely } from 'node:tls'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { createCertificate } from '../../test/support/certificate.ts'
import { ProxyError } from '../core/errors.ts'
import type { ReplyHeaders } from '../core/reply.ts'
import { type ReplyOwner, ServerReply } from './server-reply.ts'

const STREAM: ReplyHeaders = { 'content-type': 'text/event-stream' }
const CUT = new ProxyError('shutting_down', { retryAfter: 1 })

/** With it, connections are encrypted. */
type Certificate = ReturnType<typeof createCertificate>

const servers: Server[] = []

afterEach(() => {
  for (const server of servers.splice(0)) server.close().closeAllConnections()
})

function own(response: ServerResponse): ReplyOwner {
  return {
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
  }
}

/** What a client receives: until `isEnough`, or until the connection ends. */
async function receive(
  answer: (reply: ServerReply) => void,
  isEnough = (_text: string) => false,
  certificate?: Certificate,
): Promise<string> {
  const handle = (_request: unknown, response: ServerResponse): void => answer(new ServerReply(own(response)))
  const server = certificate === undefined ? createServer(handle) : createSecureServer(certificate, handle)
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const socket =
    certificate === undefined
      ? connect(port, '127.0.0.1')
      : connectSecurely({ port, host: '127.0.0.1', ca: certificate.cert, servername: 'localhost' })
  socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
  let text = ''
  return new Promise((resolve) => {
    socket.on('data', (bytes) => {
      text += bytes.toString('latin1')
      if (isEnough(text)) socket.destroy()
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

const END = '0\r\n\r\n'
const piece = (text: string): Buffer => Buffer.from(`data: ${text}\n\n`)

describe('pieces of an answer', () => {
  it('that are written in one turn arrive in one chunk, in their order', async () => {
    const text = await receive(
      (reply) => {
        reply.start(200, { ...STREAM })
        for (const name of ['a', 'b', 'c']) expect(reply.write(piece(name))).toBe(true)
        setImmediate(() => setImmediate(() => reply.end()))
      },
      (received) => received.endsWith(END),
    )
    expect(bodyOf(text)).toBe(chunk('data: a\n\ndata: b\n\ndata: c\n\n') + END)
  })

  it('do not wait for the next', async () => {
    const text = await receive(
      (reply) => {
        reply.start(200, { ...STREAM })
        reply.write(piece('a'))
      },
      (received) => received.includes('data: a'),
    )
    expect(bodyOf(text)).toBe(chunk('data: a\n\n'))
  })

  it('keep their order among long ones, which are written at once', async () => {
    const long = 'x'.repeat(20_000)
    const text = await receive(
      (reply) => {
        reply.start(200, { ...STREAM })
        for (const each of ['a', long, 'b', long, long, 'c']) reply.write(Buffer.from(each))
        reply.end()
      },
      (received) => received.endsWith(END),
    )
    expect(bodyOf(text)).toBe(['a', long, 'b', long, long, 'c'].map(chunk).join('') + END)
  })

  it.each([1, 256, 4096, 4097])('of %i bytes of any value, which are all of the answer, arrive as they are', async (length) => {
    const all = Buffer.from(Array.from({ length }, (_, at) => at & 0xff)).toString('latin1')
    const text = await receive(
      (reply) => {
        reply.start(200, { 'content-length': String(length), 'x-name': 'caf\u00e9' })
        reply.write(Buffer.from(all, 'latin1'))
        reply.end()
      },
      (received) => bodyOf(received).length >= length && received.includes('\r\n\r\n'),
    )
    expect(bodyOf(text)).toBe(all)
    expect(text).toContain('x-name: caf\u00e9\r\n')
  })

  it('arrive with the end of their answer', async () => {
    const text = await receive(
      (reply) => {
        reply.start(200, { 'content-length': '6' })
        for (const each of ['abc', 'def']) reply.write(Buffer.from(each))
        reply.end()
      },
      (received) => received.endsWith('abcdef'),
    )
    expect(bodyOf(text)).toBe('abcdef')
  })

  it('that are all of a short answer have nothing left to do after its end', async () => {
    const later = vi.spyOn(globalThis, 'setImmediate')
    let scheduled = Number.NaN
    const text = await receive(
      (reply) => {
        later.mockClear()
        reply.start(200, { 'content-length': '3' })
        reply.write(Buffer.from('abc'))
        reply.end()
        scheduled = later.mock.calls.length
      },
      (received) => received.endsWith('abc'),
    )
    later.mockRestore()
    expect(bodyOf(text)).toBe('abc')
    expect(scheduled).toBe(0)
  })

  it('arrive before a failure of the same turn, which cuts the answer', async () => {
    const text = await receive((reply) => {
      reply.start(200, { ...STREAM })
      setImmediate(() => {
        reply.write(piece('a'))
        process.nextTick(() => reply.fail(CUT))
      })
    })
    expect(bodyOf(text)).toBe(chunk('data: a\n\n'))
  })

  it('arrive before the farewell of the same turn', async () => {
    const text = await receive(
      (reply) => {
        reply.start(200, { ...STREAM })
        reply.write(piece('a'))
        reply.close(CUT)
      },
      (received) => received.endsWith(END),
    )
    expect(bodyOf(text)).toBe(chunk('data: a\n\n') + chunk('data: farewell\n\n') + END)
  })

  it('are too many for a client that does not read, however short they are', async () => {
    let written = 0
    await receive(
      (reply) => {
        reply.start(200, { ...STREAM })
        while (written < 16 * 1024 * 1024 && reply.write(Buffer.alloc(100, 'x'))) written += 100
      },
      (received) => received.includes('xxx'),
    )
    expect(written).toBeLessThan(1024 * 1024)
  })

  it('of a client that leaves in the same turn are dropped', async () => {
    let isClosed = false
    await receive(
      (reply) => {
        reply.start(200, { ...STREAM })
        reply.onClose(() => {
          isClosed = true
          expect(reply.write(piece('b'))).toBe(false)
        })
        reply.write(piece('a'))
      },
      (received) => received.includes('data: a'),
    )
    await expect.poll(() => isClosed).toBe(true)
  })
})

describe('a long piece', () => {
  const long = (): Buffer => Buffer.alloc(64 * 1024, 'x')

  it('is let go of when the system has it, and not before', async () => {
    let isReleased = false
    const text = await receive(
      (reply) => {
        reply.start(200, { 'content-length': String(long().length) })
        reply.write(long(), () => {
          isReleased = true
        })
        expect(isReleased).toBe(false)
        reply.end()
      },
      (received) => bodyOf(received).length === long().length,
    )
    expect(bodyOf(text)).toBe(long().toString())
    await expect.poll(() => isReleased).toBe(true)
  })

  it.each([
    ['', undefined],
    [', also over TLS', createCertificate()],
  ])('is let go of in the order in which it was written, with what came before%s', async (_how, certificate) => {
    const released: number[] = []
    const pieces = Array.from({ length: 20 }, (_, index) => Buffer.alloc(64 * 1024, String.fromCharCode(65 + index)))
    const text = await receive(
      (reply) => {
        reply.start(200, { ...STREAM })
        pieces.forEach((each, index) => {
          reply.write(Buffer.from(`${index}`))
          // What is freed here and still needed would arrive as other bytes.
          reply.write(each, () => {
            released.push(index)
            each.fill(0)
          })
        })
        reply.end()
      },
      (received) => received.endsWith(END),
      certificate,
    )
    const sent = pieces.map((each, index) => chunk(`${index}`) + chunk(String.fromCharCode(65 + index).repeat(each.length)))
    expect(bodyOf(text) === sent.join('') + END).toBe(true)
    expect(released).toEqual(pieces.map((_, index) => index))
  })

  it('is kept where the client has left before the system had it', async () => {
    let released = 0
    const closed = Promise.withResolvers<void>()
    await receive(
      (reply) => {
        reply.start(200, { ...STREAM })
        reply.onClose(closed.resolve)
        let written = 0
        while (reply.write(long(), () => released++) || written < 256) written++
      },
      (received) => received.includes('x'),
    )
    await closed.promise
    const before = released
    expect(before).toBeLessThan(256)
    await new Promise((resolve) => setImmediate(resolve))
    expect(released).toBe(before)
  })
})

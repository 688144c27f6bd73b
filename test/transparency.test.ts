// What the conformance suite never sees: a proxy that holds headers back, changes bytes, cuts silent streams, doesn't notice that
// somebody has gone, or reads faster than it can write.
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type Server, type ServerResponse } from 'node:http'
import { connect, type Socket } from 'node:net'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { closeServer, listenOnLoopback } from '../src/sandbox/listen.ts'
import { startTestProxy, type TestProxy } from './support/proxy.ts'
import { openRawConnection, type RawConnection } from './support/raw-client.ts'
import {
  type Answer,
  answerJson,
  controlStream,
  type RecordingUpstream,
  startRecordingUpstream,
} from './support/recording-upstream.ts'
import { startIssuer, type TestIssuer } from './support/tokens.ts'

const CALL = '{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"echo","arguments":{}}}'

let issuer: TestIssuer
let upstream: RecordingUpstream
let proxy: TestProxy
let token: string
const connections: RawConnection[] = []

beforeAll(async () => {
  issuer = await startIssuer()
  upstream = await startRecordingUpstream()
  proxy = await protect(upstream.origin)
  token = await mintFor(proxy)
})

afterEach(() => {
  for (const connection of connections.splice(0)) connection.destroy()
})

afterAll(async () => {
  await proxy.close()
  await upstream.close()
  await issuer.close()
})

function protect(origin: string): Promise<TestProxy> {
  return startTestProxy({
    issuers: [issuer.issuer],
    servers: [{ path: '/mcp', upstream: `${origin}/mcp`, sse: { upstream: `${origin}/sse` } }],
  })
}

function mintFor({ origin }: TestProxy): Promise<string> {
  return issuer.mint({ claims: { aud: [`${origin}/mcp`, `${origin}/sse`] } })
}

async function open(): Promise<RawConnection> {
  const connection = await openRawConnection(proxy.port)
  connections.push(connection)
  return connection
}

interface Sent {
  readonly method?: string
  readonly path?: string
  /** Header lines beside those that every request has. */
  readonly lines?: readonly string[]
  readonly body?: string | Buffer
}

/** The bytes of a request. Its body is announced by its length, unless `lines` say otherwise. */
function formatRequest({ method = 'POST', path = '/mcp', lines = [], body }: Sent = {}): Buffer {
  const isFramed = lines.some((line) => line.toLowerCase().startsWith('transfer-encoding:'))
  const content = method === 'POST' ? Buffer.from(body ?? CALL) : Buffer.alloc(0)
  const head = [
    `${method} ${path} HTTP/1.1`,
    `Host: localhost:${proxy.port}`,
    `Authorization: Bearer ${token}`,
    'Accept: application/json, text/event-stream',
    ...(method === 'POST' ? ['Content-Type: application/json'] : []),
    ...(method === 'POST' && !isFramed ? [`Content-Length: ${content.length}`] : []),
    ...lines,
  ]
  return Buffer.concat([Buffer.from(`${head.join('\r\n')}\r\n\r\n`), content])
}

async function send(sent: Sent = {}): Promise<RawConnection> {
  const connection = await open()
  connection.write(formatRequest(sent))
  return connection
}

function digest(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex')
}

/** The next request that the upstream gets. */
function nextRequest() {
  return upstream.waitForRequest(upstream.requests.length)
}

const sse = controlStream
const STREAMS: [what: string, sent: Sent, firstEvent: string][] = [
  ['an answer', {}, 'data: {"jsonrpc":"2.0","id":7,"result":{}}\n\n'],
  ['the stream of an MCP session', { method: 'GET' }, 'data: {"jsonrpc":"2.0","method":"notifications/x"}\n\n'],
  ['HTTP+SSE', { method: 'GET', path: '/sse' }, 'event: endpoint\ndata: /messages?sessionId=1\n\n'],
]

describe('headers', () => {
  it.each(STREAMS)('reach the client before the first event of %s', async (_what, sent, firstEvent) => {
    const stream = sse()
    upstream.answerWith(stream.answer)
    const connection = await send(sent)
    // Nothing but the head has been sent by then: a proxy that waits for more waits for ever.
    const head = await connection.readHead()
    expect(head.status).toBe(200)
    expect(head.header('content-type')).toBe('text/event-stream')
    await stream.send(firstEvent)
    await connection.waitFor('data: ')
  })

  it('reach the client before the first byte of a body without an announced length', async () => {
    const stream = sse({ 'Content-Type': 'application/json' })
    upstream.answerWith(stream.answer)
    const connection = await send()
    expect((await connection.readHead()).header('content-type')).toBe('application/json')
    await stream.send('{"jsonrpc":"2.0","id":7,"result":{}}')
    await connection.waitFor('"result"')
  })

  it('and every event are sent on at once, not when more has come', async () => {
    const stream = sse()
    upstream.answerWith(stream.answer)
    const connection = await send()
    for (const number of [1, 2, 3]) {
      await stream.send(`data: ${number}\n\n`)
      await connection.waitFor(`data: ${number}\n\n`)
    }
  })
})

describe('Origin', () => {
  it.each(['https://evil.example', 'null', 'http://localhost.evil.example', 'http://evil.example:80', 'file://'])(
    '%s is refused before the MCP server hears of it',
    async (origin) => {
      const before = upstream.requests.length
      const response = await (await send({ lines: [`Origin: ${origin}`] })).readResponse()
      expect(response.status).toBe(403)
      expect(upstream.requests).toHaveLength(before)
    },
  )

  it.each(['http://localhost:6274', 'http://127.0.0.1:8080', 'https://claude.ai'])('%s is served', async (origin) => {
    upstream.answerWith(answerJson({ jsonrpc: '2.0', id: 7, result: {} }))
    const response = await (await send({ lines: [`Origin: ${origin}`] })).readResponse()
    expect(response.status).toBe(200)
    expect(response.header('access-control-allow-origin')).toBe(origin)
  })
})

/** JSON that a decoder and an encoder in a row would not give back as it was. */
const BODIES = [
  '9007199254740993',
  '-0',
  '1e400',
  '1.0',
  '0.1e-7',
  '100000000000000000000000000000000000001',
  '"\\u0041\\/\\ud83d\\ude00"',
  '"😀 𝒳 \u2028\u2029\u0085 é e\u0301"',
  '  {  "b" :  1 ,\r\n\t"a":2, "10":3, "9":4 }  ',
  '[ ]',
].map((value) => `{"jsonrpc": "2.0",  "id":7,"method":"tools/call","params":{"name":"echo","arguments":{"value":${value}}}}\r\n`)

describe('request bodies arrive byte for byte', () => {
  beforeAll(() => upstream.answerWith(answerJson({ jsonrpc: '2.0', id: 7, result: {} })))

  it.each(BODIES)('%j', async (body) => {
    const arriving = nextRequest()
    const connection = await send({ body })
    expect(digest(await (await arriving).body)).toBe(digest(Buffer.from(body)))
    expect((await connection.readResponse()).status).toBe(200)
  })

  it('in chunks of one byte, too', async () => {
    const body = BODIES.find((text) => text.includes('😀')) ?? ''
    const chunks = [...Buffer.from(body)].map((byte) => Buffer.from([0x31, 0x0d, 0x0a, byte, 0x0d, 0x0a]))
    const arriving = nextRequest()
    const connection = await open()
    connection.write(formatRequest({ lines: ['Transfer-Encoding: chunked'], body: '' }))
    await connection.drip(Buffer.concat([...chunks, Buffer.from('0\r\n\r\n')]))
    expect(digest(await (await arriving).body)).toBe(digest(Buffer.from(body)))
  })

  it('whatever JSON it is', async () => {
    const space = fc.stringMatching(/^[ \t\r\n]{0,3}$/)
    await fc.assert(
      fc.asyncProperty(fc.jsonValue(), space, fc.integer({ min: 0, max: 4 }), async (value, between, indent) => {
        const params = JSON.stringify({ name: 'echo', arguments: { value } }, undefined, indent)
        const body = `${between}{"jsonrpc":"2.0","id":7,"method":"tools/call","params":${between}${params}${between}}${between}`
        const arriving = nextRequest()
        const connection = await send({ body })
        expect((await (await arriving).body).equals(Buffer.from(body))).toBe(true)
        await connection.readResponse()
        connection.destroy()
      }),
      { numRuns: 50 },
    )
  })
})

/** Event streams as a server may write them: every line ending, comments, fields nobody knows, and text beyond ASCII. */
const EVENT_STREAMS: [what: string, bytes: Buffer][] = [
  ['CRLF', Buffer.from('id: 1\r\nevent: message\r\ndata: {"a":1}\r\n\r\n')],
  ['CR alone', Buffer.from('data: 1\r\rdata: 2\r\r')],
  ['comments', Buffer.from(': hello\n\n:\n:keep-alive\n\ndata: 1\n\n')],
  ['priming and retry', Buffer.from('id: 0\nretry: 3000\ndata: \n\n')],
  ['fields nobody knows', Buffer.from('zzz: 1\ndata:no space\ndata\nid\n\n')],
  ['a byte order mark', Buffer.from('\ufeffdata: 1\n\n')],
  ['text beyond ASCII', Buffer.from('data: 😀 𝒳 é \u2028 \u0000\n\n')],
  ['no blank line at the end', Buffer.from('data: 1\n\ndata: 2')],
  ['a very long line', Buffer.from(`data: ${'x'.repeat(300_000)}\n\n`)],
]

/** Answers with these bytes, each piece in a write of its own. */
function answerPieces(pieces: readonly Buffer[], headers: Record<string, string>): Answer {
  return async (_request, response) => {
    response.writeHead(200, headers)
    for (const piece of pieces) {
      await write(response, piece)
      await new Promise((resolve) => setImmediate(resolve))
    }
    response.end()
  }
}

async function write(response: ServerResponse, piece: Buffer): Promise<void> {
  if (!response.write(piece)) await once(response, 'drain')
}

function split(bytes: Buffer, size: number): Buffer[] {
  return Array.from({ length: Math.ceil(bytes.length / size) }, (_, index) => bytes.subarray(index * size, (index + 1) * size))
}

describe('response bodies arrive byte for byte', () => {
  it.each(EVENT_STREAMS)('an event stream with %s, in one piece and in pieces of one byte', async (_what, bytes) => {
    for (const size of bytes.length > 1000 ? [bytes.length, 1000] : [bytes.length, 1]) {
      upstream.answerWith(answerPieces(split(bytes, size), { 'Content-Type': 'text/event-stream' }))
      const { body } = await (await send()).readResponse()
      expect(digest(body)).toBe(digest(bytes))
    }
  })

  it.each(EVENT_STREAMS)('HTTP+SSE behind its first event, with %s', async (_what, bytes) => {
    const first = Buffer.from('event: endpoint\ndata: /messages?sessionId=1\n\n')
    for (const size of bytes.length > 1000 ? [1000] : [first.length, 7]) {
      upstream.answerWith(answerPieces(split(Buffer.concat([first, bytes]), size), { 'Content-Type': 'text/event-stream' }))
      const { body } = await (await send({ method: 'GET', path: '/sse' })).readResponse()
      expect(digest(body.subarray(body.indexOf('\n\n') + 2))).toBe(digest(bytes))
    }
  })

  it.each(BODIES)('JSON: %j', async (text) => {
    const bytes = Buffer.from(text)
    upstream.answerWith((_request, response) => {
      response.writeHead(200, { 'Content-Type': 'application/json; charset=utf-8', 'Content-Length': bytes.length }).end(bytes)
    })
    const response = await (await send()).readResponse()
    expect(response.header('content-type')).toBe('application/json; charset=utf-8')
    expect(response.header('content-length')).toBe(String(bytes.length))
    expect(digest(response.body)).toBe(digest(bytes))
  })

  it('compressed as the MCP server sent them', async () => {
    const bytes = gzipSync('{"jsonrpc":"2.0","id":7,"result":{}}')
    upstream.answerWith(answerPieces([bytes], { 'Content-Type': 'application/json', 'Content-Encoding': 'gzip' }))
    const response = await (await send({ lines: ['Accept-Encoding: gzip'] })).readResponse()
    expect(response.header('content-encoding')).toBe('gzip')
    expect(digest(response.body)).toBe(digest(bytes))
  })

  it('whatever they are, and however they are cut', async () => {
    const pieces = fc.array(fc.uint8Array({ minLength: 1, maxLength: 2000 }), { minLength: 1, maxLength: 8 })
    await fc.assert(
      fc.asyncProperty(pieces, async (parts) => {
        const buffers = parts.map((part) => Buffer.from(part))
        upstream.answerWith(answerPieces(buffers, { 'Content-Type': 'text/event-stream' }))
        const connection = await send()
        expect((await connection.readResponse()).body.equals(Buffer.concat(buffers))).toBe(true)
        connection.destroy()
      }),
      { numRuns: 50 },
    )
  })
})

describe('when the client goes away', () => {
  it('before the answer, the request to the MCP server is broken off', async () => {
    upstream.answerWith(() => {})
    const arriving = nextRequest()
    const connection = await send()
    const request = await arriving
    connection.destroy()
    await request.aborted
  })

  it.each(STREAMS)('in the middle of a stream, so is the stream: %s', async (_what, sent, firstEvent) => {
    const stream = sse()
    upstream.answerWith(stream.answer)
    const arriving = nextRequest()
    const connection = await send(sent)
    await stream.send(firstEvent)
    await connection.waitFor('data: ')
    connection.destroy()
    await (await arriving).aborted
  })

  it('many times, no connection to the MCP server is left behind', async () => {
    const counted = await startCountingUpstream()
    const own = await protect(counted.origin)
    const credentials = await mintFor(own)
    const bytes = formatRequest().toString('latin1').replace(token, credentials).replace(`:${proxy.port}`, `:${own.port}`)
    for (let round = 0; round < 10; round++) {
      await Promise.all(Array.from({ length: 30 }, () => abortOne(own.port, bytes)))
    }
    await counted.empty()
    expect(counted.opened()).toBeGreaterThan(0)
    await own.close()
    await counted.close()
  })
})

/** Half of the requests are broken off when the answer has begun, half before. */
async function abortOne(port: number, bytes: string): Promise<void> {
  const socket = connect(port, '127.0.0.1')
  socket.write(bytes)
  if (Math.random() < 0.5) await once(socket, 'data')
  else await once(socket, 'connect')
  const closed = once(socket, 'close')
  socket.destroy()
  await closed
}

/** An MCP server that begins answers and never ends them, and knows its connections. */
async function startCountingUpstream() {
  const sockets = new Set<Socket>()
  let opened = 0
  const server: Server = createServer((_request, response) => {
    response.writeHead(200, { 'Content-Type': 'text/event-stream' }).write(':\n\n')
  })
  server.on('connection', (socket) => {
    opened += 1
    sockets.add(socket)
    socket.once('close', () => {
      sockets.delete(socket)
      server.emit('gone')
    })
  })
  const port = await listenOnLoopback(server, 0)
  return {
    origin: `http://127.0.0.1:${port}`,
    opened: () => opened,
    empty: async () => {
      while (sockets.size > 0) await once(server, 'gone')
    },
    close: () => closeServer(server),
  }
}

describe('when the MCP server goes away', () => {
  it.each(STREAMS)('in the middle of a stream, the client sees that it was cut: %s', async (_what, sent, firstEvent) => {
    const stream = sse()
    upstream.answerWith(stream.answer)
    const connection = await send(sent)
    await stream.send(firstEvent)
    await connection.waitFor('data: ')
    await stream.cut()
    await connection.closed
    // The last chunk would say that this was all.
    expect(connection.received().toString().endsWith('0\r\n\r\n')).toBe(false)
    await expect(connection.readResponse()).rejects.toThrow('in the middle')
    const { code } = await proxy.log.waitFor(({ status, code }) => status === 200 && String(code).startsWith('upstream_'))
    expect(code).toBe('upstream_unreachable')
  })

  it('before the announced end of a body, the client sees that it was cut', async () => {
    upstream.answerWith((_request, response) => {
      response.writeHead(200, { 'Content-Type': 'application/json', 'Content-Length': 1000 })
      response.write('{"jsonrpc":"2.0",', () => response.destroy())
    })
    await expect((await send()).readResponse()).rejects.toThrow('in the middle')
  })

  it('before the answer, the client gets a JSON-RPC error with its id', async () => {
    upstream.answerWith((_request, response) => void response.destroy())
    const response = await (await send()).readResponse()
    expect(response.status).toBe(502)
    expect(response.header('retry-after')).toBeDefined()
    expect(JSON.parse(response.body.toString())).toMatchObject({
      jsonrpc: '2.0',
      id: 7,
      error: { data: { error: 'upstream_unreachable' } },
    })
  })
})

describe('a client that reads slowly', () => {
  const MIB = 1024 * 1024
  const TOTAL = 192 * MIB
  /** What the systems' socket buffers and a few writes in between may hold. */
  const MAX_AHEAD = 48 * MIB

  it.each([
    ['an answer', {}],
    ['HTTP+SSE', { method: 'GET', path: '/sse' }],
  ] as [string, Sent][])('slows the MCP server down, and no memory fills: %s', async (_what, sent) => {
    const flood = createFlood(TOTAL)
    upstream.answerWith(flood.answer)
    const memoryBefore = process.memoryUsage()
    const socket = connect(proxy.port, '127.0.0.1')
    socket.pause()
    socket.write(formatRequest(sent))
    await flood.stalled()

    expect(flood.sent()).toBeLessThan(MAX_AHEAD)
    const memory = process.memoryUsage()
    expect(memory.arrayBuffers + memory.external - memoryBefore.arrayBuffers - memoryBefore.external).toBeLessThan(MAX_AHEAD)

    // Nobody else waits for it, and it still gets everything.
    expect((await (await send()).readResponse()).status).toBe(200)
    const received = countBytes(socket, TOTAL)
    socket.resume()
    await received
    socket.destroy()
  })
})

/** Resolves when this many bytes have come. */
function countBytes(socket: Socket, total: number): Promise<void> {
  let received = 0
  return new Promise((resolve, reject) => {
    socket.on('data', (chunk) => {
      received += chunk.length
      if (received >= total) resolve()
    })
    socket.once('close', () => reject(new Error(`the connection ended after ${received} bytes`)))
  })
}

/** Milliseconds without any progress after which a writer counts as stopped. */
const QUIET = 400

/** A long event stream for the first who asks, written no faster than it may be. Everyone else gets a short answer. */
function createFlood(total: number) {
  const line = Buffer.from(`data: ${'x'.repeat(65_528)}\n\n`)
  let sent = 0
  let progress = Date.now()
  const pour = (response: ServerResponse): void => {
    while (sent < total) {
      sent += line.length
      progress = Date.now()
      if (!response.write(line)) return
    }
    response.end()
  }
  const answer: Answer = (request, response) => {
    if (sent > 0) return answerJson({ jsonrpc: '2.0', id: 7, result: {} })(request, response)
    response.writeHead(200, { 'Content-Type': 'text/event-stream' })
    response.write('event: endpoint\ndata: /messages?sessionId=1\n\n')
    response.on('drain', () => pour(response))
    pour(response)
  }
  return {
    answer,
    sent: () => sent,
    /** Resolves when nothing moves any more, be it that all was sent. */
    stalled: async () => {
      while (sent === 0 || Date.now() - progress < QUIET) await new Promise((resolve) => setTimeout(resolve, QUIET / 8))
    },
  }
}

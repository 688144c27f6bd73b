import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect as connectTls } from 'node:tls'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startProxy } from '../../src/app.ts'
import { loadConfigValue } from '../../src/config/load.ts'
import { type Arena, type ArenaOptions, checkServes, formatCall, formatRequest, repeatId, startArena } from '../support/attack.ts'
import { createCertificate } from '../support/certificate.ts'
import { openRawConnection, type RawConnection } from '../support/raw-client.ts'
import { controlStream, type RecordedRequest } from '../support/recording-upstream.ts'

function useArena(options: ArenaOptions): () => Arena {
  let arena: Arena | undefined
  beforeAll(async () => {
    arena = await startArena(options)
  })
  afterAll(() => arena?.close())
  return () => arena as Arena
}

const impatient = {
  limits: { headers_seconds: 0.4, body_idle_seconds: 0.4, stalled_client_seconds: 0.4, body_bytes: 100_000 },
}
const authorized = ['Host: localhost:{port}', 'Authorization: Bearer {token}', 'Content-Type: application/json']

async function send(arena: Arena, parts: Parameters<typeof formatRequest>[1]): Promise<RawConnection> {
  const connection = await openRawConnection(arena.proxy.port)
  connection.write(formatRequest(arena, parts))
  return connection
}

/** Sends without end until the other side has enough. */
function pour(connection: RawConnection, piece: string): void {
  const more = () => {
    while (!connection.socket.destroyed) if (!connection.socket.write(piece)) return
  }
  connection.socket.on('drain', more)
  more()
}

describe('a slow client', () => {
  const arena = useArena({ config: impatient })

  it.each([
    ['that says nothing', ''],
    ['that stops in the request line', 'POST /mc'],
    ['that stops in the header section', 'POST /mcp HTTP/1.1\r\nHost: localhost\r\nX-A:'],
    ['that stops before the end of the header section', 'POST /mcp HTTP/1.1\r\nHost: localhost\r\n'],
  ])('%s is sent away (408)', async (_name, text) => {
    const connection = await openRawConnection(arena().proxy.port)
    connection.write(text)
    await connection.closed
    expect(connection.received().toString()).toMatch(/^(HTTP\/1\.1 408 |$)/)
    await checkServes(arena())
  })

  it('two hundred of them that send a byte now and then are sent away, while others are served', async () => {
    const slow = await Promise.all(Array.from({ length: 200 }, () => openRawConnection(arena().proxy.port)))
    for (const { socket } of slow) socket.write('GET /mcp HTTP/1.1\r\nX-A: ')
    const timer = setInterval(() => {
      for (const { socket } of slow) if (!socket.destroyed) socket.write('X')
    }, 50)
    const over = Promise.all(slow.map(({ closed }) => closed))
    let isOver = false
    void over.then(() => {
      isOver = true
    })
    while (!isOver) await checkServes(arena())
    clearInterval(timer)
  })

  it('that finished one request and begins another slowly is sent away', async () => {
    const connection = await openRawConnection(arena().proxy.port)
    await checkServes(arena(), connection)
    connection.write('POST /mcp HTTP/1.1\r\n')
    await connection.closed
    await checkServes(arena())
  })

  it.each([
    ['of known length', ['Content-Length: 100'], '{"a":'],
    ['of known length, never begun', ['Content-Length: 100'], ''],
    ['in chunks', ['Transfer-Encoding: chunked'], '5\r\n{"a":\r\n'],
    ['in chunks, in the middle of one', ['Transfer-Encoding: chunked'], '5\r\n{"a'],
  ])('whose body stops, %s, is told so (408)', async (_name, lines, content) => {
    const connection = await send(arena(), { lines: [...authorized, ...lines], body: content })
    const answer = await connection.readResponse()
    expect(answer.status).toBe(408)
    expect(JSON.parse(answer.body.toString())).toMatchObject({ error: { data: { error: 'body_timeout' } } })
    await connection.closed
    await checkServes(arena())
  })

  it('that was asked for its body and sends none is told so (408)', async () => {
    const connection = await send(arena(), { lines: [...authorized, 'Content-Length: 5', 'Expect: 100-continue'], body: '' })
    await connection.waitFor('100 Continue')
    expect((await connection.readResponse()).status).toBe(408)
    await connection.closed
  })

  it('whose body comes in bits, but comes, is served', async () => {
    const body = formatCall('echo', 'slow')
    const connection = await send(arena(), { lines: [...authorized, `Content-Length: ${body.length}`], body: '' })
    await connection.drip(body)
    expect((await connection.readResponse()).body.toString()).toContain('"id":"slow"')
    connection.destroy()
  })

  it('who is a stranger and whose body never comes is told 401 and sent away', async () => {
    const connection = await send(arena(), { lines: ['Host: localhost:{port}', 'Content-Length: 1000000'], body: 'x' })
    expect((await connection.readResponse()).status).toBe(401)
    await connection.closed
  })

  it('who is a stranger and whose body never ends is told 401 and sent away', async () => {
    const connection = await send(arena(), { lines: ['Host: localhost:{port}', 'Transfer-Encoding: chunked'], body: '' })
    pour(connection, `400\r\n${'x'.repeat(1024)}\r\n`)
    expect((await connection.readResponse()).status).toBe(401)
    await connection.closed
    await checkServes(arena())
  })
})

describe('a body that is too large (413)', () => {
  const arena = useArena({ config: impatient })
  const cap = 100_000

  it('is refused by its announcement, before a byte of it', async () => {
    const connection = await send(arena(), { lines: [...authorized, `Content-Length: ${cap + 1}`], body: '' })
    const answer = await connection.readResponse()
    expect(answer.status).toBe(413)
    expect(arena().upstream.requests).toHaveLength(0)
    await connection.closed
  })

  it('is not asked for', async () => {
    const lines = [...authorized, `Content-Length: ${cap + 1}`, 'Expect: 100-continue']
    const connection = await send(arena(), { lines, body: '' })
    expect((await connection.readHead()).status).toBe(413)
    await connection.closed
  })

  it('is refused as soon as it is, where it was not announced', async () => {
    const connection = await send(arena(), { lines: [...authorized, 'Transfer-Encoding: chunked'], body: '' })
    connection.write(`${(cap + 1).toString(16)}\r\n${'x'.repeat(cap + 1)}`)
    expect((await connection.readResponse()).status).toBe(413)
    await connection.closed
  })

  it('that never ends is cut off', async () => {
    const connection = await send(arena(), { lines: [...authorized, 'Transfer-Encoding: chunked'], body: '' })
    pour(connection, `400\r\n${'x'.repeat(1024)}\r\n`)
    expect((await connection.readResponse()).status).toBe(413)
    await connection.closed
    await checkServes(arena())
  })

  it('that does end leaves its connection usable', async () => {
    const connection = await send(arena(), { lines: [...authorized, `Content-Length: ${cap + 1}`], body: 'x'.repeat(cap + 1) })
    expect((await connection.readResponse()).status).toBe(413)
    await checkServes(arena(), connection)
    connection.destroy()
  })

  it('does not hold for one that just fits', async () => {
    const call = JSON.parse(formatCall('echo', 'full')) as { params: { arguments: object } }
    call.params.arguments = { padding: '' }
    call.params.arguments = { padding: 'x'.repeat(cap - JSON.stringify(call).length) }
    const body = JSON.stringify(call)
    expect(body).toHaveLength(cap)
    const connection = await send(arena(), { body })
    expect((await connection.readResponse()).status).toBe(200)
    connection.destroy()
  })
})

describe('a client that takes nothing of its answer is cut off', () => {
  const arena = useArena({ config: impatient })

  it('with an event stream that never ends, which its upstream hears of', async () => {
    const stream = controlStream()
    let request: RecordedRequest | undefined
    arena().upstream.answerWith((incoming, response) => {
      request = incoming
      return stream.answer(incoming, response)
    })
    const connection = await send(arena(), { method: 'GET', lines: authorized })
    await connection.waitFor('text/event-stream')
    connection.socket.pause()
    const event = `data: ${'x'.repeat(65_536)}\n\n`
    let sent = 0
    while (await stream.send(event)) sent += event.length
    const flood = (async () => {
      for (;;) {
        await stream.drained()
        while (await stream.send(event)) sent += event.length
      }
    })()
    await Promise.race([request?.aborted, flood])
    // What was on its way in buffers of the system and ours, however long it would have gone on.
    expect(sent).toBeLessThan(32 * 1024 * 1024)
    connection.destroy()
  })

  it('with a long answer of known length', async () => {
    const length = 64 * 1024 * 1024
    arena().upstream.answerWith((_request, response) => {
      response.writeHead(200, { 'Content-Type': 'application/json', 'Content-Length': length }).end(Buffer.alloc(length, 'x'))
    })
    const since = arena().upstream.requests.length
    const connection = await send(arena(), {})
    await connection.waitFor('HTTP/1.1 200')
    connection.socket.pause()
    await (await arena().upstream.waitForRequest(since)).aborted
    connection.destroy()
  })

  it('but not one that takes it slowly, for as long as it takes some', async () => {
    const length = 32 * 1024 * 1024
    arena().upstream.answerWith((_request, response) => {
      response.writeHead(200, { 'Content-Type': 'application/json', 'Content-Length': length }).end(Buffer.alloc(length, 'x'))
    })
    const socket = connect({ port: arena().proxy.port, host: '127.0.0.1' })
    socket.write(formatRequest(arena(), {}))
    const begun = performance.now()
    let received = 0
    for await (const piece of socket) {
      received += piece.length
      if (received >= length) break
      // Three times as long as it may take nothing.
      while (received / length > (performance.now() - begun) / 1200) await new Promise((resolve) => setTimeout(resolve, 5))
    }
    expect(received).toBeGreaterThanOrEqual(length)
  })

  it('with refusals, of which it asks for more and more', async () => {
    const stranger = formatRequest(arena(), { method: 'GET', lines: ['Host: localhost:{port}'] })
    const socket = connect({ port: arena().proxy.port, host: '127.0.0.1' })
    socket.on('error', () => {})
    socket.pause()
    // Paused sockets notice their end only when they write.
    const closed = new Promise((resolve) => socket.once('close', resolve))
    const timer = setInterval(() => socket.write(stranger.repeat(200)), 5)
    await closed
    clearInterval(timer)
  })

  it('with documents that are for everyone', async () => {
    const target = '/.well-known/oauth-protected-resource'
    const stranger = formatRequest(arena(), { method: 'GET', target, lines: ['Host: localhost:{port}'] })
    const socket = connect({ port: arena().proxy.port, host: '127.0.0.1' })
    socket.on('error', () => {})
    socket.pause()
    const closed = new Promise((resolve) => socket.once('close', resolve))
    const timer = setInterval(() => socket.write(stranger.repeat(200)), 5)
    await closed
    clearInterval(timer)
  })
})

describe('a client that goes', () => {
  const arena = useArena({ config: impatient })

  it.each([
    ['by closing', (connection: RawConnection) => connection.destroy()],
    ['by a reset', (connection: RawConnection) => void connection.socket.resetAndDestroy()],
    ['by half closing', (connection: RawConnection) => connection.end()],
  ])('while its upstream thinks takes the request to it along: %s', async (_name, leave) => {
    const since = arena().upstream.requests.length
    arena().upstream.answerWith(() => {})
    const connection = await send(arena(), {})
    const request = await arena().upstream.waitForRequest(since)
    leave(connection)
    await request.aborted
  })

  it.each([
    ['by closing', (connection: RawConnection) => connection.destroy()],
    ['by a reset', (connection: RawConnection) => void connection.socket.resetAndDestroy()],
  ])('in the middle of a stream takes that along: %s', async (_name, leave) => {
    const since = arena().upstream.requests.length
    const stream = controlStream()
    arena().upstream.answerWith(stream.answer)
    const connection = await send(arena(), { method: 'GET', lines: authorized })
    const request = await arena().upstream.waitForRequest(since)
    await stream.send('data: 1\n\n')
    await connection.waitFor('data: 1')
    leave(connection)
    await request.aborted
  })

  it('in the middle of its body reaches no upstream', async () => {
    const since = arena().upstream.requests.length
    const connection = await send(arena(), { lines: [...authorized, 'Content-Length: 1000'], body: '{"jsonrpc"' })
    connection.socket.resetAndDestroy()
    const record = await arena().proxy.log.waitFor(({ code }) => code === 'client_gone')
    expect(record).not.toHaveProperty('status', 200)
    expect(arena().upstream.requests.length).toBe(since)
  })

  it('three hundred times at any moment harms no other client', async () => {
    arena().upstream.answerWith(async (request, response) => {
      await request.body
      response.writeHead(200, { 'Content-Type': 'text/event-stream' }).write('data: 1\n\n')
    })
    const text = formatRequest(arena(), {})
    const since = arena().upstream.requests.length
    for (let i = 0; i < 300; i++) {
      const connection = await openRawConnection(arena().proxy.port)
      connection.write(text.slice(0, Math.floor((text.length * (i % 30)) / 25)))
      if (i % 30 > 25) await connection.waitFor('data: 1')
      if (i % 2 === 0) connection.socket.resetAndDestroy()
      else connection.destroy()
    }
    for (const request of arena().upstream.requests.slice(since)) await request.aborted
    arena().upstream.answerWith(repeatId)
    await checkServes(arena())
  })
})

describe('patience where it belongs', () => {
  const arena = useArena({
    config: impatient,
    server: (origin) => ({ upstream: { url: `${origin}/up`, response_timeout_seconds: 0.4 } }),
  })

  it('an event stream may be silent for longer than every limit', async () => {
    const stream = controlStream()
    arena().upstream.answerWith(stream.answer)
    const listening = await send(arena(), { method: 'GET', lines: authorized })
    await stream.opened
    // Each of these is sent away by its limit; by then all limits are over twice.
    for (let i = 0; i < 2; i++) {
      await (await openRawConnection(arena().proxy.port)).closed
      const stopping = await send(arena(), { lines: [...authorized, 'Content-Length: 100'], body: '{' })
      expect((await stopping.readResponse()).status).toBe(408)
      await stopping.closed
    }
    await stream.send('data: late\n\n')
    await listening.waitFor('data: late\n\n')
    await stream.end()
    expect((await listening.readResponse()).body.toString()).toBe('data: late\n\n')
    listening.destroy()
  })
})

describe('TLS', () => {
  const folder = mkdtempSync(join(tmpdir(), 'proxy-tls-'))
  afterAll(() => rmSync(folder, { recursive: true }))

  it('a handshake that is not finished in time ends the connection, and the rest is as without TLS', async () => {
    const { cert, key } = createCertificate()
    const [certFile, keyFile] = [join(folder, 'cert.pem'), join(folder, 'key.pem')]
    writeFileSync(certFile, cert)
    writeFileSync(keyFile, key)
    const { plan } = loadConfigValue(
      {
        public_url: 'https://localhost:8443',
        listen: { port: 0, tls: { cert_file: certFile, key_file: keyFile } },
        allowed_hosts: ['localhost'],
        issuers: ['http://127.0.0.1:1'],
        servers: [{ path: '/mcp', upstream: 'http://127.0.0.1:1/mcp' }],
        log: { level: 'silent' },
        ...impatient,
      },
      { env: {}, directory: folder, terminal: false },
    )
    const proxy = await startProxy(plan)
    const port = Number(new URL(proxy.url).port)
    for (const bytes of ['', '\u0016\u0003\u0001', 'GET /mcp HTTP/1.1\r\nHost: localhost\r\n\r\n']) {
      const connection = await openRawConnection(port)
      connection.write(Buffer.from(bytes, 'latin1'))
      await connection.closed
      expect(connection.received().toString('latin1')).not.toContain('HTTP/1.1 401')
    }
    const answer = await new Promise<string>((resolve, reject) => {
      const socket = connectTls({ port, host: '127.0.0.1', ca: cert, servername: 'localhost' }, () => {
        socket.write('GET /mcp HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n')
      })
      let text = ''
      socket.on('data', (chunk) => (text += chunk))
      socket.on('end', () => resolve(text))
      socket.on('error', reject)
    })
    expect(answer).toMatch(/^HTTP\/1\.1 401 /)
    await proxy.close()
  })
})

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  type Arena,
  checkArrived,
  checkAttack,
  checkServes,
  fillIn,
  formatCall,
  formatRequest,
  startArena,
} from '../support/attack.ts'
import { openRawConnection } from '../support/raw-client.ts'

let arena: Arena

beforeAll(async () => {
  arena = await startArena()
})
afterAll(() => arena.close())

const host = 'Host: localhost:{port}'
const authorization = 'Authorization: Bearer {token}'
const type = 'Content-Type: application/json'
const body = formatCall('echo', 1)
const length = `Content-Length: ${body.length}`
const chunk = `${body.length.toString(16)}\r\n${body}\r\n`

/** A request with exactly these lines. */
function raw(lines: readonly string[], content: string, start = 'POST /mcp HTTP/1.1'): Buffer {
  return Buffer.from(fillIn(arena, `${[start, ...lines].join('\r\n')}\r\n\r\n${content}`), 'latin1')
}

/** What must never arrive: a second request hidden behind the first. */
const smuggled = () => fillIn(arena, `GET /mcp HTTP/1.1\r\n${host}\r\n${authorization}\r\nX-Smuggled: yes\r\n\r\n`)

describe('refuses what leaves in doubt where the body ends', () => {
  const ambiguous: [string, string[]][] = [
    ['Content-Length and Transfer-Encoding', [length, 'Transfer-Encoding: chunked']],
    ['Transfer-Encoding and Content-Length', ['Transfer-Encoding: chunked', length]],
    ['Content-Length: 0 and Transfer-Encoding', ['Content-Length: 0', 'Transfer-Encoding: chunked']],
    ['two Content-Length that differ', [length, 'Content-Length: 5']],
    ['two Content-Length that agree', [length, length]],
    ['a list in Content-Length', [`Content-Length: ${body.length}, ${body.length}`]],
    ['Content-Length with a plus', [`Content-Length: +${body.length}`]],
    ['Content-Length below zero', ['Content-Length: -1']],
    ['Content-Length in hexadecimal', ['Content-Length: 0x10']],
    ['Content-Length with a fraction', [`Content-Length: ${body.length}.0`]],
    ['Content-Length with a space inside', ['Content-Length: 1 0']],
    ['Content-Length that is empty', ['Content-Length:']],
    ['Content-Length beyond 64 bits', ['Content-Length: 18446744073709551617']],
    ['Content-Length with an underscore', ['Content-Length: 1_0']],
    ['Content-Length folded over two lines', [`Content-Length:\r\n ${body.length}`]],
    ['a space before the colon of Content-Length', [`Content-Length : ${body.length}`]],
    ['a space before the colon of Transfer-Encoding', ['Transfer-Encoding : chunked']],
    ['a tab before the colon of Transfer-Encoding', ['Transfer-Encoding\t: chunked']],
    ['xchunked', ['Transfer-Encoding: xchunked']],
    ['chunked with something behind', ['Transfer-Encoding: chunkedx']],
    ['chunked in quotes', ['Transfer-Encoding: "chunked"']],
    ['chunked with a parameter', ['Transfer-Encoding: chunked;q=1']],
    ['chunked behind a vertical tab', ['Transfer-Encoding: \u000bchunked']],
    ['chunked behind a no-break space', ['Transfer-Encoding: \u00a0chunked']],
    ['chunked before a no-break space', ['Transfer-Encoding: chunked\u00a0']],
    ['gzip, chunked', ['Transfer-Encoding: gzip, chunked']],
    ['chunked, gzip', ['Transfer-Encoding: chunked, gzip']],
    ['chunked, identity', ['Transfer-Encoding: chunked, identity']],
    ['identity', ['Transfer-Encoding: identity']],
    ['identity, chunked', ['Transfer-Encoding: identity, chunked']],
    ['chunked twice in one header', ['Transfer-Encoding: chunked, chunked']],
    ['chunked behind an empty member', ['Transfer-Encoding: , chunked']],
    ['two Transfer-Encoding headers', ['Transfer-Encoding: chunked', 'Transfer-Encoding: chunked']],
    ['two Transfer-Encoding headers, the second unknown', ['Transfer-Encoding: chunked', 'Transfer-Encoding: x']],
    ['an empty Transfer-Encoding', ['Transfer-Encoding:']],
    ['Transfer-Encoding folded over two lines', ['Transfer-Encoding:\r\n chunked']],
    ['Transfer-Encoding behind a bare line feed', ['X-A: b\nTransfer-Encoding: chunked']],
    ['Transfer-Encoding behind a bare carriage return', ['X-A: b\rTransfer-Encoding: chunked']],
  ]
  it.each(ambiguous)('%s', async (_name, lines) => {
    const contents = [`${chunk}0\r\n\r\n${smuggled()}`, `${body}${smuggled()}`, `0\r\n\r\n${smuggled()}`]
    for (const content of contents) {
      await checkAttack(arena, raw([host, authorization, type, ...lines], content), { status: 400 })
    }
  })

  it.each(['Transfer-Encoding: chunked', 'Transfer-Encoding: xchunked'])('%s in HTTP/1.0', async (line) => {
    const bytes = raw([host, authorization, type, line], `${chunk}0\r\n\r\n${smuggled()}`, 'POST /mcp HTTP/1.0')
    await checkAttack(arena, bytes, { status: 400 })
  })

  const chunks: [string, string][] = [
    ['a chunk size that overflows', `ffffffffffffffff1\r\n${body}\r\n0\r\n\r\n`],
    ['a chunk size below zero', `-1\r\n${body}\r\n0\r\n\r\n`],
    ['a chunk size with 0x', `0x${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`],
    ['a chunk size with a plus', `+${chunk}0\r\n\r\n`],
    ['a chunk size with a space before', ` ${chunk}0\r\n\r\n`],
    ['an empty chunk size', `\r\n${body}\r\n0\r\n\r\n`],
    ['a chunk longer than its size', `1\r\n${body}\r\n0\r\n\r\n`],
    ['a bare line feed behind the chunk size', `${body.length.toString(16)}\n${body}\r\n0\r\n\r\n`],
    ['a bare line feed behind the chunk', `${body.length.toString(16)}\r\n${body}\n0\r\n\r\n`],
    ['a bare carriage return in a chunk extension', `${body.length.toString(16)};a\rb\r\n${body}\r\n0\r\n\r\n`],
    ['a bare line feed in a chunk extension', `${body.length.toString(16)};a\n${body}\r\n0\r\n\r\n`],
    ['a trailer without a colon', `${chunk}0\r\nX-Smuggled\r\n\r\n`],
    ['a trailer with a space before the colon', `${chunk}0\r\nX-A : b\r\n\r\n`],
  ]
  it.each(chunks)('%s', async (_name, content) => {
    const bytes = raw([host, authorization, type, 'Transfer-Encoding: chunked'], content + smuggled())
    const connection = await openRawConnection(arena.proxy.port)
    const since = arena.upstream.requests.length
    connection.write(bytes)
    // Whether the refusal is still read or the connection is cut first: what counts is that nothing came through.
    await connection.closed
    expect(connection.received().toString('latin1')).not.toMatch(/^HTTP\/1\.1 2/)
    await checkArrived(arena, since, [await checkServesAfterwards()])
  })

  const checkServesAfterwards = () => checkServes(arena)

  it('a flood of chunk extensions', async () => {
    const content = `${body.length.toString(16)};${'a'.repeat(20_000)}\r\n${body}\r\n0\r\n\r\n`
    const bytes = raw([host, authorization, type, 'Transfer-Encoding: chunked'], content)
    const since = arena.upstream.requests.length
    const connection = await openRawConnection(arena.proxy.port)
    connection.write(bytes)
    await connection.closed
    expect(connection.received().toString('latin1')).not.toMatch(/^HTTP\/1\.1 2/)
    await checkArrived(arena, since, [await checkServes(arena)])
  })
})

describe('refuses what is not HTTP/1.1', () => {
  const malformed: [string, string | Buffer][] = [
    ['HTTP/0.9', 'GET /mcp\r\n\r\n'],
    ['a version without a number', `GET /mcp HTTP/\r\n${host}\r\n\r\n`],
    ['HTTP/1.2', `GET /mcp HTTP/1.2\r\n${host}\r\n\r\n`],
    ['HTTP/2.0', `GET /mcp HTTP/2.0\r\n${host}\r\n\r\n`],
    ['HTTP/11', `GET /mcp HTTP/11\r\n${host}\r\n\r\n`],
    ['http/1.1', `GET /mcp http/1.1\r\n${host}\r\n\r\n`],
    ['the beginning of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
    ['a TLS handshake', Buffer.from('16030100c8010000c40303', 'hex')],
    ['a method in small letters', `get /mcp HTTP/1.1\r\n${host}\r\n\r\n`],
    ['an unknown method', `EVIL /mcp HTTP/1.1\r\n${host}\r\n\r\n`],
    ['a tab behind the method', `GET\t/mcp HTTP/1.1\r\n${host}\r\n\r\n`],
    ['a space before the method', ` GET /mcp HTTP/1.1\r\n${host}\r\n\r\n`],
    ['a space in the target', `GET /mcp x HTTP/1.1\r\n${host}\r\n\r\n`],
    ['bare line feeds', `GET /mcp HTTP/1.1\n${host}\n\n`],
    ['a header folded over two lines', `GET /mcp HTTP/1.1\r\n${host}\r\nX-A: b\r\n c\r\n\r\n`],
    ['a folded line before any header', `GET /mcp HTTP/1.1\r\n ${host}\r\n\r\n`],
    ['a header without a colon', `GET /mcp HTTP/1.1\r\n${host}\r\nX-A\r\n\r\n`],
    ['a header without a name', `GET /mcp HTTP/1.1\r\n${host}\r\n: b\r\n\r\n`],
    ['a space in a header name', `GET /mcp HTTP/1.1\r\n${host}\r\nX A: b\r\n\r\n`],
    ['a space before the colon', `GET /mcp HTTP/1.1\r\n${host}\r\nX-A : b\r\n\r\n`],
    ['a space before the colon of Authorization', `GET /mcp HTTP/1.1\r\n${host}\r\nAuthorization : Bearer {token}\r\n\r\n`],
    ['a NUL in a header value', `GET /mcp HTTP/1.1\r\n${host}\r\nX-A: b\u0000c\r\n\r\n`],
    ['a NUL in a header name', `GET /mcp HTTP/1.1\r\n${host}\r\nX-\u0000A: b\r\n\r\n`],
    ['a bare carriage return in a header value', `GET /mcp HTTP/1.1\r\n${host}\r\nX-A: b\rX-B: c\r\n\r\n`],
    ['a DEL in a header value', `GET /mcp HTTP/1.1\r\n${host}\r\nX-A: b\u007f\r\n\r\n`],
    ['letters beyond ASCII in a header name', `GET /mcp HTTP/1.1\r\n${host}\r\nX-\u00c4: b\r\n\r\n`],
    ['no Host in HTTP/1.1', 'GET /mcp HTTP/1.1\r\nAuthorization: Bearer {token}\r\n\r\n'],
    ['no Host in HTTP/1.0', 'GET /mcp HTTP/1.0\r\nAuthorization: Bearer {token}\r\n\r\n'],
  ]
  it.each(malformed)('%s', async (_name, bytes) => {
    await checkAttack(arena, typeof bytes === 'string' ? Buffer.from(fillIn(arena, bytes), 'latin1') : bytes, { status: 400 })
  })
})

it('takes two spaces behind the method for one (RFC 9112 §3)', async () => {
  await checkAttack(arena, raw([host], '', 'GET  /mcp HTTP/1.1'), { status: 401, code: 'token_missing' })
})

describe('never tunnels', () => {
  it('outlives clients that reset the connection behind CONNECT', async () => {
    for (let i = 0; i < 50; i++) {
      const connection = await openRawConnection(arena.proxy.port)
      connection.write(raw([host], '', 'CONNECT localhost:1 HTTP/1.1'))
      if (i % 2 === 0) await new Promise<void>((resolve) => setImmediate(resolve))
      connection.socket.resetAndDestroy()
    }
    await checkServes(arena)
  })

  it.each(['localhost:{port}', '127.0.0.1:22', '/mcp', 'http://localhost:{port}/mcp'])('CONNECT %s', async (target) => {
    const bytes = raw([host, authorization], smuggled(), `CONNECT ${target} HTTP/1.1`)
    const answer = await checkAttack(arena, bytes, { status: 405 })
    expect(answer?.header('connection')).toBe('close')
  })

  it.each([
    ['websocket', 'Connection: Upgrade', 'Upgrade: websocket'],
    ['h2c', 'Connection: Upgrade, HTTP2-Settings', 'Upgrade: h2c'],
    ['TLS/1.0', 'Connection: Upgrade', 'Upgrade: TLS/1.0'],
    ['websocket without Connection', 'X-A: b', 'Upgrade: websocket'],
  ])('Upgrade: %s', async (_name, connection, upgrade) => {
    for (const method of ['GET', 'POST']) {
      const content = method === 'POST' ? [type, length] : []
      const lines = [host, authorization, ...content, connection, upgrade, 'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==']
      const bytes = raw(lines, method === 'POST' ? body : '', `${method} /mcp HTTP/1.1`)
      await checkAttack(arena, bytes, { status: 400, code: 'request_malformed' })
    }
  })

  it.each(['TRACE', 'QUERY', 'PUT', 'PATCH', 'HEAD', 'PROPFIND', 'PURGE', 'SOURCE'])(
    '%s with a good token (405)',
    async (method) => {
      const bytes = raw([host, authorization], '', `${method} /mcp HTTP/1.1`)
      const answer = await checkAttack(arena, bytes, { status: 405, code: 'method_not_allowed' })
      expect(answer?.header('allow')).toBe('GET, POST, DELETE, OPTIONS')
      expect(answer?.body.toString()).not.toContain(arena.token)
    },
  )
})

describe('bodies where none belongs', () => {
  it.each(['GET', 'DELETE'])('%s with a body and a good token (400)', async (method) => {
    const bytes = raw([host, authorization, type, length], body, `${method} /mcp HTTP/1.1`)
    await checkAttack(arena, bytes, { status: 400, code: 'body_unexpected' })
  })

  it.each(['GET', 'DELETE'])('%s with a chunked body and a good token (400)', async (method) => {
    const bytes = raw([host, authorization, type, 'Transfer-Encoding: chunked'], `${chunk}0\r\n\r\n`, `${method} /mcp HTTP/1.1`)
    await checkAttack(arena, bytes, { status: 400, code: 'body_unexpected' })
  })

  it.each(['HEAD', 'OPTIONS', 'GET'])('%s whose body is a request: it is never read as one', async (method) => {
    const hidden = smuggled()
    const bytes = raw([host, `Content-Length: ${hidden.length}`], hidden, `${method} /mcp HTTP/1.1`)
    await checkAttack(
      arena,
      bytes,
      method === 'OPTIONS' ? { status: 400, code: 'body_unexpected' } : { status: 401, code: 'token_missing' },
    )
  })

  it.each(['/healthz', '/readyz', '/.well-known/oauth-protected-resource'])('GET %s with a body (400)', async (path) => {
    const hidden = smuggled()
    const bytes = raw([host, `Content-Length: ${hidden.length}`], hidden, `GET ${path} HTTP/1.1`)
    await checkAttack(arena, bytes, { status: 400, code: 'body_unexpected' })
  })

  it.each(['/mcp', '/.well-known/oauth-protected-resource'])('OPTIONS %s with a body that never comes', async (path) => {
    const connection = await openRawConnection(arena.proxy.port)
    connection.write(raw([host, 'Content-Length: 1000000'], 'x', `OPTIONS ${path} HTTP/1.1`))
    expect((await connection.readResponse()).status).toBe(400)
    await connection.closed
    await checkServes(arena)
  })
})

describe('requests behind each other on one connection are looked at one by one', () => {
  const good = (id: string) => formatRequest(arena, { body: formatCall('echo', id) })
  const answerOf = (id: string) => `{"jsonrpc":"2.0","id":"${id}","result":{}}`

  it.each([
    ['without a token', () => formatRequest(arena, { lines: [host, type, length], body }), 401],
    ['with a bad token', () => formatRequest(arena, { lines: [host, type, length, 'Authorization: Bearer x'], body }), 401],
    ['for a tool that needs more', () => formatRequest(arena, { body: formatCall('drop_db') }), 403],
    ['for an unknown path', () => formatRequest(arena, { target: '/admin', body }), 404],
    ['with a foreign Origin', () => formatRequest(arena, { more: ['Origin: https://evil.example'], body }), 403],
    [
      'of another type',
      () => formatRequest(arena, { lines: [host, authorization, 'Content-Type: text/plain', length], body }),
      415,
    ],
    ['with two keys that are the same', () => formatRequest(arena, { body: '{"a":1,"a":2}' }), 400],
  ] as const)('a good one, one %s, a good one', async (_name, bad, status) => {
    const since = arena.upstream.requests.length
    const connection = await openRawConnection(arena.proxy.port)
    connection.write(good('first') + bad() + good('third'))
    const [first, second, third] = [
      await connection.readResponse(),
      await connection.readResponse(),
      await connection.readResponse(),
    ]
    expect(first.body.toString()).toBe(answerOf('first'))
    expect(second.status).toBe(status)
    expect(second.body.toString()).not.toContain('result')
    expect(third.body.toString()).toBe(answerOf('third'))
    const bodies = await Promise.all(arena.upstream.requests.slice(since).map(async (request) => (await request.body).toString()))
    expect(bodies.sort()).toEqual([formatCall('echo', 'first'), formatCall('echo', 'third')])
    connection.destroy()
  })

  it('the token of the first does not count for the second', async () => {
    const bytes = good('first') + formatRequest(arena, { lines: [host, type, length], body })
    const connection = await openRawConnection(arena.proxy.port)
    connection.write(bytes)
    expect((await connection.readResponse()).status).toBe(200)
    expect((await connection.readResponse()).status).toBe(401)
    connection.destroy()
  })

  it('garbage behind a good request ends the connection, and the good one is answered or cut, never mixed', async () => {
    const connection = await openRawConnection(arena.proxy.port)
    connection.write(`${good('only')}\u0000\u0001garbage\r\n\r\n`)
    await connection.closed
    const received = connection.received().toString('latin1')
    expect(received === '' || received.includes(answerOf('only')) || received.startsWith('HTTP/1.1 400')).toBe(true)
    await checkServes(arena)
  })

  it('two hundred at once get two hundred answers in order', async () => {
    const ids = Array.from({ length: 200 }, (_, index) => `n${index}`)
    const connection = await openRawConnection(arena.proxy.port)
    connection.write(ids.map(good).join(''))
    for (const id of ids) expect((await connection.readResponse()).body.toString()).toBe(answerOf(id))
    connection.destroy()
  })

  it('byte by byte means the same as at once', async () => {
    const connection = await openRawConnection(arena.proxy.port)
    await connection.drip(good('drip') + formatRequest(arena, { lines: [host, type, length], body }))
    expect((await connection.readResponse()).body.toString()).toBe(answerOf('drip'))
    expect((await connection.readResponse()).status).toBe(401)
    connection.destroy()
  })
})

describe('Expect: 100-continue', () => {
  const expecting = (...lines: string[]) => raw([host, type, length, 'Expect: 100-continue', ...lines], '')

  it('asks a stranger for no body', async () => {
    const connection = await openRawConnection(arena.proxy.port)
    connection.write(expecting())
    const answer = await connection.readResponse()
    expect(answer.status).toBe(401)
    expect(connection.received().toString()).not.toContain('100 Continue')
    // Whether the body still comes is unknown now: nothing may be read behind it.
    expect(answer.header('connection')).toBe('close')
    await connection.closed
  })

  it('asks for the body of a good request, and serves it', async () => {
    const connection = await openRawConnection(arena.proxy.port)
    connection.write(expecting(fillIn(arena, authorization)))
    await connection.waitFor('HTTP/1.1 100 Continue\r\n\r\n')
    connection.write(body)
    expect((await connection.readResponse()).status).toBe(200)
    connection.destroy()
  })

  it.each(['foo', '100-continue, foo', '200-ok', '100-continue; x=y'])('refuses Expect: %s', async (value) => {
    const bytes = raw([host, authorization, type, length, `Expect: ${value}`], body)
    await checkAttack(arena, bytes, { status: 417, code: 'expectation_failed' })
  })

  it('sends no interim answer to HTTP/1.0, which knows none (RFC 9110 §10.1.1)', async () => {
    const connection = await openRawConnection(arena.proxy.port)
    connection.write(raw([host, authorization, type, length, 'Expect: 100-continue'], body, 'POST /mcp HTTP/1.0'))
    expect((await connection.readHead()).status).toBe(200)
    expect(connection.received().toString()).not.toContain('100 Continue')
    connection.destroy()
  })
})

describe('UTF-8 by its other name passes, as it was written', () => {
  it.each(['utf8', '"UTF8"', 'UTF-8'])('charset=%s', async (charset) => {
    const connection = await openRawConnection(arena.proxy.port)
    connection.write(raw([host, authorization, length, `Content-Type: application/json; charset=${charset}`], body))
    expect((await connection.readResponse()).status).toBe(200)
    expect(arena.upstream.requests.at(-1)?.rawHeaders).toContain(`application/json; charset=${charset}`)
    connection.destroy()
  })
})

describe('a load balancer that asks in HTTP/1.0 without a host', () => {
  it.each(['GET /healthz', 'HEAD /healthz', 'OPTIONS /healthz', 'GET /readyz'])('%s is answered', async (line) => {
    const connection = await openRawConnection(arena.proxy.port)
    connection.write(`${line} HTTP/1.0\r\n\r\n`)
    const [method = ''] = line.split(' ')
    expect((await connection.readResponse({ method })).status).toBe(method === 'OPTIONS' ? 204 : 200)
    await connection.closed
  })

  it.each(['/mcp', '/.well-known/oauth-protected-resource/mcp'])('but nothing else is served to it: %s', async (path) => {
    const attack = fillIn(arena, `GET ${path} HTTP/1.0\r\nAuthorization: Bearer {token}\r\n\r\n`)
    await checkAttack(arena, attack, { status: 400, code: 'request_malformed' })
  })

  it.each(['', 'Host: \r\n', 'Host: a b\r\n'])(
    'nor is health without a good host in HTTP/1.1, or with a bad one: %j',
    async (line) => {
      const connection = await openRawConnection(arena.proxy.port)
      connection.write(`GET /healthz HTTP/1.${line === '' ? 1 : 0}\r\n${line}\r\n`)
      expect((await connection.readResponse()).status).toBe(400)
      connection.destroy()
    },
  )
})

describe('content that means something else to a reader behind us', () => {
  it.each([
    ['text/plain', 'text/plain'],
    ['a form', 'application/x-www-form-urlencoded'],
    ['multipart', 'multipart/form-data; boundary=x'],
    ['JSON in UTF-16', 'application/json; charset=utf-16'],
    ['JSON in UTF-7', 'application/json; charset=utf-7'],
    ['JSON with two charsets', 'application/json; charset=utf-8; charset=utf-7'],
    ['a list', 'application/json, text/plain'],
    ['a list with the other first', 'text/plain, application/json'],
    ['text/plain with application/json as its parameter', 'text/plain; application/json'],
    ['something that ends like JSON', 'application/jsonx'],
    ['a JSON patch', 'application/json-patch+json'],
    ['XML', 'application/xml'],
    ['nothing', ''],
  ])('refuses %s (415)', async (_name, value) => {
    const bytes = raw([host, authorization, length, `Content-Type: ${value}`], body)
    await checkAttack(arena, bytes, { status: 415, code: 'media_type_unsupported' })
  })

  it('refuses a body without Content-Type (415)', async () => {
    await checkAttack(arena, raw([host, authorization, length], body), { status: 415, code: 'media_type_unsupported' })
  })

  it.each(['gzip', 'br', 'deflate', 'x-gzip', 'gzip, identity', 'aes128gcm', ''])(
    'refuses Content-Encoding: %s (415)',
    async (coding) => {
      const bytes = raw([host, authorization, type, length, `Content-Encoding: ${coding}`], body)
      await checkAttack(arena, bytes, { status: 415, code: 'media_type_unsupported' })
    },
  )

  it('passes trailers nowhere', async () => {
    const content = `${chunk}0\r\nAuthorization: Bearer {token}\r\nX-Forwarded-User: admin\r\nX-Trailer: yes\r\n\r\n`
    const bytes = raw([host, authorization, type, 'Transfer-Encoding: chunked', 'Trailer: X-Trailer'], content)
    await checkAttack(arena, bytes, { status: 200, upstream: { body } })
  })
})

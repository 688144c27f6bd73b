import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Arena, checkServes, formatCall, formatRequest, startArena } from '../support/attack.ts'
import { type HostileUpstream, type Reaction, startHostileUpstream } from '../support/hostile-upstream.ts'
import { findSecrets } from '../support/log.ts'
import { openRawConnection, type RawResponse } from '../support/raw-client.ts'

let hostile: HostileUpstream
let arena: Arena

beforeAll(async () => {
  hostile = await startHostileUpstream()
  arena = await startArena({
    server: { upstream: { url: `${hostile.origin}/up`, response_timeout_seconds: 1.5 } },
    config: { limits: { stalled_client_seconds: 2 } },
  })
})
afterAll(async () => {
  await arena.close()
  await hostile.close()
})

type Outcome =
  /** The answer as the upstream gave it. */
  | { readonly kind: 'passed'; readonly answer: RawResponse }
  /** A refusal of ours. */
  | { readonly kind: 'refused'; readonly answer: RawResponse; readonly code: string }
  /** The answer began and broke off so that every client notices. */
  | { readonly kind: 'cut'; readonly received: string }

/** Sends a call that the upstream reacts to, and checks that nobody else is the worse for it. */
async function provoke(
  reaction: Parameters<HostileUpstream['reactWith']>[0],
  parts: Parameters<typeof formatRequest>[1] = {},
): Promise<Outcome> {
  hostile.reactWith(reaction)
  const before = hostile.requests.length
  const connection = await openRawConnection(arena.proxy.port)
  connection.write(formatRequest(arena, { body: formatCall('echo', 4711), ...parts }))
  const outcome = await connection.readResponse().then(classify, (): Outcome => {
    return { kind: 'cut', received: connection.received().toString('latin1') }
  })
  connection.destroy()
  await checkServes(arena)
  // Nothing is ever asked twice.
  expect(hostile.requests.length - before).toBe(2)
  expect(findSecrets(arena.proxy.log.text(), arena.secrets)).toEqual([])
  return outcome
}

function classify(answer: RawResponse): Outcome {
  const text = answer.body.toString('latin1')
  const code = /"data":\{"error":"([a-z_]+)"/.exec(text)?.[1]
  return code === undefined ? { kind: 'passed', answer } : { kind: 'refused', answer, code }
}

async function expectRefused(
  reaction: Parameters<typeof provoke>[0],
  status: number,
  code: string,
  retryAfter?: string,
): Promise<void> {
  const outcome = await provoke(reaction)
  if (outcome.kind !== 'refused') throw new Error(`expected ${code}: ${JSON.stringify(outcome)}`)
  expect(outcome.code).toBe(code)
  expect(outcome.answer.status).toBe(status)
  expect(JSON.parse(outcome.answer.body.toString())).toMatchObject({ jsonrpc: '2.0', id: 4711, error: { data: { error: code } } })
  expect(outcome.answer.header('retry-after')).toBe(retryAfter)
  expect(outcome.answer.header('content-type')).toBe('application/json')
}

async function expectCut(reaction: Parameters<typeof provoke>[0]): Promise<string> {
  const outcome = await provoke(reaction)
  if (outcome.kind !== 'cut') throw new Error(`expected a cut: ${JSON.stringify(outcome)}`)
  return outcome.received
}

async function expectPassed(reaction: Parameters<typeof provoke>[0]): Promise<RawResponse> {
  const outcome = await provoke(reaction)
  if (outcome.kind !== 'passed') throw new Error(`expected an answer: ${JSON.stringify(outcome)}`)
  return outcome.answer
}

const json = '{"jsonrpc":"2.0","id":4711,"result":{}}'
const say = (lines: string, content: string, ending: Reaction['ending'] = 'close'): Reaction => ({
  pieces: [Buffer.from(`${lines.split('\n').join('\r\n')}\r\n\r\n${content}`, 'latin1')],
  ending,
})
const ok = (lines: string, content: string, ending?: Reaction['ending']) =>
  say(`HTTP/1.1 200 OK\nContent-Type: application/json${lines === '' ? '' : `\n${lines}`}`, content, ending)

describe('an upstream that does not answer', () => {
  it('by not listening: 502 with the id', async () => {
    const nobody = await startHostileUpstream()
    await nobody.close()
    const alone = await startArena({ server: { upstream: nobody.origin } })
    const connection = await openRawConnection(alone.proxy.port)
    connection.write(formatRequest(alone, { body: formatCall('echo', 7) }))
    const answer = await connection.readResponse()
    expect(answer.status).toBe(502)
    expect(answer.header('retry-after')).toBe('2')
    expect(JSON.parse(answer.body.toString())).toMatchObject({ id: 7, error: { data: { error: 'upstream_unreachable' } } })
    connection.destroy()
    await alone.close()
  })

  it('by a name that does not exist: 502 with the id', async () => {
    const alone = await startArena({ server: { upstream: 'http://no-such-host.invalid/mcp' } })
    const connection = await openRawConnection(alone.proxy.port)
    connection.write(formatRequest(alone, { body: formatCall('echo', 7) }))
    const answer = await connection.readResponse()
    expect(answer.status).toBe(502)
    expect(JSON.parse(answer.body.toString())).toMatchObject({ id: 7, error: { data: { error: 'upstream_unreachable' } } })
    connection.destroy()
    await alone.close()
  })

  it('by closing at once: 502', () => expectRefused((socket) => socket.end(), 502, 'upstream_unreachable', '2'))
  it('by a reset: 502', () => expectRefused((socket) => socket.resetAndDestroy(), 502, 'upstream_unreachable', '2'))
  it('in time: 504 with the id', () => expectRefused(() => {}, 504, 'upstream_timeout', '2'))
  it('by dripping its header section for ever: 504', () =>
    expectRefused(
      (socket) => {
        socket.write('HTTP/1.1 200 OK\r\n')
        const timer = setInterval(() => socket.write('X'), 100)
        socket.once('close', () => clearInterval(timer))
      },
      504,
      'upstream_timeout',
      '2',
    ))
  it('finally, after an interim answer: 504', () =>
    expectRefused(say('HTTP/1.1 103 Early Hints\nLink: </x>', '', 'keep'), 504, 'upstream_timeout', '2'))
  it('finally, but sends interim answers for ever: 502', () =>
    expectRefused(
      (socket) => {
        const timer = setInterval(() => socket.write('HTTP/1.1 103 Early Hints\r\nX-A: b\r\n\r\n'), 10)
        socket.once('close', () => clearInterval(timer))
      },
      502,
      'upstream_invalid_response',
    ))
  it('finally, but floods interim answers: 502', () =>
    expectRefused(
      { pieces: ['HTTP/1.1 102 Processing\r\n\r\n'.repeat(50_000)], ending: 'keep' },
      502,
      'upstream_invalid_response',
    ))
  it.each(['HTTP/1.1 200 OK\r\nContent-Length: 10', 'HTTP/1.1 200 OK\r\n', 'HTTP/1.1 200', 'H'])(
    'by closing in the middle of the header section (%j): 502',
    (bytes) => expectRefused({ pieces: [bytes], ending: 'close' }, 502, 'upstream_unreachable', '2'),
  )
})

describe('an upstream that does not speak HTTP: 502, and no byte of it', () => {
  it.each([
    ['text', 'SSH-2.0-OpenSSH_9.6\r\n\r\n'],
    ['HTML without a head', '<html><body>Sign in</body></html>\r\n\r\n'],
    ['a TLS alert', Buffer.from('15030300020228', 'hex')],
    ['HTTP/2 settings', Buffer.from('000012040000000000', 'hex')],
    ['zeros', Buffer.alloc(4096)],
    ['a status line without a status', 'HTTP/1.1 OK\r\n\r\n'],
    ['a status of letters', 'HTTP/1.1 2OO OK\r\nContent-Length: 0\r\n\r\n'],
    ['a status of four digits', 'HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n'],
    ['status 000', 'HTTP/1.1 000 Zero\r\nContent-Length: 0\r\n\r\n'],
    ['status 099', 'HTTP/1.1 099 X\r\nContent-Length: 5\r\n\r\nhello'],
    ['HTTP/11', 'HTTP/11 200 OK\r\nContent-Length: 0\r\n\r\n'],
    ['http in small letters', 'http/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'],
    ['ICY', 'ICY 200 OK\r\n\r\nmusic'],
    ['a NUL in a header', 'HTTP/1.1 200 OK\r\nX-A: a\u0000b\r\nContent-Length: 0\r\n\r\n'],
    ['a bare carriage return in a header', 'HTTP/1.1 200 OK\r\nX-A: a\rSet-Cookie: evil=1\r\nContent-Length: 0\r\n\r\n'],
    ['a header without a name', 'HTTP/1.1 200 OK\r\n: b\r\nContent-Length: 0\r\n\r\n'],
    ['a space in a header name', 'HTTP/1.1 200 OK\r\nX A: b\r\nContent-Length: 0\r\n\r\n'],
    ['two lengths that differ', `HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: ${json.length}\r\n\r\n${json}`],
    ['a list of lengths', `HTTP/1.1 200 OK\r\nContent-Length: ${json.length}, ${json.length}\r\n\r\n${json}`],
    ['a length below zero', `HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n${json}`],
    ['a length in hexadecimal', `HTTP/1.1 200 OK\r\nContent-Length: 0x27\r\n\r\n${json}`],
    ['a length with a plus', `HTTP/1.1 200 OK\r\nContent-Length: +39\r\n\r\n${json}`],
    ['a length beyond 64 bits', `HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\n${json}`],
    ['length and chunks', `HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`],
    ['chunks and length', `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n`],
    ['a coding that is not chunked', `HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n${json}`],
    ['a coding before chunked', `HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n`],
    ['a coding behind chunked', `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n`],
    ['xchunked', `HTTP/1.1 200 OK\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n`],
    ['identity', `HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n\r\n${json}`],
    ['an upgrade that nobody asked for', 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n'],
    ['101 without Upgrade', 'HTTP/1.1 101 Switching Protocols\r\n\r\n'],
    ['100 that nobody asked for', `HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n`],
    ['a header section of 200 KB', `HTTP/1.1 200 OK\r\nX-A: ${'a'.repeat(200_000)}\r\nContent-Length: 0\r\n\r\n`],
    ['a header name of 200 KB', `HTTP/1.1 200 OK\r\n${'a'.repeat(200_000)}: b\r\nContent-Length: 0\r\n\r\n`],
    ['20,000 headers', `HTTP/1.1 200 OK\r\n${'a: b\r\n'.repeat(20_000)}Content-Length: 0\r\n\r\n`],
    ['a header section without end', `HTTP/1.1 200 OK\r\n${'X-A: b\r\n'.repeat(50_000)}`],
  ] as [string, string | Buffer][])('%s', async (_name, bytes) => {
    const outcome = await provoke({ pieces: [bytes], ending: 'close' })
    if (outcome.kind !== 'refused') throw new Error(`expected a refusal: ${JSON.stringify(outcome)}`)
    expect(outcome.answer.status).toBe(502)
    expect(outcome.code).toMatch(/^upstream_(invalid_response|unreachable)$/)
    expect(JSON.stringify(outcome.answer.headers)).not.toContain('evil')
  })
})

describe('an answer that breaks off never looks complete', () => {
  const chunked = (content: string, ending: Reaction['ending'] = 'close') => ok('Transfer-Encoding: chunked', content, ending)
  const cut: [string, Reaction][] = [
    ['shorter than its length, closed', ok('Content-Length: 100', json)],
    ['shorter than its length, reset', ok('Content-Length: 100', json, 'reset')],
    ['shorter than its great length, closed', ok('Content-Length: 1000000', json)],
    ['chunks without the last one, closed', chunked(`27\r\n${json}\r\n`)],
    ['chunks without the last one, reset', chunked(`27\r\n${json}\r\n`, 'reset')],
    ['in the middle of a chunk', chunked(`270\r\n${json}`)],
    ['behind the size of a chunk', chunked('27\r\n')],
    ['in the last chunk', chunked(`27\r\n${json}\r\n0`)],
    ['before the line end behind the last chunk', chunked(`27\r\n${json}\r\n0\r\n`)],
    ['in the trailers', chunked(`27\r\n${json}\r\n0\r\nX-A: b\r\n`)],
    ['a chunk size that is none', chunked(`27\r\n${json}\r\nzz\r\n\r\n`)],
    ['a chunk longer than its size', chunked(`5\r\n${json}\r\n0\r\n\r\n`)],
    ['a chunk size that overflows', chunked(`fffffffffffffffff\r\n${json}\r\n0\r\n\r\n`)],
    ['a chunk size below zero', chunked(`-1\r\n${json}\r\n0\r\n\r\n`)],
    [
      'an event stream, closed',
      say('HTTP/1.1 200 OK\nContent-Type: text/event-stream\nTransfer-Encoding: chunked', 'e\r\ndata: {"a":1}\n\r\n'),
    ],
    [
      'an event stream, reset',
      say('HTTP/1.1 200 OK\nContent-Type: text/event-stream\nTransfer-Encoding: chunked', 'e\r\ndata: {"a":1}\n\r\n', 'reset'),
    ],
    ['until its end, reset', say('HTTP/1.1 200 OK\nContent-Type: application/json\nConnection: close', json, 'reset')],
  ]
  it.each(cut)('%s', async (_name, reaction) => {
    const received = await expectCut(reaction)
    expect(received).not.toMatch(/\r\n0\r\n\r\n$/)
  })

  it('a length and nothing, closed: 502', () => expectRefused(ok('Content-Length: 100', ''), 502, 'upstream_unreachable', '2'))
  it('a length and nothing, silent: 504', () =>
    expectRefused(ok('Content-Length: 100', '', 'keep'), 504, 'upstream_timeout', '2'))

  it('silent in the middle of a body of known length: cut in time', async () => {
    await expectCut(ok('Content-Length: 100', json, 'keep'))
  })

  it('silent in the middle of chunks that are no event stream: cut in time', async () => {
    await expectCut(chunked('5\r\n{"jso\r\n', 'keep'))
  })

  it('silent behind a header section that is no event stream: cut in time', async () => {
    await expectCut(ok('Transfer-Encoding: chunked', '', 'keep'))
  })

  it('not even to a client of HTTP/1.0, to whom the end of the connection is the end of the answer', async () => {
    hostile.reactWith(chunked(`27\r\n${json}\r\n`))
    const connection = await openRawConnection(arena.proxy.port)
    const failure = new Promise<NodeJS.ErrnoException>((resolve) => connection.socket.once('error', resolve))
    connection.write(formatRequest(arena, { version: '1.0', body: formatCall('echo', 1) }))
    expect((await failure).code).toBe('ECONNRESET')
    await checkServes(arena)
  })

  it.each([
    ['closed', 'close'],
    ['reset', 'reset'],
  ] as const)('an event stream that had flowed for a while, %s', async (_name, ending) => {
    const events = Array.from({ length: 50 }, (_, index) => `data: ${index}\n\n`)
    const pieces = events.map((event) => `${event.length.toString(16)}\r\n${event}\r\n`)
    const head = 'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n'
    const received = await expectCut({ pieces: [head, ...pieces], ending })
    // A reset overtakes what was on its way.
    if (ending === 'close') expect(received).toContain('data: 49\n\n')
  })
})

describe('an answer is the one to its request', () => {
  const evil = '{"jsonrpc":"2.0","id":"good-evil","result":{"evil":true}}'
  const second = `HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: ${evil.length}\r\n\r\n${evil}`

  it.each([
    ['in the same packet', [`HTTP/1.1 200 OK\r\nContent-Length: ${json.length}\r\n\r\n${json}${second}`]],
    ['behind chunks', [`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n27\r\n${json}\r\n0\r\n\r\n${second}`]],
    ['behind one without content', [`HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n${second}`]],
    ['behind 204', [`HTTP/1.1 204 No Content\r\n\r\n${second}`]],
    ['behind 204 with a length', [`HTTP/1.1 204 No Content\r\nContent-Length: ${second.length}\r\n\r\n${second}`]],
    ['behind 304 with a length', [`HTTP/1.1 304 Not Modified\r\nContent-Length: ${second.length}\r\n\r\n${second}`]],
  ])('more answers than requests, %s', async (_name, pieces) => {
    for (let i = 0; i < 5; i++) {
      const outcome = await provoke({ pieces, ending: 'keep' })
      expect(JSON.stringify(outcome.kind === 'cut' ? outcome.received : outcome.answer.body.toString())).not.toContain('evil')
    }
  })

  it('more bytes than announced are not passed on', async () => {
    const answer = await expectPassed(ok(`Content-Length: ${json.length}`, `${json}evil`, 'keep'))
    expect(answer.body.toString()).toBe(json)
  })

  it('before the request is complete it still counts, and the rest harms no other request', async () => {
    const early = (socket: { write(text: string): void }) =>
      void socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${json.length}\r\n\r\n${json}`)
    const padding = JSON.stringify({ jsonrpc: '2.0', id: 4711, method: 'ping', params: { x: 'x'.repeat(2_000_000) } })
    const outcome = await provoke(early, { body: padding })
    expect(outcome.kind).toBe('passed')
  })
})

describe('an answer says nothing for us', () => {
  it('headers of one connection, cookies, challenges and policies of its origin end here', async () => {
    const dropped = [
      'Set-Cookie: session=evil',
      'Set-Cookie2: session=evil',
      'WWW-Authenticate: Bearer resource_metadata="https://evil.example/"',
      'Proxy-Authenticate: Basic realm="evil"',
      'Authentication-Info: nextnonce="evil"',
      'Proxy-Authentication-Info: evil',
      'Access-Control-Allow-Origin: https://evil.example',
      'Access-Control-Allow-Credentials: true',
      'Access-Control-Max-Age: 999999',
      'Alt-Svc: h3="evil.example:443"',
      'Strict-Transport-Security: max-age=31536000; evil',
      'Public-Key-Pins: evil',
      'Clear-Site-Data: "evil"',
      'NEL: {"report_to":"evil"}',
      'Report-To: {"group":"evil"}',
      'Reporting-Endpoints: evil="https://evil.example"',
      'Service-Worker-Allowed: /evil',
      'X-Accel-Redirect: /evil',
      'X-Sendfile: /evil',
      'X-Sendfile2: /evil 0-',
      'X-Sendfile-Temporary: /evil',
      'X-LIGHTTPD-send-file: /evil',
      'X-LiteSpeed-Location: /evil',
      'X-Reproxy-URL: http://10.0.0.5/evil',
      'X-Reproxy-File: /evil',
      'Set-Login: logged-in; evil',
      'Secure-Session-Registration: (ES256);path="/evil"',
      'Secure-Session-Challenge: "evil"',
      'Sec-Session-Registration: (ES256);path="/evil"',
      'Sec-Session-Challenge: "evil"',
      'Accept-CH: Sec-CH-UA-Evil',
      'Critical-CH: Sec-CH-UA-Evil',
      'Expect-CT: max-age=31536000, enforce, report-uri="https://evil.example/"',
      'Use-As-Dictionary: match="/evil*"',
      'Attribution-Reporting-Register-Source: {"destination":"https://evil.example"}',
      'Attribution-Reporting-Register-Trigger: {"evil":true}',
      'X-LiteSpeed-Purge: evil',
      'Fly-Replay: app=evil',
      'Fly-Replay-Cache: 127.0.0.1/*, evil',
      'Fly-Replay-Cache-TTL-Secs: 300, evil',
      'X-Envoy-Immediate-Health-Check-Fail: evil',
      'X-Envoy-Degraded: evil',
      'Location: http://10.0.0.5:8080/evil',
      'Content-Location: http://10.0.0.5:8080/evil',
      'Refresh: 0; url=https://evil.example/',
      'Keep-Alive: timeout=999, evil',
      'Proxy-Connection: evil',
      'Trailer: X-Evil',
      'TE: evil',
      'Upgrade: evil',
      'X-Hop: evil',
      'Connection: keep-alive, X-Hop',
    ]
    const answer = await expectPassed(ok([...dropped, 'X-Kept: yes', `Content-Length: ${json.length}`].join('\n'), json))
    expect(JSON.stringify(answer.headers)).not.toContain('evil')
    expect(answer.header('x-kept')).toBe('yes')
    expect(answer.body.toString()).toBe(json)
  })

  it.each([
    ['GET', 200, 'Content-Type: application/vnd.fly.replay+json'],
    ['POST', 200, 'Content-Type: Application/VND.Fly.Replay+JSON; charset=utf-8'],
    ['POST', 307, 'Content-Type: application/vnd.fly.replay+json'],
    ['POST', 404, 'Content-Type: application/vnd.fly.replay+json'],
    ['POST', 500, 'Content-Type: application/json\nContent-Type: application/vnd.fly.replay+json'],
  ])(
    'nor does one that has a proxy before us send the request, with its token, to another application: %s, %i',
    async (method, status, type) => {
      const body = '{"app":"evil","state":"evil"}'
      const parts = method === 'GET' ? { method, body: '', more: ['Accept: text/event-stream'] } : {}
      const outcome = await provoke(say(`HTTP/1.1 ${status} X\n${type}\nContent-Length: ${body.length}`, body), parts)
      expect([outcome.kind, JSON.stringify(outcome)]).toEqual(['refused', expect.not.stringContaining('evil')])
    },
  )

  it('Connection cannot take the length or the type away', async () => {
    const answer = await expectPassed(
      ok(`Connection: content-length, content-type, keep-alive\nContent-Length: ${json.length}`, json),
    )
    expect(answer.header('content-type')).toBe('application/json')
    expect(answer.header('content-length')).toBe(String(json.length))
  })

  it('names like __proto__ and constructor do no harm', async () => {
    const answer = await expectPassed(ok(`__proto__: a\nconstructor: b\nhasOwnProperty: c\nContent-Length: ${json.length}`, json))
    expect(answer.body.toString()).toBe(json)
    expect(Object.prototype).not.toHaveProperty('a')
  })

  it('nor do they when they come twice', async () => {
    const twice = ['__proto__', 'constructor', 'hasOwnProperty', 'toString'].flatMap((name) => [`${name}: a`, `${name}: b`])
    const answer = await expectPassed(ok(`${twice.join('\n')}\nContent-Length: ${json.length}`, json))
    expect(answer.body.toString()).toBe(json)
    const names = new Set(answer.headers.map(([name]) => name.toLowerCase()))
    expect(names).toEqual(
      new Set([
        'content-type',
        'x-request-id',
        'constructor',
        'hasownproperty',
        'tostring',
        'content-length',
        'date',
        'connection',
        'keep-alive',
      ]),
    )
  })

  it.each([
    ['UTF-8', 'X-Name: J\u00c3\u00bcrgen', 'J\u00c3\u00bcrgen'],
    ['Latin-1', 'X-Name: J\u00fcrgen', 'J\u00fcrgen'],
    ['any bytes', 'X-Name: \u0080\u00ff\u00a0', '\u0080\u00ff\u00a0'],
  ])('header values pass byte for byte: %s', async (_name, line, value) => {
    const plain = await expectPassed(ok(`${line}\nContent-Length: ${json.length}`, json))
    expect(plain.header('x-name')).toBe(value.trim())
    const streamed = await expectPassed(ok(`${line}\nTransfer-Encoding: chunked`, `27\r\n${json}\r\n0\r\n\r\n`))
    expect(streamed.header('x-name')).toBe(value.trim())
  })

  it('trailers end here', async () => {
    const answer = await expectPassed(
      ok('Transfer-Encoding: chunked', `27\r\n${json}\r\n0\r\nSet-Cookie: a=b\r\nX-Evil: 1\r\n\r\n`),
    )
    expect(answer.body.toString()).toBe(json)
  })

  it('401 is our 502: the caller can do nothing about our credential', () =>
    expectRefused(
      say('HTTP/1.1 401 Unauthorized\nWWW-Authenticate: Bearer\nContent-Length: 2', '{}'),
      502,
      'upstream_refused_credential',
    ))

  it.each([300, 301, 302, 303, 305, 307, 308, 399])(
    '%i is not followed, and no client is told where it leads',
    async (status) => {
      const since = hostile.requests.length
      const seen = arena.proxy.log.text().length
      const outcome = await provoke(
        say(
          `HTTP/1.1 ${status} Elsewhere\nLocation: http://u:p4ss@127.0.0.1:${hostile.port}/secret?key=k3y\nContent-Length: 0`,
          '',
        ),
      )
      expect(outcome).toMatchObject({ kind: 'refused', code: 'upstream_redirected', answer: { status: 502 } })
      expect(JSON.stringify(outcome)).not.toContain(String(hostile.port))
      const log = arena.proxy.log.text().slice(seen)
      expect(log).toContain(`status ${status} to http://127.0.0.1:${hostile.port}/secret`)
      expect(log).not.toMatch(/p4ss|k3y/)
      expect(hostile.requests.slice(since).some((request) => request.includes('/secret'))).toBe(false)
    },
  )

  it.each([400, 403, 404, 405, 418, 429, 500, 503, 599, 600, 999])('%i passes', async (status) => {
    const answer = await expectPassed(say(`HTTP/1.1 ${status} Reason\nContent-Length: 2\nContent-Type: application/json`, '{}'))
    expect(answer.status).toBe(status)
    expect(answer.body.toString()).toBe('{}')
  })

  it('204 has no length, whatever it says', async () => {
    const answer = await expectPassed(say('HTTP/1.1 204 No Content\nContent-Length: 5', ''))
    expect(answer.status).toBe(204)
    expect(answer.header('content-length')).toBeUndefined()
  })

  it('an answer until the end of the connection passes', async () => {
    const answer = await expectPassed(say('HTTP/1.0 200 OK\nContent-Type: application/json', json))
    expect(answer.body.toString()).toBe(json)
  })

  it('one header section in single bytes passes', async () => {
    const text = `HTTP/1.1 200 OK\r\nContent-Length: ${json.length}\r\n\r\n${json}`
    const answer = await expectPassed({ pieces: [...text], ending: 'close' })
    expect(answer.body.toString()).toBe(json)
  })
})

describe("where the caller's token is passed on", () => {
  it('401 of the upstream is an invalid token, with a challenge of ours', async () => {
    const forwarding = await startArena({ server: { upstream: `${hostile.origin}/up`, forward_access_token: true } })
    hostile.reactWith(say('HTTP/1.1 401 Unauthorized\nWWW-Authenticate: Bearer realm="evil"\nContent-Length: 0', ''))
    const connection = await openRawConnection(forwarding.proxy.port)
    connection.write(formatRequest(forwarding, { body: formatCall('echo', 1) }))
    const answer = await connection.readResponse()
    expect(answer.status).toBe(401)
    expect(answer.header('www-authenticate')).toContain('error="invalid_token"')
    expect(answer.header('www-authenticate')).not.toContain('evil')
    connection.destroy()
    await forwarding.close()
  })
})

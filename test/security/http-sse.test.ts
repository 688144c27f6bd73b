import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openRawConnection, type RawConnection, sendRaw } from '../support/raw-client.ts'
import { answerJson, type ControlledStream, controlStream } from '../support/recording-upstream.ts'
import { type Attempt, audience, checkAttempt, createCall, formatAttempt, type Stage, startStage } from '../support/stage.ts'

let stage: Stage
const connections: RawConnection[] = []

beforeEach(async () => {
  stage = await startStage({
    servers: ({ upstream }) => [
      {
        path: '/mcp',
        upstream: `${upstream}/up`,
        sse: { upstream: `${upstream}/base/sse` },
        audience: [audience],
        scopes: ['mcp:tools'],
        rules: [{ tool: 'drop_db', scopes: ['db:admin'] }],
      },
      { name: 'other', sse: { path: '/other/sse', upstream: `${upstream}/base/sse` }, audience: [audience] },
    ],
  })
})
afterEach(async () => {
  for (const connection of connections.splice(0)) connection.destroy()
  await stage.close()
})

interface OpenStream {
  readonly connection: RawConnection
  readonly stream: ControlledStream
}

async function openStream(attempt: Attempt = {}): Promise<OpenStream> {
  const stream = controlStream()
  stage.answerWith(stream.answer)
  const connection = await openRawConnection(stage.proxy.port)
  connections.push(connection)
  connection.write(formatAttempt(stage, { method: 'GET', target: '/sse', ...attempt }))
  await stream.opened
  stage.answerWith(answerJson({ accepted: true }, 202))
  return { connection, stream }
}

/** What came, without the framing of HTTP/1.1. */
function textOf({ connection }: OpenStream): string {
  const bytes = connection.received()
  const body = bytes.subarray(bytes.indexOf('\r\n\r\n') + 4).toString('utf8')
  return body.replaceAll(/(?:^|\r\n)[0-9a-f]+\r\n/g, '')
}

/** In pieces of four bytes. */
function cutBytes(text: string): Buffer[] {
  const bytes = Buffer.from(text)
  return Array.from({ length: Math.ceil(bytes.length / 4) }, (_, index) => bytes.subarray(4 * index, 4 * index + 4))
}

const endpoint = /event: endpoint\ndata: (\/messages\?endpoint=[\w.-]+)\n\n/

/** Where the client is told to post. */
async function readEndpoint(open: OpenStream): Promise<string> {
  await open.connection.waitFor('\n\n')
  return endpoint.exec(textOf(open))?.[1] ?? ''
}

async function openSession(attempt?: Attempt, uri = '/base/messages/?session_id=77'): Promise<string> {
  const open = await openStream(attempt)
  await open.stream.send(`event: endpoint\ndata: ${uri}\n\n`)
  return readEndpoint(open)
}

const call = createCall('tools/call', { name: 'echo' })
const unknown = { status: 404, code: 'mcp_session_unknown' }

describe('the endpoint that an MCP server names', () => {
  it.each<[string, string | string[]]>([
    ['in one piece', 'event: endpoint\ndata: /base/messages/?session_id=77\n\n'],
    ['in single bytes', [...'event: endpoint\ndata: /base/messages/?session_id=77\n\n']],
    ['with carriage returns and line feeds', 'event: endpoint\r\ndata: /base/messages/?session_id=77\r\n\r\n'],
    ['with carriage returns', 'event: endpoint\rdata: /base/messages/?session_id=77\r\r'],
    ['cut between carriage return and line feed', ['event: endpoint\r', '\ndata: /base/messages/?session_id=77\r', '\n\r', '\n']],
    ['with a byte order mark', '\ufeffevent: endpoint\ndata: /base/messages/?session_id=77\n\n'],
    ['without spaces', 'event:endpoint\ndata:/base/messages/?session_id=77\n\n'],
    ['with the data first', 'data: /base/messages/?session_id=77\nevent: endpoint\n\n'],
    ['behind comments', ': welcome\n\n:\n\nevent: endpoint\ndata: /base/messages/?session_id=77\n\n'],
    ['behind an id and a delay', 'id: 5\nretry: 99999999999\nevent: endpoint\ndata: /base/messages/?session_id=77\n\n'],
    ['relative to the stream', 'event: endpoint\ndata: messages/?session_id=77\n\n'],
    ['with its origin', 'event: endpoint\ndata: {origin}/base/messages/?session_id=77\n\n'],
    ['with a scheme and no host, which is relative', 'event: endpoint\ndata: http:messages/?session_id=77\n\n'],
    ['with detours', 'event: endpoint\ndata: /base/x/../messages/?session_id=77\n\n'],
    ['named twice, the last of which counts', 'event: message\nevent: endpoint\ndata: /base/messages/?session_id=77\n\n'],
  ])('becomes ours, %s', async (_how, pieces) => {
    const open = await openStream()
    for (const piece of [pieces].flat()) await open.stream.send(piece.replace('{origin}', stage.upstream.origin))
    const target = await readEndpoint(open)
    expect(textOf(open)).not.toContain('session_id')
    await checkAttempt(stage, { target, body: call }, { status: 202, arrives: true, url: '/base/messages/?session_id=77' })
  })

  it('stays ours behind a flood of comments', async () => {
    const open = await openStream()
    await open.stream.send(':\n\n'.repeat(21_000))
    for (let i = 0; i < 20; i++) await open.stream.send(`: ${'x'.repeat(60_000)}\n\n`)
    await open.stream.send('event: endpoint\ndata: /base/messages/?session_id=77\n\n')
    await open.connection.waitFor('data: /messages?endpoint=')
  })

  it.each([
    'https://evil.example/messages',
    'http://evil.example/messages',
    '//evil.example/messages',
    '///evil.example/messages',
    '/\\evil.example/messages',
    '\\\\evil.example\\messages',
    'http://127.0.0.1:1/messages',
    'http://localhost:{port}/messages',
    'https://127.0.0.1:{port}/messages',
    'http://user:password@127.0.0.1:{port}/messages',
    'http://127.0.0.1:{port}@evil.example/messages',
    'http://127.0.0.1:{port}.evil.example/messages',
    'ftp://127.0.0.1:{port}/messages',
    'javascript:alert(1)',
    'data:text/html,x',
    'file:///etc/passwd',
    '/messages with spaces',
    '/messages\tx',
    '/m\u00e4ssages',
    '',
  ])('%j leads nowhere: the stream is cut, and the client never hears of it', async (uri) => {
    const open = await openStream()
    await open.stream.send(`event: endpoint\ndata: ${uri.replace('{port}', String(stage.upstream.port))}\n\n`)
    await open.connection.closed
    expect(textOf(open)).toBe('')
    await checkAttempt(stage, { body: createCall('ping') }, { status: 202, arrives: true })
    const line = await stage.proxy.log.waitFor(({ path }) => path === '/sse')
    expect(line).toMatchObject({ code: 'upstream_invalid_response', level: 'warn' })
  })

  it.each([
    [
      'a message comes first',
      'data: {"jsonrpc":"2.0","id":1,"method":"sampling/createMessage"}\n\nevent: endpoint\ndata: /base/m\n\n',
    ],
    ['another event comes first', 'event: Endpoint\ndata: /base/m\n\n'],
    ['its name has a space too many', 'event:  endpoint\ndata: /base/m\n\n'],
    ['it has two lines', 'event: endpoint\ndata: /base/m\ndata: //evil.example\n\n'],
    ['it names nothing', 'event: endpoint\n\n'],
    ['it never ends', `event: endpoint\ndata: /${'x'.repeat(70_000)}`],
  ])('is not looked for when %s', async (_what, text) => {
    const open = await openStream()
    await open.stream.send(text)
    await open.connection.closed
    expect(textOf(open)).toBe('')
  })

  it.each([
    'event: endpoint\ndata: //evil.example/m\n\n',
    'event: endpoint\ndata: /base/messages/?session_id=78\n\n',
    'event:endpoint\rdata:http://evil.example/\r\r',
    'data: x\nevent: endpoint\n\n',
    'event: message\r\nevent: endpoint\r\ndata: //evil.example\r\n\r\n',
    // As readers see it that trim, do not mind case, or end lines elsewhere.
    'event:\tendpoint \ndata: //evil.example\n\n',
    ' Event : EndPoint\r\ndata: //evil.example\r\n\r\n',
    `event:${' '.repeat(500)}endpoint\ndata: //evil.example\n\n`,
    `event:${' '.repeat(1500)}endpoint\ndata: //evil.example\n\n`,
    'data: \u2028event: endpoint\u2029data: //evil.example\u2028\u2028',
    'data: x\u0085\u0085event: endpoint\u0085data: //evil.example\u0085\u0085',
    'data: x\x1e\x1eevent: endpoint\x0bdata: //evil.example\x0c\x0c',
  ])('cannot be taken back: %j cuts the stream', async (second) => {
    const open = await openStream()
    await open.stream.send('event: endpoint\ndata: /base/m\n\ndata: 1\n\n')
    await open.connection.waitFor('data: 1\n\n')
    for (const piece of cutBytes(second)) await open.stream.send(piece)
    await open.connection.closed
    expect(textOf(open)).not.toContain('evil')
    expect(textOf(open)).not.toContain('session_id=78')
    expect(open.connection.received().toString()).not.toContain('\r\n0\r\n\r\n')
  })
})

describe('what an HTTP+SSE stream holds passes as it is', () => {
  it.each<[string, Buffer]>([
    ['a line of a megabyte', Buffer.from(`data: ${'x'.repeat(1_000_000)}\n\n`)],
    ['a line of 64 KiB and one byte', Buffer.from(`data: ${'y'.repeat(65_537 - 6)}\n\n`)],
    [
      'bytes that are no UTF-8',
      Buffer.concat([Buffer.from('data: '), Buffer.of(0xff, 0xc0, 0x80, 0xed, 0xa0, 0x80), Buffer.from('\n\n')]),
    ],
    ['a NUL in an id', Buffer.from('id: a\0b\ndata: 1\n\n')],
    ['fields that nobody knows', Buffer.from('foo: bar\n:comment\nretry: -1\nretry: 99999999999\ndata\ndata:\ndata: x\n\n')],
    ['text that looks like an event', Buffer.from('data: {"text":"event: endpoint\\ndata: //evil.example\\n\\n"}\n\n')],
    [
      'an event that is called nearly the same',
      Buffer.from('event: endpoints\ndata: 1\n\nevent: end point\ndata: 2\n\nevents: endpoint\n\n'),
    ],
    ['prose behind a separator of lines', Buffer.from(`data: ${'x'.repeat(60_000)}\u2028Eventually: ${'y'.repeat(20_000)}\n\n`)],
    ['blanks behind a separator of lines', Buffer.from(`data: ${'x'.repeat(60_000)}\u2028${' '.repeat(20_000)}\n\n`)],
    ['a name of an event with many blanks', Buffer.from(`data: ${'x'.repeat(60_000)}\nevent:${' '.repeat(20_000)}end\n\n`)],
    ['emoji', Buffer.from('data: \u{1f680}\u{1f469}\u200d\u{1f469}\n\n')],
  ])('%s, however it is cut', async (_what, bytes) => {
    const open = await openStream()
    await open.stream.send('event: endpoint\ndata: /base/m\n\n')
    const pieces =
      bytes.length > 1000 ? [bytes.subarray(0, 65_536), bytes.subarray(65_536)] : [...bytes].map((byte) => Buffer.of(byte))
    for (const piece of pieces) await open.stream.send(piece)
    await open.stream.end()
    const { body } = await open.connection.readResponse()
    expect(body.subarray(body.indexOf('\n\n') + 2).equals(bytes)).toBe(true)
  })
})

describe('the message endpoint of a stream', () => {
  it('belongs to the user who opened the stream', async () => {
    const target = await openSession()
    const url = '/base/messages/?session_id=77'
    await checkAttempt(stage, { target, body: call }, { status: 202, arrives: true, url })
    await checkAttempt(
      stage,
      { target, token: await stage.mint({ client_id: 'registered-anew' }), body: call },
      { status: 202, arrives: true, url },
    )
    for (const claims of [{ sub: 'mallory' }, { client_id: 'alice' }, { sub: undefined }]) {
      await checkAttempt(stage, { target, token: await stage.mint(claims), body: call }, unknown)
    }
  })

  it('is guarded like any other', async () => {
    const target = await openSession()
    const send = async (attempt: Attempt) => sendRaw(stage.proxy.port, formatAttempt(stage, { target, ...attempt }))
    const before = stage.upstream.requests.length
    const without = await send({ token: undefined, body: call })
    expect(without.status).toBe(401)
    expect(without.header('www-authenticate')).toContain('/.well-known/oauth-protected-resource/sse"')
    expect((await send({ token: await stage.mint({ scope: 'x' }), body: call })).status).toBe(403)
    expect((await send({ token: await stage.mint({ aud: 'https://other.example.com' }), body: call })).status).toBe(401)
    expect((await send({ body: createCall('tools/call', { name: 'drop_db' }) })).status).toBe(403)
    expect((await send({ body: `${JSON.stringify(call)} {}` })).status).toBe(400)
    expect((await send({ method: 'GET' })).status).toBe(405)
    expect((await send({ method: 'DELETE' })).status).toBe(405)
    expect(stage.upstream.requests.length).toBe(before)
  })

  const forgeries: [string, (target: string) => string][] = [
    ['no endpoint', () => '/messages'],
    ['an empty one', () => '/messages?endpoint='],
    ['the endpoint of the MCP server', () => '/messages?session_id=77'],
    ['its path in our form', () => `/messages?endpoint=${Buffer.from('/base/messages/?session_id=77').toString('base64url')}`],
    [
      'a URL in our form',
      () => `/messages?endpoint=${'A'.repeat(22)}.${Buffer.from('http://evil.example/').toString('base64url')}`,
    ],
    [
      'another path behind the seal',
      (target) => `${target.slice(0, target.indexOf('.') + 1)}${Buffer.from('/admin').toString('base64url')}`,
    ],
    ['a character more', (target) => `${target}A`],
    ['a character less', (target) => target.slice(0, -1)],
    ['two endpoints', (target) => `${target}&${target.split('?')[1]}`],
    ['two endpoints, the first a forgery', (target) => `/messages?endpoint=x&${target.split('?')[1]}`],
    ['a name with an escape twice', (target) => `${target}&%65ndpoint=x`],
    ['the endpoint at another server', (target) => `/other${target}`],
  ]
  it.each(forgeries)('cannot be forged: %s', async (_what, forge) => {
    const target = forge(await openSession())
    await checkAttempt(stage, { target, body: call }, unknown)
  })

  it('takes nothing else along from the query', async () => {
    const target = `${await openSession()}&session_id=1&admin=true`
    await checkAttempt(stage, { target, body: call }, { status: 202, arrives: true, url: '/base/messages/?session_id=77' })
  })

  it('is not where the MCP server has it', async () => {
    await openSession()
    for (const target of ['/base/messages/?session_id=77', '/base/messages/', '/base/sse']) {
      await checkAttempt(stage, { target, body: call }, { status: 404, code: 'route_not_found' })
    }
  })

  it('does not stand in for a session id, nor a session id for it', async () => {
    const target = await openSession()
    const code = target.slice(target.indexOf('=') + 1)
    await checkAttempt(stage, { body: call, headers: [['Mcp-Session-Id', code]] }, unknown)
    stage.answerWith(answerJson({ jsonrpc: '2.0', id: 1, result: {} }, 200, { 'Mcp-Session-Id': 'L2FkbWlu' }))
    const opened = await sendRaw(stage.proxy.port, formatAttempt(stage, { body: createCall('initialize', {}) }))
    const session = opened.header('mcp-session-id') ?? ''
    expect(session).toContain('L2FkbWlu')
    await checkAttempt(stage, { target: `/messages?endpoint=${session}`, body: call }, unknown)
  })
})

it('a stream needs a token for it', async () => {
  const tokens = [undefined, 'x', await stage.mint({ aud: 'https://other.example.com' }), await stage.mint({ exp: 1 })]
  for (const token of tokens) {
    for (const version of [undefined, '2024-11-05', '2025-11-25']) {
      const headers = version === undefined ? [] : [['MCP-Protocol-Version', version] as const]
      const answer = await sendRaw(stage.proxy.port, formatAttempt(stage, { method: 'GET', target: '/sse', token, headers }))
      expect(answer.status).toBe(401)
      expect(answer.header('www-authenticate')).toMatch(/^Bearer /)
    }
  }
  expect(stage.upstream.requests).toHaveLength(0)
})

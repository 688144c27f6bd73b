import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type Arena, checkServes, formatCall, formatRequest, repeatId, startArena } from '../support/attack.ts'
import { openRawConnection, type RawConnection } from '../support/raw-client.ts'

const longest = 200_000
/** Of a body in chunks: more than comes along unasked. */
const message = '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"text":"'
const beginning = `1fffe\r\n${message.padEnd(0x1fffe, 'x')}\r\n`

let arena: Arena
let bob: string
let carol: string
const connections: RawConnection[] = []

/** @param seconds - that a body may wait, and hold up others */
function useArena(seconds: number): void {
  const limits = { body_bytes: longest, bodies_bytes: 4 * longest, body_idle_seconds: seconds }
  beforeAll(async () => {
    arena = await startArena({ config: { limits } })
    bob = await arena.issuer.mint({ claims: { sub: 'bob' } })
    carol = await arena.issuer.mint({ claims: { sub: 'carol' } })
    arena.secrets.push(bob, carol)
  })
  afterAll(() => arena.close())
}
beforeEach(() => arena.upstream.answerWith(repeatId))
afterEach(() => {
  for (const connection of connections.splice(0)) connection.destroy()
})

/** Sends the head of a call, and the beginning of its body. */
async function begin(token: string, framing: string, text: string): Promise<RawConnection> {
  const connection = await openRawConnection(arena.proxy.port)
  connections.push(connection)
  const lines = [
    `Host: localhost:${arena.proxy.port}`,
    `Authorization: Bearer ${token}`,
    'Content-Type: application/json',
    framing,
  ]
  connection.write(`${['POST /mcp HTTP/1.1', ...lines].join('\r\n')}\r\n\r\n${text}`)
  return connection
}

const beginChunks = (token: string) => begin(token, 'Transfer-Encoding: chunked', beginning)
const beginKnown = (token: string, text: string) => begin(token, `Content-Length: ${longest}`, text)
const long = (id: string) =>
  formatCall('echo', id)
    .replace('{}', JSON.stringify({ text: 'x'.repeat(100) }))
    .padEnd(longest, ' ')
const errorOf = (body: Buffer): unknown => JSON.parse(body.toString()).error.data.error

/** Keeps a body coming, a byte at a time. */
function drip(connection: RawConnection): () => void {
  const timer = setInterval(() => connection.socket.writable && connection.write('1\r\nx\r\n'), 50)
  return () => clearInterval(timer)
}

describe('a long body', () => {
  useArena(30)
  const text = JSON.stringify({ text: 'x'.repeat(100_000) })
  const send = async (body: string) => {
    const connection = await begin(arena.token, `Content-Length: ${Buffer.byteLength(body)}`, body)
    return connection.readResponse()
  }

  it('is read in a thread of its own, so that no other call waits for that, and passes unchanged', async () => {
    let threads = 0
    const count = (): void => {
      threads += 1
    }
    subscribe('worker_threads', count)
    const body = formatCall('echo', 'long').replace('{}', text)
    const { status } = await send(body)
    unsubscribe('worker_threads', count)
    expect(status).toBe(200)
    expect(threads).toBe(1)
    expect(String(await arena.upstream.requests.at(-1)?.body)).toBe(body)
  })

  it('is refused for what a short one is, with the id of its request', async () => {
    const before = arena.upstream.requests.length
    const ambiguous = formatCall('echo', 'long').replace('{}', `{"a":1,"a":${text}}`)
    const { status, body } = await send(ambiguous)
    expect([status, JSON.parse(body.toString()).id, errorOf(body)]).toEqual([400, 'long', 'json_ambiguous'])
    const broken = await send(formatCall('echo', 'long').replace('{}', text).replace(/}$/, ' '))
    expect([broken.status, errorOf(broken.body)]).toEqual([400, 'json_invalid'])
    expect(arena.upstream.requests.length).toBe(before)
  })
})

describe('long bodies that arrive at the same time', () => {
  useArena(30)

  it.each([
    ['of known length', (token: string) => beginKnown(token, '{')],
    ['in chunks', beginChunks],
  ])('of one user, %s, wait for each other, and no other user waits for them', async (_name, open) => {
    const before = arena.upstream.requests.length
    const first = await open(arena.token)
    const others = await Promise.all([open(arena.token), open(arena.token)])
    const bobs = await beginKnown(bob, long('bob'))
    expect((await bobs.readResponse()).body.toString()).toBe('{"jsonrpc":"2.0","id":"bob","result":{}}')
    await checkServes(arena)
    expect(arena.upstream.requests.length).toBe(before + 2)
    for (const other of others) expect(other.received().length).toBe(0)
    first.destroy()
  })

  it('are all served, one after the other', async () => {
    const ids = Array.from({ length: 20 }, (_, i) => `all-${i}`)
    const answers = await Promise.all(ids.map(async (id) => (await beginKnown(arena.token, long(id))).readResponse()))
    expect(answers.map(({ body }) => JSON.parse(body.toString()).id)).toEqual(ids)
  })

  it('are not asked for before there is room for them (RFC 9110 §10.1.1)', async () => {
    const first = await beginChunks(arena.token)
    const stop = drip(first)
    const asking = await begin(arena.token, `Content-Length: ${longest}\r\nExpect: 100-continue`, '')
    await checkServes(arena)
    expect(asking.received().length).toBe(0)
    stop()
    first.destroy()
    await asking.waitFor('100 Continue')
  })

  it('give their room back where their answer waited behind another one, and the client has gone', async () => {
    arena.upstream.answerWith((request, response) => {
      if (request.method === 'GET') response.writeHead(200, { 'Content-Type': 'text/event-stream' }).write(': begun\n\n')
    })
    const before = arena.upstream.requests.length
    const connection = await openRawConnection(arena.proxy.port)
    connections.push(connection)
    connection.write(formatRequest(arena, { method: 'GET', more: ['Accept: text/event-stream'] }))
    await connection.waitFor(': begun')
    connection.write(formatRequest(arena, { body: long('behind') }))
    await arena.upstream.waitForRequest(before + 1)
    connection.destroy()
    arena.upstream.answerWith(repeatId)
    expect((await (await beginKnown(arena.token, long('next'))).readResponse()).status).toBe(200)
  })

  it('hold no room for as long as their answer lasts', async () => {
    arena.upstream.answerWith((_request, response) => {
      response.writeHead(200, { 'Content-Type': 'text/event-stream' }).write(': begun\n\n')
    })
    for (let i = 0; i < 5; i++) await (await beginKnown(arena.token, long(`stream-${i}`))).waitFor(': begun')
  })
})

describe('long bodies for which room does not come in time', () => {
  useArena(1.5)

  it('keep no other request waiting for a slow sender: it gets 408, and the next one is served', async () => {
    const slow = await beginChunks(arena.token)
    const stop = drip(slow)
    const next = await beginKnown(arena.token, long('next'))
    const [late, served] = await Promise.all([slow.readResponse(), next.readResponse()])
    stop()
    expect([late.status, errorOf(late.body)]).toEqual([408, 'body_timeout'])
    expect(served.body.toString()).toBe('{"jsonrpc":"2.0","id":"next","result":{}}')
  })

  it('are refused with the time to come back where no room came (503), and the room of who waits at the upstream is kept', async () => {
    arena.upstream.answerWith(() => undefined)
    const before = arena.upstream.requests.length
    const held = [await beginKnown(arena.token, long('held')), await beginKnown(bob, long('held'))]
    await arena.upstream.waitForRequest(before + 1)
    const refused = await (await beginKnown(carol, long('refused'))).readResponse()
    expect([refused.status, errorOf(refused.body), refused.header('retry-after')]).toEqual([503, 'bodies_limited', '1'])
    for (const connection of held) connection.destroy()
    arena.upstream.answerWith(repeatId)
    expect((await (await beginKnown(carol, long('after'))).readResponse()).status).toBe(200)
    expect(arena.proxy.log.text()).toContain('bodies_limited')
  })
})

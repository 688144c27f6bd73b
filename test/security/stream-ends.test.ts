import { afterEach, describe, expect, it } from 'vitest'
import { repeatId } from '../support/attack.ts'
import { openRawConnection, type RawConnection } from '../support/raw-client.ts'
import { controlStream } from '../support/recording-upstream.ts'
import { type Attempt, audience, createCall, createModern, formatAttempt, type Stage, startStage } from '../support/stage.ts'

let stage: Stage
const connections: RawConnection[] = []
let closed: Promise<void> | undefined
function close(): Promise<void> {
  closed ??= stage.close()
  return closed
}
afterEach(async () => {
  for (const connection of connections.splice(0)) connection.destroy()
  await close()
  closed = undefined
})

async function send(attempt: Attempt): Promise<RawConnection> {
  const connection = await openRawConnection(stage.proxy.port)
  connections.push(connection)
  connection.write(formatAttempt(stage, attempt))
  return connection
}

/** Seconds since the epoch, a little ahead: a token has to be good when it is shown, on a busy machine as well. */
const soon = () => Math.floor(Date.now() / 1000) + 4
const listen = createModern('subscriptions/listen', { notifications: { toolsListChanged: true } })

describe('a stream ends with the token that opened it', () => {
  it.each<[string, Attempt]>([
    ['the stream of a session', { method: 'GET' }],
    ['a subscription', listen],
    ['HTTP+SSE', { method: 'GET', target: '/sse' }],
  ])('%s: cleanly, and the MCP server is told', async (_what, attempt) => {
    stage = await startStage({
      issuer: { clock_tolerance_seconds: 0 },
      servers: ({ upstream }) => [
        {
          path: '/mcp',
          upstream: `${upstream}/up`,
          sse: { upstream: `${upstream}/sse` },
          audience: [audience],
          scopes: ['mcp:tools'],
        },
      ],
    })
    const [short, long] = [controlStream(), controlStream()]
    stage.answerWith(long.answer)
    const lasting = await send(attempt)
    await stage.upstream.waitForRequest(0)
    stage.answerWith(short.answer)
    const token = await stage.mint({ exp: soon() })
    const ending = await send({ ...attempt, token })
    const request = await stage.upstream.waitForRequest(1)
    const first = 'event: endpoint\ndata: /messages?id=1\n\n'
    for (const stream of [short, long]) await stream.send(`${first}data: 1\n\n`)
    await ending.waitFor('data: 1\n\n')

    const answer = await ending.readResponse()
    expect(answer.status).toBe(200)
    expect(answer.body.toString()).toContain('data: 1\n\n')
    await request.aborted
    const again = await (await send({ ...attempt, token })).readResponse()
    expect(again.status).toBe(401)
    expect(again.header('www-authenticate')).toContain('error="invalid_token"')
    await long.send('data: still here\n\n')
    await lasting.waitFor('data: still here\n\n')
    const line = await stage.proxy.log.waitFor(({ status, cause }) => status === 200 && String(cause).includes('expired'))
    expect(line).toMatchObject({ level: 'info', method: attempt.method ?? 'POST' })
  })

  it.each<[string, Record<string, string>]>([
    ['JSON', { 'Content-Type': 'application/json' }],
    ['text of a known length', { 'Content-Type': 'text/plain', 'Content-Length': '100000' }],
    ['text that comes in one piece but for its time', { 'Content-Type': 'text/plain', 'Content-Length': '100' }],
    ['an event stream of a known length', { 'Content-Length': '100000' }],
  ])('so does every other answer that lasts: %s, cut so that it does not look whole', async (_what, headers) => {
    stage = await startStage({ issuer: { clock_tolerance_seconds: 0 } })
    const stream = controlStream(headers)
    stage.answerWith(stream.answer)
    const token = await stage.mint({ exp: soon() })
    const connection = await send({ method: 'GET', token })
    const request = await stage.upstream.waitForRequest(0)
    await stream.send('half of it')
    await connection.waitFor('half of it')
    await connection.closed
    await request.aborted
    expect(connection.received().toString()).not.toContain('\r\n0\r\n\r\n')
    expect(await stage.proxy.log.waitFor(({ code }) => code === 'token_expired')).toMatchObject({ status: 200 })
  })

  it('but not before the tolerance is over, as with any other use of the token', async () => {
    stage = await startStage({ issuer: { clock_tolerance_seconds: 60 } })
    const stream = controlStream()
    stage.answerWith(stream.answer)
    const token = await stage.mint({ exp: soon() - 5 })
    const connection = await send({ method: 'GET', token })
    await stage.upstream.waitForRequest(0)
    await stream.send('data: 1\n\n')
    await connection.waitFor('data: 1\n\n')
    stage.answerWith(repeatId)
    expect((await (await send({ body: createCall('ping'), token })).readResponse()).status).toBe(200)
    expect(connection.received().toString()).not.toContain('\r\n0\r\n\r\n')
  })

  it('but not the answer to a call, which was permitted when it was asked for', async () => {
    stage = await startStage({ issuer: { clock_tolerance_seconds: 0 } })
    const call = controlStream()
    const other = controlStream()
    const token = await stage.mint({ exp: soon() })
    stage.answerWith(call.answer)
    const calling = await send({ body: createCall('tools/call', { name: 'echo' }), token })
    await stage.upstream.waitForRequest(0)
    stage.answerWith(other.answer)
    const listening = await send({ method: 'GET', token })
    await stage.upstream.waitForRequest(1)
    await other.send('data: 1\n\n')
    await listening.readResponse()
    await call.send('data: {"jsonrpc":"2.0","id":1,"result":{}}\n\n')
    await call.end()
    const { body } = await calling.readResponse()
    expect(body.toString()).toBe('data: {"jsonrpc":"2.0","id":1,"result":{}}\n\n')
  })

  it('however far away that is', async () => {
    stage = await startStage()
    const stream = controlStream()
    stage.answerWith(stream.answer)
    const token = await stage.mint({ exp: soon() + 100 * 365 * 86_400 })
    const connection = await send({ method: 'GET', token })
    await stage.upstream.waitForRequest(0)
    for (const event of ['data: 1\n\n', 'data: 2\n\n']) {
      await stream.send(event)
      await connection.waitFor(event)
    }
  })
})

describe('a subscription that we end', () => {
  const completed = (id: unknown) => {
    const key = 'io.modelcontextprotocol/subscriptionId'
    return { jsonrpc: '2.0', id, result: { resultType: 'complete', _meta: { [key]: id } } }
  }
  const readLast = (body: Buffer) => JSON.parse(body.toString().trimEnd().split('\n').at(-1)?.replace('data: ', '') ?? '')
  /** Sends a subscription through, and what the upstream answers with at once. */
  const begin = async (id: unknown, text: string, token?: string, headers: Record<string, string> = {}) => {
    const stream = controlStream(headers)
    stage.answerWith(stream.answer)
    const attempt = createModern('subscriptions/listen', { notifications: { toolsListChanged: true } }, id)
    const connection = await send(token === undefined ? attempt : { ...attempt, token })
    await stream.send(text)
    await connection.waitFor(text)
    return connection
  }

  it.each(['data: 1\n\n', 'data: 1\r\n\r\n', 'data: 1\r\r', ':\n\n'])('with a shutdown is answered, after %j', async (text) => {
    stage = await startStage()
    const connections = [await begin('a', text), await begin(7, text)]
    const over = close()
    for (const [index, id] of ['a', 7].entries())
      expect(readLast((await connections[index]!.readResponse()).body)).toEqual(completed(id))
    await over
  })

  it('with its token is answered', async () => {
    stage = await startStage({ issuer: { clock_tolerance_seconds: 0 } })
    const connection = await begin(1, 'data: 1\n\n', await stage.mint({ exp: soon() }))
    expect(readLast((await connection.readResponse()).body)).toEqual(completed(1))
  })

  it.each<[string, string, Record<string, string>]>([
    ['an event is not complete', 'data: 1\n\ndata: 2\n', {}],
    ['a line is not complete', 'data: 1', {}],
    ['the events are compressed', 'gzip\n\n', { 'Content-Encoding': 'gzip' }],
  ])('gets nothing of ours where %s', async (_where, text, headers) => {
    stage = await startStage()
    const connection = await begin(1, text, undefined, headers)
    const over = close()
    expect((await connection.readResponse()).body.toString()).toBe(text)
    await over
  })
})

describe('no work is done for a client that has left', () => {
  it('a client that goes while its token is being checked', async () => {
    stage = await startStage({
      issuer: { introspection: { client_id: 'proxy', client_secret: { env: 'SECRET' } } },
      env: { SECRET: 'a-client-secret-of-the-proxy' },
    })
    let answer: (() => void) | undefined
    const asked = new Promise<void>((resolve) => {
      stage.issuer.setIntrospection(async () => {
        resolve()
        await new Promise<void>((proceed) => {
          answer = proceed
        })
        return { active: true, aud: audience, scope: 'mcp:tools', sub: 'alice' }
      })
    })
    const token = 'an-opaque-token-of-alice'
    stage.secrets.push(token)
    const connection = await send({ method: 'GET', token })
    await asked
    connection.destroy()
    await stage.proxy.log.waitFor(({ code }) => code === 'client_gone')
    answer?.()
    const after = await (await send({ method: 'DELETE', token })).readResponse()
    expect(after.status).toBe(200)
    expect(stage.upstream.requests.map(({ method }) => method)).toEqual(['DELETE'])
  })
})

describe('a shutdown', () => {
  it('cuts what lasts and is no event stream, so that half of it does not look whole', async () => {
    stage = await startStage()
    const stream = controlStream({ 'Content-Type': 'application/json' })
    stage.answerWith(stream.answer)
    const connection = await send({ method: 'GET' })
    await stream.send('{"half":')
    await connection.waitFor('{"half":')
    const over = close()
    await connection.closed
    expect(connection.received().toString()).not.toContain('\r\n0\r\n\r\n')
    await over
  })

  it('tells a client that still waits for its stream to come again, instead of sending it nothing', async () => {
    stage = await startStage()
    stage.answerWith(() => {})
    const connection = await send({ method: 'GET' })
    await stage.upstream.waitForRequest(0)
    const over = close()
    const answer = await connection.readResponse()
    expect(answer.status).toBe(503)
    expect(answer.header('retry-after')).toBeDefined()
    expect(JSON.parse(answer.body.toString())).toMatchObject({ error: { data: { error: 'shutting_down' } } })
    await over
  })
})

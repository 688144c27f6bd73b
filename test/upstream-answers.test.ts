import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { openRawConnection } from './support/raw-client.ts'
import type { Answer } from './support/recording-upstream.ts'
import {
  type Attempt,
  createCall,
  createNotification,
  createServer,
  formatAttempt,
  type Stage,
  startStage,
} from './support/stage.ts'

let stage: Stage
beforeAll(async () => {
  stage = await startStage({
    servers: (around) => [
      createServer(around),
      createServer(around, { path: '/lenient', upstream: { url: `${around.upstream}/up`, follow_slash_redirects: true } }),
      createServer(around, { path: '/slash', upstream: { url: `${around.upstream}/up/?a=b`, follow_slash_redirects: true } }),
    ],
  })
})
afterAll(() => stage.close())

const request = createCall('tools/call', { name: 'echo' })
const notification = createNotification('notifications/x', {})

async function send(attempt: Attempt) {
  const since = stage.upstream.requests.length
  const connection = await openRawConnection(stage.proxy.port)
  connection.write(formatAttempt(stage, attempt))
  const answer = await connection.readResponse()
  connection.destroy()
  const requests = stage.upstream.requests.slice(since)
  const bodies = await Promise.all(requests.map(async ({ body }) => (await body).toString()))
  const text = answer.body.toString()
  const code = /"error":"([a-z_]+)"/.exec(text)?.[1]
  return { status: answer.status, code, text, asked: requests.map(({ method, url }) => `${method} ${url}`), bodies }
}

const say =
  (status: number, headers: Record<string, string | string[]>, body = ''): Answer =>
  (_request, response) => {
    response.writeHead(status, headers).end(body)
  }
/** In chunks, so that nobody knows in advance whether anything comes. */
const sayUnmeasured =
  (status: number, type: string, body: string): Answer =>
  (_request, response) => {
    response.writeHead(status, { 'content-type': type, 'transfer-encoding': 'chunked' })
    response.flushHeaders()
    response.end(body)
  }
const html = { 'content-type': 'text/html; charset=utf-8' }
const json = { 'content-type': 'application/json' }
const refused = { status: 502, code: 'upstream_invalid_response' }

describe('what is no answer of MCP is not passed on as one', () => {
  it.each<[string, Answer, Attempt]>([
    ['a page', say(200, html, '<p>Sign in</p>'), { body: request }],
    ['a page in capitals', say(200, { 'content-type': 'Text/HTML' }, '<p>'), { body: request }],
    ['a page to a GET', say(200, html, '<p>'), { method: 'GET' }],
    ['a page to a DELETE', say(200, html, '<p>'), { method: 'DELETE' }],
    ['a page in XHTML', say(200, { 'content-type': 'application/xhtml+xml' }, '<p/>'), { body: request }],
    ['a page to a notification', say(202, html, '<p>'), { body: notification }],
    ['a text', say(200, { 'content-type': 'text/plain' }, 'OK'), { body: request }],
    ['bytes', say(200, { 'content-type': 'application/octet-stream' }, '{}'), { body: request }],
    ['a picture', say(200, { 'content-type': 'image/svg+xml' }, '<svg/>'), { body: request }],
    ['another kind of JSON', say(200, { 'content-type': 'application/problem+json' }, '{}'), { body: request }],
    ['a form', say(201, { 'content-type': 'application/x-www-form-urlencoded' }, 'a=b'), { body: request }],
    ['one type behind another', say(200, { 'content-type': 'text/plain, application/json' }, '{}'), { body: request }],
    ['two types', say(200, { 'content-type': ['application/json', 'text/html'] }, '{}'), { body: request }],
  ])('%s', async (_what, answer, attempt) => {
    stage.answerWith(answer)
    expect(await send(attempt)).toMatchObject(refused)
  })

  it.each<[string, number, Answer, Attempt]>([
    ['a page that says that there is nothing', 404, say(404, html, '<p>'), { body: request }],
    ['JSON with parameters', 200, say(200, { 'content-type': 'Application/JSON ; charset=utf-8' }, '{}'), { body: request }],
    ['events in capitals', 200, say(200, { 'content-type': 'TEXT/Event-Stream;charset=utf-8' }, ''), { body: request }],
    ['nothing of no type', 202, say(202, {}), { body: request }],
    ['an error that is a text', 500, say(500, { 'content-type': 'text/plain' }, 'no'), { body: request }],
    ['events', 200, sayUnmeasured(200, 'text/event-stream', ': hello\n\n'), { method: 'GET' }],
    ['the end of a session', 200, say(200, { 'content-type': 'text/plain' }, 'OK'), { method: 'DELETE' }],
  ])('but this passes: %s', async (_what, status, answer, attempt) => {
    stage.answerWith(answer)
    expect(await send(attempt)).toMatchObject({ status, code: undefined })
  })
})

describe('what awaits no answer gets 202 and no body (2025-11-25, basic/transports, Sending Messages)', () => {
  const response = { jsonrpc: '2.0', id: 1, result: {} }
  it.each<[string, Answer, Attempt]>([
    ['202 to a notification', say(202, {}), { body: notification }],
    ['"Accepted" behind it', say(202, { 'content-type': 'text/plain' }, 'Accepted'), { body: notification }],
    ['204', say(204, {}), { body: notification }],
    ['200 with nothing', say(200, { ...json, 'content-length': '0' }), { body: notification }],
    ['200 that turns out to have nothing', sayUnmeasured(200, 'application/json', ''), { body: notification }],
    ['JSON', say(200, { ...json, 'content-length': '2' }, '{}'), { body: notification }],
    ['JSON of unknown length', sayUnmeasured(200, 'application/json', '{}'), { body: notification }],
    ['JSON to a response', sayUnmeasured(201, 'application/json', '{}'), { body: response }],
    ['events', sayUnmeasured(200, 'text/event-stream', 'data: {}\n\n'), { body: notification }],
    [
      'events without end',
      (_request, answer) => void answer.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: {}\n\n'),
      { body: notification },
    ],
    ['more than anybody reads', sayUnmeasured(200, 'application/json', ' '.repeat(1024 * 1024)), { body: notification }],
  ])('where the MCP server says: %s', async (_what, answer, attempt) => {
    stage.answerWith(answer)
    const got = await send(attempt)
    expect(got).toMatchObject({ status: 202, code: undefined })
    expect(got.text).toBe('')
    stage.answerWith(say(200, json, '{}'))
    expect(await send({ body: request })).toMatchObject({ status: 200 })
  })

  it('but a refusal stays one', async () => {
    stage.answerWith(say(400, json, '{"jsonrpc":"2.0","error":{"code":-32600,"message":"no"}}'))
    expect(await send({ body: notification })).toMatchObject({ status: 400 })
  })
})

describe('a redirect that changes a final slash alone is followed where the configuration says so', () => {
  const redirect =
    (status: number, location: (origin: string) => string): Answer =>
    (asked, response) => {
      if (asked.url === '/up/' || asked.url === '/up?a=b') response.writeHead(200, json).end('{}')
      else response.writeHead(status, { location: location(stage.upstream.origin) }).end('gone')
    }
  beforeEach(() => stage.answerWith(redirect(307, (origin) => `${origin}/up/`)))

  it.each([301, 302, 307, 308])('%i, with the same method and body', async (status) => {
    stage.answerWith(redirect(status, (origin) => `${origin}/up/`))
    const body = JSON.stringify(request)
    expect(await send({ target: '/lenient', body })).toMatchObject({
      status: 200,
      asked: ['POST /up', 'POST /up/'],
      bodies: [body, body],
    })
  })

  it.each([
    ['a path alone', () => '/up/'],
    ['the scheme that clients use', (origin: string) => `${origin.replace('http:', 'https:')}/up/`],
  ])('by %s', async (_what, location) => {
    stage.answerWith(redirect(307, location))
    expect(await send({ target: '/lenient', body: request })).toMatchObject({ status: 200, asked: ['POST /up', 'POST /up/'] })
  })

  it('of a long body, and of a slash that is one too many', async () => {
    const body = JSON.stringify(createCall('tools/call', { name: 'echo', arguments: { x: 'x'.repeat(300_000) } }))
    expect((await send({ target: '/lenient', body })).bodies).toEqual([body, body])
    stage.answerWith(redirect(308, (origin) => `${origin}/up?a=b`))
    expect((await send({ target: '/slash', body: request })).asked).toEqual(['POST /up/?a=b', 'POST /up?a=b'])
  })

  it.each<[string, number, (origin: string) => string]>([
    ['another path', 307, (origin) => `${origin}/other/`],
    ['two slashes', 307, (origin) => `${origin}/up//`],
    ['another host', 307, () => 'http://127.0.0.2:1/up/'],
    ['another query', 307, (origin) => `${origin}/up/?x=y`],
    ['a GET', 303, (origin) => `${origin}/up/`],
    ['nowhere', 307, () => 'http://'],
  ])('%s is not followed', async (_what, status, location) => {
    stage.answerWith(redirect(status, location))
    expect(await send({ target: '/lenient', body: request })).toMatchObject({
      status: 502,
      code: 'upstream_redirected',
      asked: ['POST /up'],
    })
  })

  it('once, and nowhere without the setting', async () => {
    stage.answerWith((asked, response) => {
      response.writeHead(307, { location: asked.url === '/up' ? '/up/' : '/up' }).end()
    })
    const twice = await send({ target: '/lenient', body: request })
    expect(twice).toMatchObject({ status: 502, code: 'upstream_redirected', asked: ['POST /up', 'POST /up/'] })
    expect(await send({ body: request })).toMatchObject({ status: 502, code: 'upstream_redirected', asked: ['POST /up'] })
  })
})

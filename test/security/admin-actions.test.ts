import { afterEach, expect, it } from 'vitest'
import type { ActionInput, ActionReport } from '../../src/admin/admin-action.ts'
import { startAdmin } from '../../src/admin/admin-listener.ts'
import { systemClock } from '../../src/core/clock.ts'
import { ProxyError } from '../../src/core/errors.ts'
import { openRawConnection, sendRaw } from '../support/raw-client.ts'

const TOKEN = 'operators-only-'.repeat(3)

const open: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of open.splice(0)) await close()
})

async function start({ token }: { token: string | undefined } = { token: TOKEN }) {
  const done: ActionInput[] = []
  const reports: ActionReport[] = []
  const refusals: string[] = []
  const listener = await startAdmin({
    plan: { host: '127.0.0.1', port: 0, allowedHosts: [], token },
    pages: new Map([['/page', async () => ({ type: 'text/plain', text: 'page' })]]),
    actions: new Map([
      [
        '/act',
        (input) => {
          if ('refuse' in input) throw new ProxyError('admin_input_invalid', { cause: 'it is refused' })
          if ('fail' in input) throw new Error('inside')
          done.push(input)
          return { done: done.length }
        },
      ],
    ]),
    headersSeconds: 5,
    stalledSeconds: 5,
    clock: systemClock,
    onRefused: ({ code }) => refusals.push(code),
    onAction: (report) => reports.push(report),
  })
  open.push(() => listener.closeNow())
  const send = (line: string, fields: readonly string[], body = '') =>
    sendRaw(listener.port, `${[`${line} HTTP/1.1`, ...fields].join('\r\n')}\r\n\r\n${body}`)
  return { port: listener.port, done, reports, refusals, send }
}

const HOST = 'Host: localhost'
const JSON_TYPE = 'Content-Type: application/json'
const BEARER = `Authorization: Bearer ${TOKEN}`

const framed = (body: string, ...fields: string[]): [string[], string] => [
  [...fields, `Content-Length: ${Buffer.byteLength(body)}`],
  body,
]

it('does what an operator with the token asks for, and answers in JSON', async () => {
  const { send, done, reports } = await start()
  const answer = await send('POST /act', ...framed('{"who":"alice"}', HOST, JSON_TYPE, BEARER))
  expect([answer.status, answer.body.toString(), done]).toEqual([200, '{"done":1}', [{ who: 'alice' }]])
  expect(answer.header('content-type')).toBe('application/json')
  const requestId = answer.header('x-request-id')
  expect(requestId).toMatch(/^[\w-]+$/)
  const report = { requestId, trace: undefined, action: '/act', parameters: { who: 'alice' }, address: '127.0.0.1' }
  expect(reports).toEqual([{ ...report, outcome: 'success' }])
})

it('limits nothing: a hundred actions in a row are done', async () => {
  const { send, done } = await start()
  for (let i = 0; i < 100; i++) await send('POST /act', ...framed('{}', HOST, JSON_TYPE, BEARER))
  expect(done).toHaveLength(100)
})

it.each<[string, number, string, string[], string?]>([
  ['no token', 401, 'POST /act', [HOST, JSON_TYPE]],
  ['another token', 401, 'POST /act', [HOST, JSON_TYPE, 'Authorization: Bearer wrong']],
  ['the token of another scheme', 401, 'POST /act', [HOST, JSON_TYPE, `Authorization: Basic ${TOKEN}`]],
  ['the start of the token', 401, 'POST /act', [HOST, JSON_TYPE, `Authorization: Bearer ${TOKEN.slice(0, -1)}`]],
  ['the token twice', 401, 'POST /act', [HOST, JSON_TYPE, BEARER, BEARER]],
  ['the token in the query', 401, `POST /act?access_token=${TOKEN}`, [HOST, JSON_TYPE]],
  ['GET', 405, 'GET /act', [HOST, BEARER]],
  ['HEAD', 405, 'HEAD /act', [HOST, BEARER]],
  ['PUT', 405, 'PUT /act', [HOST, JSON_TYPE, BEARER]],
  ['DELETE', 405, 'DELETE /act', [HOST, BEARER]],
  ['OPTIONS', 405, 'OPTIONS /act', [HOST, BEARER]],
  ['the name of a page that was rebound', 403, 'POST /act', ['Host: evil.example', JSON_TYPE, BEARER]],
  ['the origin of a page', 403, 'POST /act', [HOST, 'Origin: http://localhost', JSON_TYPE, BEARER]],
  ['no origin of a page', 403, 'POST /act', [HOST, 'Origin: null', JSON_TYPE, BEARER]],
  ['a request within another site', 403, 'POST /act', [HOST, 'Sec-Fetch-Site: cross-site', JSON_TYPE, BEARER]],
  ['a form', 415, 'POST /act', [HOST, 'Content-Type: application/x-www-form-urlencoded', BEARER]],
  ['text, as a page may post it', 415, 'POST /act', [HOST, 'Content-Type: text/plain', BEARER]],
  ['no content type', 415, 'POST /act', [HOST, BEARER]],
  ['an encoded body', 415, 'POST /act', [HOST, JSON_TYPE, 'Content-Encoding: gzip', BEARER]],
  ['no body', 400, 'POST /act', [HOST, JSON_TYPE, BEARER], ''],
  ['half a body', 400, 'POST /act', [HOST, JSON_TYPE, BEARER], '{'],
  ['a list', 400, 'POST /act', [HOST, JSON_TYPE, BEARER], '[{}]'],
  ['a member twice', 400, 'POST /act', [HOST, JSON_TYPE, BEARER], '{"a":1,"a":2}'],
  ['half a character', 400, 'POST /act', [HOST, JSON_TYPE, BEARER], String.raw`{"a":"\ud800"}`],
  ['nesting without end', 400, 'POST /act', [HOST, JSON_TYPE, BEARER], `{"a":${'['.repeat(20)}${']'.repeat(20)}}`],
  ['a body over the limit', 413, 'POST /act', [HOST, JSON_TYPE, BEARER], `{"a":"${'x'.repeat(20_000)}"}`],
  ['another path', 404, 'POST /act/', [HOST, JSON_TYPE, BEARER]],
  ['an encoded path', 404, 'POST /%61ct', [HOST, JSON_TYPE, BEARER]],
])('does nothing for %s', async (_name, status, line, fields, body = '{}') => {
  const { send, done } = await start()
  const answer = await send(line, ...framed(body, ...fields))
  expect([answer.status, done]).toEqual([status, []])
  if (!line.startsWith('HEAD')) expect(JSON.parse(answer.body.toString())).toMatchObject({ error: expect.any(String) })
  expect(answer.header('open-mcp-auth-proxy') === undefined || status !== 401).toBe(true)
})

it('does nothing for bytes that are no UTF-8', async () => {
  const { port, done } = await start()
  const connection = await openRawConnection(port)
  connection.write(`${['POST /act HTTP/1.1', HOST, JSON_TYPE, BEARER, 'Content-Length: 9'].join('\r\n')}\r\n\r\n`)
  connection.write(Buffer.from('7b2261223a22ff227d', 'hex'))
  expect([(await connection.readResponse()).status, done]).toEqual([400, []])
  connection.destroy()
})

it('has no actions where no token is configured', async () => {
  const { send, done } = await start({ token: undefined })
  for (const authorization of [BEARER, 'Authorization: Bearer ', 'Authorization: Bearer undefined'])
    expect((await send('POST /act', ...framed('{}', HOST, JSON_TYPE, authorization))).status).toBe(405)
  expect(done).toEqual([])
})

it('reads a body of unknown length only up to the limit', async () => {
  const { port, done } = await start()
  const connection = await openRawConnection(port)
  const head = ['POST /act HTTP/1.1', HOST, JSON_TYPE, BEARER, 'Transfer-Encoding: chunked']
  connection.write(`${head.join('\r\n')}\r\n\r\n`)
  for (let i = 0; i < 5; i++) connection.write(`1000\r\n${'x'.repeat(4096)}\r\n`)
  expect([(await connection.readResponse()).status, done]).toEqual([413, []])
  connection.destroy()
})

it('tells why to a caller with the token, and to no other', async () => {
  const { send, reports } = await start()
  const refused = await send('POST /act', ...framed('{"refuse":1}', HOST, JSON_TYPE, BEARER))
  expect(JSON.parse(refused.body.toString())).toMatchObject({ error: 'admin_input_invalid', detail: 'it is refused' })
  const failed = await send('POST /act', ...framed('{"fail":1}', HOST, JSON_TYPE, BEARER))
  expect([failed.status, failed.body.toString()]).toEqual([500, '{"error":"internal_error","message":"Internal error"}'])
  const stranger = await send('POST /act', ...framed('{}', HOST, JSON_TYPE))
  expect(Object.keys(JSON.parse(stranger.body.toString()))).toEqual(['error', 'message'])
  expect(reports.map(({ outcome }) => outcome)).toEqual(['admin_input_invalid', 'internal_error'])
})

it('serves pages without a token, and only to GET', async () => {
  const { send } = await start()
  expect((await send('GET /page', [HOST])).body.toString()).toBe('page')
  expect((await send('POST /page', ...framed('{}', HOST, JSON_TYPE, BEARER))).status).toBe(405)
})

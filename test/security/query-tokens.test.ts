import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { checkAttack, formatCall, formatRequest } from '../support/attack.ts'
import { type Stage, startStage } from '../support/stage.ts'

let arena: Stage
beforeAll(async () => {
  arena = await startStage({
    server: { bearer_methods: ['header', 'query', 'body'] },
    answer: (_request, response) => {
      response
        .writeHead(200, {
          'Content-Type': 'application/json',
          'Cache-Control': 'public, max-age=3600',
          'Content-Security-Policy': 'default-src *',
          'Referrer-Policy': 'unsafe-url',
        })
        .end('{"jsonrpc":"2.0","id":1,"result":"<script>alert(1)</script>"}')
    },
  })
})
afterAll(() => arena.close())

const body = formatCall('echo', 1)
const json = ['Host: localhost:{port}', 'Content-Type: application/json', `Content-Length: ${body.length}`]
const form = () => `access_token=${arena.token}&message=${encodeURIComponent(body)}`
const formLines = () => [
  'Host: localhost:{port}',
  'Content-Type: application/x-www-form-urlencoded',
  `Content-Length: ${form().length}`,
]
const inQuery = (parts: Partial<Parameters<typeof formatRequest>[1]> = {}) =>
  formatRequest(arena, { target: `/mcp?access_token=${arena.token}`, lines: json, body, ...parts })

describe('an answer to a token that any page can put into a link or a form', () => {
  it.each([
    ['in the query of a POST', () => inQuery(), { body }],
    ['in the query of a GET', () => inQuery({ method: 'GET', lines: ['Host: localhost:{port}'], body: '' }), { method: 'GET' }],
    ['in a form', () => formatRequest(arena, { lines: formLines(), body: form() }), { body }],
  ])('is never a page of this origin, and is kept by no shared cache: %s', async (_where, bytes, upstream) => {
    const answer = await checkAttack(arena, bytes(), { status: 200, upstream })
    expect(answer?.header('x-content-type-options')).toBe('nosniff')
    expect(answer?.header('content-security-policy')).toBe("sandbox; default-src 'none'; frame-ancestors 'none'")
    expect(answer?.header('cache-control')).toMatch(/^private\b/)
    expect(answer?.header('referrer-policy')).toBe('no-referrer')
  })

  it('is the MCP server’s own where the token stood in the header', async () => {
    const answer = await checkAttack(arena, formatRequest(arena, { body }), { status: 200, upstream: { body } })
    expect(answer?.header('cache-control')).toBe('public, max-age=3600')
    expect(answer?.header('content-security-policy')).toBe('default-src *')
  })

  it.each(['Sec-Fetch-Dest: document', 'Sec-Fetch-Dest: iframe', 'Sec-Fetch-Mode: navigate', 'sec-fetch-mode: Navigate'])(
    'is refused where a browser would show it (%s)',
    async (line) => {
      const refusal = { status: 400, code: 'token_request_malformed' }
      await checkAttack(arena, inQuery({ method: 'GET', lines: ['Host: localhost:{port}', line], body: '' }), refusal)
      await checkAttack(arena, formatRequest(arena, { lines: [...formLines(), line], body: form() }), refusal)
    },
  )

  it('reaches programs in a browser, which read it themselves', async () => {
    const lines = [...json, 'Sec-Fetch-Mode: cors', 'Sec-Fetch-Dest: empty']
    const headers = [
      ['sec-fetch-mode', 'cors'],
      ['sec-fetch-dest', 'empty'],
    ] as const
    await checkAttack(arena, inQuery({ lines }), { status: 200, upstream: { body, headers } })
  })
})

// What a person sees who opens an address of the proxy in a browser, and that clients see no difference.
import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startTestProxy, type TestProxy } from './support/proxy.ts'
import { type RecordingUpstream, startRecordingUpstream } from './support/recording-upstream.ts'

const BROWSER = {
  accept: 'text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8',
  'sec-fetch-mode': 'navigate',
  'sec-fetch-dest': 'document',
}

let upstream: RecordingUpstream
let proxy: TestProxy
beforeAll(async () => {
  upstream = await startRecordingUpstream()
  proxy = await startTestProxy({
    issuers: ['https://idp.example.com'],
    servers: [{ path: '/mcp', upstream: `${upstream.origin}/mcp`, scopes: ['a'] }],
  })
})
afterAll(() => Promise.all([proxy.close(), upstream.close()]))

/** Not `fetch`, which has a `Sec-Fetch-Mode` of its own. */
async function get(path: string, headers: Record<string, string>, method = 'GET') {
  const [answer] = (await once(request(`${proxy.origin}${path}`, { method, headers, agent: false }).end(), 'response')) as [
    IncomingMessage,
  ]
  return { status: answer.statusCode, headers: answer.headers, body: await text(answer) }
}

describe('a browser', () => {
  it('sees what an MCP server is and how to connect, with the status and challenge that clients get', async () => {
    const [page, plain] = await Promise.all([get('/mcp', BROWSER), get('/mcp', { accept: 'text/event-stream' })])
    expect(page.status).toBe(401)
    expect(page.headers['www-authenticate']).toBe(plain.headers['www-authenticate'])
    expect(page.headers['content-type']).toBe('text/html; charset=utf-8')
    const html = page.body
    expect(html).toContain(`<code>${proxy.origin}/mcp</code>`)
    expect(upstream.requests).toHaveLength(0)
  })

  it('sees a page at the root, which names no server', async () => {
    const page = await get('/', BROWSER)
    expect(page.status).toBe(404)
    expect(page.body).toMatch(/<h1>An MCP server is here<\/h1>(?!.*\/mcp)/s)
  })

  it('sees nothing that runs, leads elsewhere or can be framed', async () => {
    const page = await get('/mcp', BROWSER)
    const html = page.body
    const policy = page.headers['content-security-policy']
    expect(policy).toMatch(
      /^default-src 'none'; style-src 'sha256-[\w+/=]+'; img-src data:; form-action 'none'; base-uri 'none'; frame-ancestors 'none'$/,
    )
    expect(page.headers['cache-control']).toBe('no-store')
    expect(page.headers['x-content-type-options']).toBe('nosniff')
    expect(html).toContain('<link rel="icon" href="data:image/svg+xml;base64,')
    expect(html).not.toMatch(/<script|<a |<img|<form|\son\w+=/i)
  })

  it('sees nothing of what the request says', async () => {
    const page = await get('/mcp?q=%3Cscript%3Ealert(1)%3C/script%3E', { ...BROWSER, referer: 'https://evil.example/' })
    const html = page.body
    expect(page.status).toBe(401)
    expect(html).not.toMatch(/alert|script|evil/)
  })
})

describe('JSON as ever', () => {
  it.each<[string, string, Record<string, string>, string?]>([
    ['a client', '/mcp', { accept: 'application/json, text/event-stream' }],
    ['a client that takes HTML as well', '/mcp', { accept: 'text/html, application/json' }],
    ['a client that takes anything', '/mcp', { accept: '*/*' }],
    ['a request of a page', '/mcp', { ...BROWSER, 'sec-fetch-mode': 'cors' }],
    ['a request with a token', '/mcp', { ...BROWSER, authorization: 'Bearer x' }],
    ['a message', '/mcp', BROWSER, 'POST'],
    ['another path', '/other', BROWSER],
  ])('for %s', async (_who, path, headers, method) => {
    const answer = await get(path, headers, method)
    expect(answer.status).toBe(path === '/other' ? 404 : 401)
    expect(answer.headers['content-type']).toBe('application/json')
    expect(JSON.parse(answer.body)).toHaveProperty('error')
  })

  it('has no body for HEAD', async () => {
    const answer = await get('/mcp', BROWSER, 'HEAD')
    expect({ status: answer.status, body: answer.body }).toEqual({ status: 401, body: '' })
  })
})

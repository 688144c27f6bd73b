import { afterEach, describe, expect, it } from 'vitest'
import { findSecrets } from './support/log.ts'
import { waitUntil } from './support/processes.ts'
import { startTestProxy, type TestProxy } from './support/proxy.ts'
import { sendRaw } from './support/raw-client.ts'
import { type Answer, answerJson, controlStream, startRecordingUpstream } from './support/recording-upstream.ts'
import { startIssuer } from './support/tokens.ts'

const open: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close()
})

const ADMIN_TOKEN = 'operators-only-'.repeat(3)
const TOOL_RULES = [{ tool: 'secret_*', scopes: ['never'] }]

async function start(answer: Answer = answerJson({ jsonrpc: '2.0', id: 1, result: {} }), more = {}) {
  const upstream = await startRecordingUpstream(answer)
  const issuer = await startIssuer()
  open.push(
    () => upstream.close(),
    () => issuer.close(),
  )
  const proxy = await startTestProxy(
    {
      issuers: [issuer.issuer],
      admin: { port: 0, token: { env: 'ADMIN_TOKEN' }, allowed_hosts: ['monitoring.internal'] },
      servers: [{ name: 'files', path: '/mcp', upstream: `${upstream.origin}/mcp`, rules: TOOL_RULES, ...more }],
    },
    { ADMIN_TOKEN },
  )
  open.push(() => proxy.close())
  const token = await issuer.mint({ claims: { aud: `${proxy.origin}/mcp`, sub: 'alice-the-subject' } })
  return { proxy, token, admin: proxy.adminUrl ?? '' }
}

async function callTool({ origin }: TestProxy, token: string, name: string): Promise<Response> {
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
  const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name } })
  const response = await fetch(`${origin}/mcp`, { method: 'POST', headers, body })
  await response.arrayBuffer()
  return response
}

async function read(admin: string, accept?: string): Promise<string> {
  return (await fetch(`${admin}/metrics`, accept === undefined ? {} : { headers: { accept } })).text()
}

/** Requests are counted when their connection has them behind it. */
async function readOnceThere(admin: string, line: string): Promise<string> {
  const isThere = async (): Promise<boolean> => (await read(admin)).split('\n').includes(line)
  await waitUntil(isThere, line).catch(() => undefined)
  const text = await read(admin)
  expect(text, text).toContain(`${line}\n`)
  return text
}

describe('/metrics of the admin listener', () => {
  it('counts requests by server, operation, decision and code', async () => {
    const { proxy, token, admin } = await start()
    await callTool(proxy, token, 'search')
    await callTool(proxy, token, 'search')
    await callTool(proxy, token, 'secret_one')
    await callTool(proxy, 'no-token', 'search')
    const counted = (operation: string, decision: string, code: string, count: number) =>
      `mcp_auth_proxy_requests_total{server="files",operation="${operation}",decision="${decision}",code="${code}"} ${count}`
    await readOnceThere(admin, counted('tools/call', 'permit', '', 2))
    await readOnceThere(admin, counted('tools/call', 'deny', 'scope_insufficient', 1))
    const text = await readOnceThere(admin, counted('', 'deny', 'token_invalid', 1))
    const lines = text.split('\n')
    expect(lines).toContain('mcp_auth_proxy_tool_calls_total{server="files",tool="search",decision="permit"} 2')
    expect(lines).toContain('mcp_auth_proxy_tool_calls_total{server="files",tool="other",decision="deny"} 1')
    expect(lines).toContain('mcp_auth_proxy_tokens_total{server="files",outcome="verified"} 1')
    expect(lines).toContain('mcp_auth_proxy_tokens_total{server="files",outcome="recalled"} 2')
    expect(lines).toContain('mcp_auth_proxy_tokens_total{server="files",outcome="token_invalid"} 1')
    expect(lines).toContain('mcp_auth_proxy_request_seconds_count{server="files",operation="tools/call"} 3')
    expect(lines).toContain('mcp_auth_proxy_upstream_seconds_count{server="files"} 2')
    expect(lines).toContain('mcp_auth_proxy_body_room_bytes{state="used"} 0')
    expect(lines).toContain('mcp_auth_proxy_body_room_waiting 0')
    expect(text).toMatch(/^mcp_auth_proxy_key_fetches_total\{issuer="http:\/\/127\.0\.0\.1:\d+",outcome="success"\} 1$/m)
    expect(text).toMatch(/^mcp_auth_proxy_keys_age_seconds\{issuer="[^"]+"\} \d+\.\d+$/m)
    expect(text).toMatch(/^mcp_auth_proxy_build_info\{version="\d[^"]*",node="24[^"]*"\} 1$/m)
  })

  it('counts requests that rules and access in shadow mode would have refused, and those alone', async () => {
    const rules = [{ tool: 'secret_*', deny: true as const, mode: 'shadow' as const }]
    const access = [{ everyone: true as const, tools: ['search', 'secret_*'] }]
    const { proxy, token, admin } = await start(undefined, { rules, access, access_mode: 'shadow' })
    for (const tool of ['search', 'secret_one', 'other', 'search']) expect((await callTool(proxy, token, tool)).status).toBe(200)
    const permitted = 'mcp_auth_proxy_requests_total{server="files",operation="tools/call",decision="permit",code=""} 4'
    const text = await readOnceThere(admin, permitted)
    expect(text).toContain('mcp_auth_proxy_would_deny_total{server="files"} 2\n')
  })

  it('names everything mcp_auth_proxy_, and no user and no secret', async () => {
    const { proxy, token, admin } = await start()
    await callTool(proxy, token, 'search')
    const text = await readOnceThere(admin, 'mcp_auth_proxy_tool_calls_total{server="files",tool="search",decision="permit"} 1')
    for (const line of text.trim().split('\n')) expect(line).toMatch(/^(?:# (?:HELP|TYPE) )?mcp_auth_proxy_[a-z_]+[ {]/)
    expect(findSecrets(text, [token, ADMIN_TOKEN, 'alice-the-subject'])).toEqual([])
  })

  it('counts questions about opaque tokens', async () => {
    const issuer = await startIssuer()
    open.push(() => issuer.close())
    const introspection = { client_id: 'proxy', client_secret: { env: 'ADMIN_TOKEN' } }
    const proxy = await startTestProxy(
      {
        issuers: [{ issuer: issuer.issuer, introspection }],
        admin: { port: 0 },
        servers: [{ path: '/mcp', upstream: 'http://127.0.0.1:1/mcp' }],
      },
      { ADMIN_TOKEN },
    )
    open.push(() => proxy.close())
    expect((await callTool(proxy, 'opaque', 'x')).status).toBe(401)
    await readOnceThere(proxy.adminUrl ?? '', `mcp_auth_proxy_introspections_total{issuer="${issuer.issuer}"} 1`)
  })

  it('writes OpenMetrics with the id of a request where that is asked for', async () => {
    const { proxy, token, admin } = await start()
    await callTool(proxy, token, 'search')
    await readOnceThere(admin, 'mcp_auth_proxy_upstream_seconds_count{server="files"} 1')
    const accept = 'application/openmetrics-text;version=1.0.0;q=0.6,text/plain;version=0.0.4;q=0.3,*/*;q=0.2'
    const response = await fetch(`${admin}/metrics`, { headers: { accept } })
    expect(response.headers.get('content-type')).toBe('application/openmetrics-text; version=1.0.0; charset=utf-8')
    const text = await response.text()
    expect(text).toMatch(/\n# EOF\n$/)
    expect(text).toContain('# TYPE mcp_auth_proxy_requests counter\n')
    const [, id] =
      /^mcp_auth_proxy_upstream_seconds_bucket\{server="files",le="[\d.]+"\} 1 # \{request_id="([^"]+)"\} [\d.e-]+$/m.exec(
        text,
      ) ?? []
    expect(proxy.log.text()).toContain(`"request_id":"${id}"`)
    expect(await read(admin)).not.toContain('request_id')
    expect(await read(admin, 'application/openmetrics-text;q=0')).not.toContain('# EOF')
  })

  it('has no more than 256 names of tools, and takes none of a call that was refused', async () => {
    const { proxy, token, admin } = await start()
    await callTool(proxy, token, 'secret_guess')
    for (let i = 0; i < 258; i++) await callTool(proxy, token, `tool_${i}`)
    await callTool(proxy, token, 'tool_0')
    const counted = (tool: string, count: number) =>
      `mcp_auth_proxy_tool_calls_total{server="files",tool="${tool}",decision="permit"} ${count}`
    await readOnceThere(admin, counted('other', 2))
    const text = await readOnceThere(admin, counted('tool_0', 2))
    expect(text.match(/^mcp_auth_proxy_tool_calls_total.*tool="tool_\d+"/gm)).toHaveLength(256)
    expect(text).not.toContain('secret_guess')
  })

  it('counts the streams that are open, and only those', async () => {
    const stream = controlStream()
    const { proxy, token, admin } = await start(stream.answer)
    const stop = new AbortController()
    const headers = { authorization: `Bearer ${token}`, accept: 'text/event-stream' }
    const opened = fetch(`${proxy.origin}/mcp`, { headers, signal: stop.signal })
    await stream.opened
    await stream.send('data: 1\n\n')
    await opened
    await readOnceThere(admin, 'mcp_auth_proxy_open_streams{server="files"} 1')
    stop.abort()
    await readOnceThere(admin, 'mcp_auth_proxy_open_streams{server="files"} 0')
  })

  it('counts what rules in shadow mode would have refused', async () => {
    const { proxy, token, admin } = await start(undefined, { rules: [{ tool: 'x', deny: true, mode: 'shadow' }] })
    expect((await callTool(proxy, token, 'x')).status).toBe(200)
    await readOnceThere(admin, 'mcp_auth_proxy_would_deny_total{server="files"} 1')
  })
})

describe('the admin listener', () => {
  const ask = async (admin: string, fields: string, line = 'GET /metrics') =>
    (await sendRaw(Number(new URL(admin).port), `${line} HTTP/1.1\r\n${fields}\r\n\r\n`)).status

  it('is known by addresses, localhost and what is configured, to no page and no other name', async () => {
    const { admin, proxy } = await start()
    for (const host of ['localhost', 'localhost:9090', '127.0.0.1:1', '[::1]:9090', '10.0.0.7', 'monitoring.internal:9090'])
      expect([host, await ask(admin, `Host: ${host}`)]).toEqual([host, 200])
    for (const host of ['evil.example', 'localhost.evil.example', '127.0.0.1.evil.example', 'x.localhost', '[::1].evil.example'])
      expect((await ask(admin, `Host: ${host}`)) >= 400, host).toBe(true)
    expect(await ask(admin, 'Host: evil.example')).toBe(403)
    for (const more of ['Origin: http://localhost', 'Origin: null', 'Sec-Fetch-Site: cross-site', 'Sec-Fetch-Site: same-site'])
      expect([more, await ask(admin, `Host: localhost\r\n${more}`)]).toEqual([more, 403])
    expect(await ask(admin, 'Host: localhost\r\nHost: evil.example')).toBe(400)
    expect(proxy.log.text()).toContain('"code":"host_denied"')
  })

  it('changes nothing, and asks those who want to for its token', async () => {
    const { admin } = await start()
    const post = (more: string) => ask(admin, `Host: localhost${more}`, 'POST /metrics')
    expect(await post('')).toBe(401)
    expect(await post('\r\nAuthorization: Bearer wrong')).toBe(401)
    expect(await post(`\r\nAuthorization: Bearer ${ADMIN_TOKEN}`)).toBe(405)
    expect(await ask(admin, 'Host: localhost', 'GET /mcp')).toBe(404)
  })

  it('is apart from the listener of clients', async () => {
    const { proxy } = await start()
    expect((await fetch(`${proxy.origin}/metrics`)).status).toBe(404)
    expect(proxy.adminUrl).not.toBe(proxy.url)
  })

  it('is not there unless it is configured', async () => {
    const issuer = await startIssuer()
    open.push(() => issuer.close())
    const proxy = await startTestProxy({
      issuers: [issuer.issuer],
      servers: [{ path: '/mcp', upstream: 'http://127.0.0.1:1/mcp' }],
    })
    open.push(() => proxy.close())
    expect(proxy.adminUrl).toBeUndefined()
  })
})

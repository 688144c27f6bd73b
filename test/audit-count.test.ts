import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { startMcpServer } from '../demo/mcp-server.ts'
import { scripted } from './support/gate.ts'
import { findSchemaMistakes } from './support/json-schema.ts'
import { startStage } from './support/stage.ts'

const CALL = { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'echo', arguments: { text: 'hi' } } }
const ACCEPT = 'application/json, text/event-stream'
const schema = JSON.parse(readFileSync(new URL('../docs/audit.schema.json', import.meta.url), 'utf8')) as object

it('has exactly one record for each request to an MCP server, whatever becomes of it', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'count-'))
  const file = join(folder, 'audit.jsonl')
  const mcpServer = await startMcpServer()
  const audience = ['https://mcp.example.com/mcp']
  const stage = await startStage({
    config: { audit: { file }, limits: { body_bytes: 4096 } },
    servers: ({ upstream }) => [
      { name: 'mcp', path: '/mcp', upstream: `${upstream}/up`, audience, rules: [{ tool: 'drop_db', deny: true }] },
      { name: 'dead', path: '/dead', upstream: 'http://127.0.0.1:1/mcp', audience },
      { name: 'real', path: '/real', upstream: mcpServer.streamableHttpUrl, audience },
      { name: 'old', sse: { path: '/old/sse', upstream: mcpServer.sseUrl }, audience },
      { name: 'local', path: '/local', upstream: { command: [...scripted] }, audience },
    ],
  })
  let sent = 0
  const send = async (path: string, body: unknown, more: RequestInit & { token?: string } = {}): Promise<Response> => {
    sent += 1
    const { token = stage.token, headers, ...init } = more
    return fetch(`${stage.proxy.origin}${path}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', accept: ACCEPT, ...headers },
      ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      ...init,
    })
  }
  const read = async (path: string, body: unknown, more: RequestInit & { token?: string } = {}): Promise<number> => {
    const response = await send(path, body, more)
    await response.arrayBuffer()
    return response.status
  }
  /** Opens a stream, and leaves it as soon as it has begun. */
  const leave = async (path: string, body: unknown, more: RequestInit = {}): Promise<void> => {
    const controller = new AbortController()
    const response = await send(path, body, { ...more, signal: controller.signal })
    expect(response.status).toBe(200)
    controller.abort()
    await response.arrayBuffer().catch(() => undefined)
  }
  const initialize = {
    jsonrpc: '2.0',
    id: 1,
    method: 'initialize',
    params: { protocolVersion: '2025-03-26', capabilities: {}, clientInfo: { name: 'raw', version: '1' } },
  }

  const statuses: Record<string, number> = {
    permitted: await read('/mcp', CALL),
    batch: await read('/mcp', [CALL, { ...CALL, id: 2 }], { headers: { 'mcp-protocol-version': '2025-03-26' } }),
    'refused batch': await read('/mcp', [CALL, { ...CALL, id: 2, params: { name: 'drop_db' } }]),
    notification: await read('/mcp', { jsonrpc: '2.0', method: 'notifications/initialized' }),
    'wrong token': await read('/mcp', CALL, { token: 'not-a-token' }),
    'other origin': await read('/mcp', CALL, { headers: { origin: 'https://evil.example' } }),
    preflight: await read('/mcp', undefined, { method: 'OPTIONS', headers: { origin: 'https://claude.ai' } }),
    'wrong method': await read('/mcp', undefined, { method: 'PUT' }),
    'no JSON': await read('/mcp', '{'),
    'ambiguous JSON': await read('/mcp', '{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}'),
    'no message': await read('/mcp', '[]'),
    'too long': await read('/mcp', { ...CALL, params: { name: 'x'.repeat(5000) } }),
    denied: await read('/mcp', { ...CALL, params: { name: 'drop_db' } }),
    'headers that disagree': await read('/mcp', CALL, {
      headers: { 'mcp-protocol-version': '2026-07-28', 'mcp-method': 'tools/list' },
    }),
    'foreign session': await read('/mcp', CALL, { headers: { 'mcp-session-id': 'of-someone-else' } }),
    'server that is gone': await read('/dead', CALL),
    'no session yet': await read('/real', initialize),
    stdio: await read('/local', initialize),
  }
  expect(statuses).toMatchObject({
    ...{ permitted: 200, 'refused batch': 403, 'wrong token': 401, 'other origin': 403, 'no JSON': 400, denied: 403 },
    ...{ 'wrong method': 405, 'too long': 413, 'foreign session': 404, 'server that is gone': 502, stdio: 200 },
  })
  await leave('/old/sse', undefined, { method: 'GET' })
  stage.answerWith((_request, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' }).write(': open\n\n')
  })
  await leave('/mcp', CALL)
  // Still open when the process is told to stop.
  const held = await send('/mcp', CALL)
  const reading = held.text().catch(() => '')
  // No requests to an MCP server.
  for (const path of ['/healthz', '/readyz', '/nowhere', '/.well-known/oauth-protected-resource/mcp'])
    await fetch(`${stage.proxy.origin}${path}`)

  await stage.close()
  await reading
  await mcpServer.close()
  const lines = readFileSync(file, 'utf8').trimEnd().split('\n')
  const records = lines.map((line) => JSON.parse(line) as Record<string, unknown>)
  for (const record of records) expect(findSchemaMistakes(schema, record), JSON.stringify(record)).toEqual([])
  const requests = records.filter(({ type }) => type === 'request')
  expect(requests.map(({ path, outcome, status }) => ({ path, outcome, status }))).toHaveLength(sent)
  expect(new Set(requests.map(({ request_id: id }) => id)).size).toBe(sent)
  rmSync(folder, { recursive: true })
})

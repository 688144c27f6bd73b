import { afterEach, describe, expect, it } from 'vitest'
import { type Arena, type ArenaOptions, startArena } from './support/attack.ts'

const open: Arena[] = []
afterEach(async () => {
  for (const arena of open.splice(0)) await arena.close()
})

async function start(options: ArenaOptions = {}): Promise<Arena> {
  const arena = await startArena(options)
  open.push(arena)
  return arena
}

interface Sent {
  readonly path?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: unknown
}

/** Sends a request and returns its answer with its line of the log. */
async function send({ proxy, token }: Arena, { path = '/mcp', headers = {}, body }: Sent) {
  const known = new Set(proxy.log.records().map(({ request_id: id }) => id))
  const response = await fetch(`${proxy.origin}${path}`, {
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', ...headers },
    ...(body !== undefined && { method: 'POST', body: JSON.stringify(body) }),
    redirect: 'manual',
  })
  const text = await response.text()
  const line = await proxy.log.waitFor(({ request_id: id }) => id !== undefined && !known.has(id))
  return { response, text, line }
}

const ping = { jsonrpc: '2.0', id: 1, method: 'ping' }

describe('the client’s address in the log', () => {
  const forwarded = { 'x-forwarded-for': '198.51.100.1, 203.0.113.7' }

  it('is the one that a trusted proxy reports, beside the address of the connection, for calls, refusals and endpoints of ours', async () => {
    const arena = await start({ config: { trusted_proxies: ['127.0.0.0/8'] } })
    const called = await send(arena, { headers: forwarded, body: ping })
    expect(called.line).toMatchObject({ status: 200, peer: '203.0.113.7', connection: '127.0.0.1' })
    const refused = await send(arena, { headers: { ...forwarded, authorization: 'Bearer none' }, body: ping })
    expect(refused.line).toMatchObject({ code: 'token_invalid', peer: '203.0.113.7', connection: '127.0.0.1' })
    const standard = { forwarded: 'for="[2001:db8::7]:443"' }
    const metadata = await send(arena, { path: '/.well-known/oauth-protected-resource/mcp', headers: standard })
    expect(metadata.line).toMatchObject({ status: 200, peer: '2001:db8::7', connection: '127.0.0.1' })
  })

  it.each([
    [{}, forwarded],
    [{}, { forwarded: 'for=203.0.113.7' }],
    [{ trusted_proxies: ['192.0.2.0/24'] }, forwarded],
    [{ trusted_proxies: ['127.0.0.0/8'] }, { 'x-forwarded-for': '203.0.113.7', forwarded: 'for=203.0.113.8' }],
  ])('is the connection’s where %j does not vouch for %j', async (config, headers) => {
    const { line } = await send(await start({ config }), { headers, body: ping })
    expect(line.peer).toBe('127.0.0.1')
    expect(line).not.toHaveProperty('connection')
  })
})

describe('the id of a request', () => {
  it.each([
    ['a call', { body: ping }, 200],
    ['a call without a good token', { headers: { authorization: 'Bearer none' }, body: ping }, 401],
    ['a call that is refused', { body: { ...ping, method: 'tools/call', params: { name: 'drop_db' } } }, 403],
    ['metadata', { path: '/.well-known/oauth-protected-resource/mcp' }, 200],
    ['a health check', { path: '/healthz' }, 200],
    ['an unknown path', { path: '/nowhere' }, 404],
  ])('is in the answer’s X-Request-Id as in the log: %s', async (_name, request, status) => {
    const { response, line } = await send(await start(), request)
    expect(response.status).toBe(status)
    expect(response.headers.get('x-request-id')).toBe(line.request_id)
  })

  it('is in the JSON of a refusal', async () => {
    const { text, line } = await send(await start(), { headers: { authorization: 'Bearer none' }, body: ping })
    expect(JSON.parse(text).error.data).toEqual({ error: 'token_invalid', request_id: line.request_id })
  })

  it('is in the answer to a call of something hidden, as in every other', async () => {
    const arena = await start({ server: { rules: [{ tool: 'drop_db', scopes: ['db:admin'], on_deny: 'hide' }] } })
    const { response, line } = await send(arena, { body: { ...ping, method: 'tools/call', params: { name: 'drop_db' } } })
    expect(line.code).toBe('target_hidden')
    expect(response.headers.get('x-request-id')).toBe(line.request_id)
  })

  it('is in the head of an event stream', async () => {
    const answer: ArenaOptions['answer'] = (_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' }).end('data: {}\n\n')
    }
    const { response, line } = await send(await start({ answer }), { headers: { accept: 'text/event-stream' } })
    expect(response.headers.get('x-request-id')).toBe(line.request_id)
  })

  it('is never the one that a client or an MCP server chooses', async () => {
    const answer: ArenaOptions['answer'] = (_request, response) => {
      response.writeHead(200, { 'content-type': 'application/json', 'x-request-id': 'of-the-server' }).end('{}')
    }
    const { response, line } = await send(await start({ answer }), { headers: { 'x-request-id': 'of-the-client' }, body: ping })
    expect(line.request_id).not.toMatch(/^of-the/)
    expect(response.headers.get('x-request-id')).toBe(line.request_id)
    expect(JSON.stringify(line)).not.toContain('of-the')
  })

  it('can be read by web pages of accepted origins', async () => {
    const arena = await start({ config: { cors: { allowed_origins: ['https://app.example'] } } })
    const { response } = await send(arena, { headers: { origin: 'https://app.example' }, body: ping })
    expect(response.headers.get('access-control-expose-headers')).toContain('X-Request-Id')
  })
})

describe('the revision in the log', () => {
  const initialize = (protocolVersion: unknown, id = 1) => ({ ...ping, id, method: 'initialize', params: { protocolVersion } })

  it.each([
    ['the one that initialize asks for, without a header', initialize('2025-11-25'), {}, '2025-11-25'],
    [
      'the one that initialize asks for, whatever the header',
      initialize('2025-06-18'),
      { 'mcp-protocol-version': '2025-11-25' },
      '2025-06-18',
    ],
    ['one that does not exist, cut to a bounded length', initialize('9'.repeat(1000)), {}, `${'9'.repeat(64)}…`],
    ['the one that applies, where initialize asks for none', initialize(7), {}, '2025-03-26'],
    ['the one of an initialize within a batch', [ping, initialize('2025-03-26', 2)], {}, '2025-03-26'],
    [
      'all that a batch asks for, each once',
      ['2024-11-05', '2025-11-25', '2024-11-05'].map(initialize),
      {},
      '2024-11-05, 2025-11-25',
    ],
    ['the header’s, where the body asks for none', ping, { 'mcp-protocol-version': '2025-06-18' }, '2025-06-18'],
    [
      'the one that a message of 2026-07-28 asks for, although its header is missing',
      { ...ping, params: { _meta: { 'io.modelcontextprotocol/protocolVersion': '2026-07-28' } } },
      {},
      '2026-07-28',
    ],
  ])('is %s', async (_name, body, headers, revision) => {
    expect((await send(await start(), { headers, body })).line.revision).toBe(revision)
  })
})

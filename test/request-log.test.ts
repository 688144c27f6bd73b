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

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  type Arena,
  type ArenaOptions,
  checkAttack,
  checkServes,
  formatCall,
  formatRequest,
  repeatId,
  startArena,
} from '../support/attack.ts'
import { openRawConnection, type RawResponse } from '../support/raw-client.ts'

/** Starts the arena before the tests of a block and ends it behind them. */
function useArena(options: ArenaOptions = {}): () => Arena {
  let arena: Arena | undefined
  beforeAll(async () => {
    arena = await startArena(options)
  })
  afterAll(() => arena?.close())
  return () => arena as Arena
}

const body = formatCall('echo', 1)
const withOrigin = (arena: Arena, origin: string) =>
  Buffer.from(formatRequest(arena, { body, more: [`Origin: ${origin}`] }), 'latin1')
const corsHeaders = (answer: RawResponse | undefined) =>
  answer?.headers.filter(([name]) => name.toLowerCase().startsWith('access-control-')).map(([name]) => name.toLowerCase())

const foreign = [
  'null',
  '*',
  'https://evil.example',
  'https://app.example.com.evil.example',
  'https://evil-app.example.com',
  'https://app.example.com@evil.example',
  'https://app.example.com:444',
  'https://app.example.com:443',
  'http://app.example.com',
  'https://APP.example.com',
  'https://app.example.com/',
  'https://app.example.com/path',
  'https://app.example.com?x',
  'https://app.example.com evil',
  'https://app.example.com, https://evil.example',
  ' https://app.example.com\u00a0',
  'https://app.example.com.',
  'https://sub.app.example.com',
  'https://appxexample.com',
  'app.example.com',
  '//app.example.com',
  'chrome-extension://abcdefghijklmnop',
  'file://',
  'javascript:alert(1)',
  'https://xn--pp-yla.example.com',
  'https://\u00e4pp.example.com',
  '__proto__',
]

describe('a page that may not call', () => {
  const arena = useArena({
    config: { public_url: 'https://mcp.example.org', cors: { allowed_origins: ['https://app.example.com'] } },
  })

  it.each(foreign)('%s gets nothing (403) with a good token, and may not read why', async (origin) => {
    const answer = await checkAttack(arena(), withOrigin(arena(), origin), { status: 403, code: 'origin_denied' })
    expect(corsHeaders(answer)).toEqual([])
  })

  it.each(foreign.slice(0, 6))('%s gets no preflight either', async (origin) => {
    const bytes = formatRequest(arena(), {
      method: 'OPTIONS',
      lines: ['Host: localhost:{port}', `Origin: ${origin}`, 'Access-Control-Request-Method: POST'],
    })
    const answer = await checkAttack(arena(), bytes, { status: 403, code: 'origin_denied' })
    expect(corsHeaders(answer)).toEqual([])
  })

  it('an empty Origin is none that is allowed', async () => {
    await checkAttack(arena(), formatRequest(arena(), { body, more: ['Origin:'] }), { status: 403, code: 'origin_denied' })
  })

  it('is refused before its token is looked at', async () => {
    const lines = ['Host: localhost:{port}', 'Authorization: Bearer x', 'Origin: https://evil.example']
    await checkAttack(arena(), formatRequest(arena(), { method: 'GET', lines }), { status: 403, code: 'origin_denied' })
  })

  it.each(['http://localhost:6274', 'http://127.0.0.1', 'http://[::1]:8080'])(
    '%s, a page of the machine, where we serve the public',
    async (origin) => {
      await checkAttack(arena(), withOrigin(arena(), origin), { status: 403, code: 'origin_denied' })
    },
  )

  it('Sec-Fetch-Site, Referer and X-Forwarded-Host stand for no Origin', async () => {
    const more = [
      'Origin: https://evil.example',
      'Sec-Fetch-Site: same-origin',
      'Referer: https://app.example.com/',
      'X-Forwarded-Host: evil.example',
    ]
    await checkAttack(arena(), formatRequest(arena(), { body, more }), { status: 403, code: 'origin_denied' })
  })
})

describe('a page that may call', () => {
  const arena = useArena({ config: { cors: { allowed_origins: ['https://app.example.com'], allow_credentials: true } } })

  it.each(['https://app.example.com', 'https://claude.ai', 'http://localhost:6274', 'http://127.0.0.1:1', 'http://[::1]:65535'])(
    '%s reads the answer, alone',
    async (origin) => {
      const answer = await checkAttack(arena(), withOrigin(arena(), origin), { status: 200, upstream: { body } })
      expect(answer?.header('access-control-allow-origin')).toBe(origin)
      expect(answer?.header('vary')).toBe('Origin')
      expect(answer?.header('access-control-expose-headers')).toContain('Mcp-Session-Id')
    },
  )

  it.each([
    'http://localhost.evil.example',
    'http://localhost:6274.evil.example',
    'http://localhost:',
    'http://localhost:123456',
    'http://127.0.0.1.evil.example',
    'http://127.0.0.2',
    'http://[::2]',
    'http://LOCALHOST',
    'http://localhost@evil.example',
    'ftp://localhost',
  ])('%s is no page of this machine (403)', async (origin) => {
    await checkAttack(arena(), withOrigin(arena(), origin), { status: 403, code: 'origin_denied' })
  })

  it.each([
    ['without a token', ['Host: localhost:{port}'], 401],
    ['with a bad token', ['Host: localhost:{port}', 'Authorization: Bearer x'], 401],
  ] as const)('may read the challenge %s', async (_name, lines, status) => {
    const connection = await openRawConnection(arena().proxy.port)
    connection.write(formatRequest(arena(), { method: 'GET', lines: [...lines, 'Origin: https://app.example.com'] }))
    const answer = await connection.readResponse()
    connection.destroy()
    expect(answer.status).toBe(status)
    expect(answer.header('access-control-allow-origin')).toBe('https://app.example.com')
    expect(answer.header('access-control-expose-headers')).toContain('WWW-Authenticate')
    await checkServes(arena())
  })

  it('asks in a preflight for what MCP needs and no more', async () => {
    const asked = 'authorization, mcp-param-region, mcp-param-user_id, x-evil, cookie, mcp-param-\u00e4, *, x-forwarded-user'
    const bytes = formatRequest(arena(), {
      method: 'OPTIONS',
      lines: [
        'Host: localhost:{port}',
        'Origin: https://app.example.com',
        'Access-Control-Request-Method: PUT',
        `Access-Control-Request-Headers: ${asked}`,
        'Access-Control-Request-Private-Network: true',
      ],
    })
    const answer = await checkAttack(arena(), Buffer.from(bytes, 'latin1'), { status: 204 })
    const headers = answer?.header('access-control-allow-headers')?.split(', ')
    expect(headers).toEqual(expect.arrayContaining(['authorization', 'mcp-param-region', 'mcp-param-user_id']))
    for (const name of ['x-evil', 'cookie', '*', 'x-forwarded-user', 'mcp-param-\u00e4']) expect(headers).not.toContain(name)
    expect(answer?.header('access-control-allow-methods')).toBe('GET, POST, DELETE, HEAD, OPTIONS')
    expect(answer?.header('access-control-allow-private-network')).toBeUndefined()
    expect(answer?.header('vary')).toContain('Origin')
  })

  it('a preflight with ten thousand header names is answered shortly', async () => {
    const asked = Array.from({ length: 1500 }, (_, index) => `x-h${index}`).join(',')
    const bytes = formatRequest(arena(), {
      method: 'OPTIONS',
      lines: ['Host: localhost:{port}', 'Origin: https://app.example.com', `Access-Control-Request-Headers: ${asked}`],
    })
    const answer = await checkAttack(arena(), bytes, { status: 204 })
    expect(answer?.header('access-control-allow-headers')?.length).toBeLessThan(500)
  })

  it('a preflight with an Authorization of rubbish is still one', async () => {
    const lines = ['Host: localhost:{port}', 'Origin: https://app.example.com', 'Authorization: Bearer a b', 'Authorization: x']
    await checkAttack(arena(), formatRequest(arena(), { method: 'OPTIONS', lines }), { status: 204 })
  })
})

describe('what the upstream says about origins', () => {
  const arena = useArena({
    answer: async (request, response) => {
      response.setHeader('Access-Control-Allow-Origin', '*')
      response.setHeader('Access-Control-Allow-Credentials', 'true')
      response.setHeader('Access-Control-Expose-Headers', 'X-Secret')
      response.setHeader('Vary', 'Accept-Encoding')
      await repeatId(request, response)
    },
  })

  it('is not passed on, and what it varies by is kept', async () => {
    const page = await checkAttack(arena(), withOrigin(arena(), 'http://localhost:1'), { status: 200, upstream: { body } })
    expect(page?.header('access-control-allow-origin')).toBe('http://localhost:1')
    expect(page?.header('access-control-allow-credentials')).toBeUndefined()
    expect(page?.header('access-control-expose-headers')).not.toContain('X-Secret')
    expect(page?.header('vary')).toBe('Accept-Encoding, Origin')
  })

  it('nor to programs', async () => {
    const answer = await checkAttack(arena(), formatRequest(arena(), { body }), { status: 200, upstream: { body } })
    expect(corsHeaders(answer)).toEqual([])
    expect(answer?.header('vary')).toBe('Accept-Encoding')
  })
})

describe('where any page may call', () => {
  const arena = useArena({ config: { cors: { allowed_origins: ['*'] } } })

  it.each(['https://evil.example', 'null', 'https://\u00e4.example'])('%s may, never with credentials', async (origin) => {
    const answer = await checkAttack(arena(), withOrigin(arena(), origin), { status: 200, upstream: { body } })
    expect(answer?.header('access-control-allow-credentials')).toBeUndefined()
    expect(answer?.header('access-control-allow-origin')).toBe(origin)
  })
})

describe('metadata and health', () => {
  const arena = useArena()

  it.each(['GET', 'HEAD', 'OPTIONS'])('%s of the metadata is for every page, without credentials', async (method) => {
    const bytes = formatRequest(arena(), {
      method,
      target: '/.well-known/oauth-protected-resource/mcp',
      lines: ['Host: localhost:{port}', 'Origin: https://evil.example', 'Access-Control-Request-Method: GET'],
    })
    const answer = await checkAttack(arena(), bytes, { status: method === 'OPTIONS' ? 204 : 200 })
    expect(answer?.header('access-control-allow-origin')).toBe('*')
    expect(answer?.header('access-control-allow-credentials')).toBeUndefined()
    expect(answer?.header('x-content-type-options')).toBe('nosniff')
  })

  it.each(['/healthz', '/readyz'])('%s is for no page', async (target) => {
    const bytes = formatRequest(arena(), {
      method: 'GET',
      target,
      lines: ['Host: localhost:{port}', 'Origin: https://evil.example'],
    })
    expect(corsHeaders(await checkAttack(arena(), bytes, { status: 200 }))).toEqual([])
  })
})

it('listens on loopback alone unless told otherwise', async () => {
  const arena = await startArena()
  expect(arena.proxy.url).toMatch(/^http:\/\/127\.0\.0\.1:/)
  await arena.close()
})

import { describe, expect, it } from 'vitest'
import { loadConfigValue } from '../load.ts'
import { ConfigError } from '../problem/problem.ts'

const issuers = ['https://idp.example.com']
const loadServer = (server: object, more: object = {}) =>
  loadConfigValue({ issuers, servers: [server], ...more }, { env: {}, directory: '/etc/proxy', terminal: false })
const load = (upstream: unknown, more?: object) => loadServer({ path: '/mcp', upstream }, more)
const problems = (upstream: unknown) => {
  try {
    load(upstream)
    return []
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    return error.problems
  }
}
const url = 'http://localhost/mcp'

describe('an MCP server on a Unix socket', () => {
  it('has a socket beside its URL, absolute or relative to the directory of the file', () => {
    const find = (socket: string) => load({ url, socket }).plan.servers[0]?.endpoints[0]?.upstream
    expect(find('/run/mcp.sock')).toMatchObject({ url, socket: '/run/mcp.sock' })
    expect(find('run/mcp.sock')).toMatchObject({ url, socket: '/etc/proxy/run/mcp.sock' })
    expect(find('../mcp')).toMatchObject({ url, socket: '/etc/mcp' })
  })

  it('may serve HTTP+SSE, too', () => {
    const sse = { upstream: { url: 'http://localhost/sse', socket: 'mcp.sock' } }
    const { endpoints } = loadServer({ sse }).plan.servers[0] ?? { endpoints: [] }
    expect(endpoints.map(({ upstream }) => upstream)).toMatchObject(Array(2).fill({ socket: '/etc/proxy/mcp.sock' }))
  })

  it('may have the URL at which the proxy listens, and a host of another machine, without a notice', () => {
    const notices = load({ url: 'http://mcp.internal.example.com/mcp', socket: '/run/mcp.sock' }).notices
    expect(notices).toEqual(load(url).notices)
    expect(() => load({ url: 'http://localhost:8080/mcp' })).toThrow(ConfigError)
    expect(() => load({ url: 'http://localhost:8080/mcp', socket: '/run/mcp.sock' })).not.toThrow()
  })

  it.each([
    'unix:/run/mcp.sock',
    'unix:///run/mcp.sock',
    'UNIX:/run/mcp.sock',
    'http+unix://%2Frun%2Fmcp.sock/mcp',
    'https+unix://%2Frun%2Fmcp.sock/mcp',
    'http://unix:/run/mcp.sock:/mcp',
    '/run/mcp.sock',
  ])('is told where its socket belongs: %s', (text) => {
    for (const upstream of [text, { url: text }]) {
      expect(problems(upstream)).toMatchObject([
        {
          path: 'servers[0].upstream.url',
          reason: expect.stringContaining('Unix socket'),
          fix: expect.stringContaining('socket: /run/mcp.sock'),
        },
      ])
    }
  })

  it('takes a host named unix for a host', () => {
    expect(problems('http://unix:8000/mcp')).toEqual([])
    expect(problems('http://unix/mcp')).toEqual([])
  })

  it.each<[string, object, string, string]>([
    ['no URL', { socket: '/run/mcp.sock' }, 'url', 'is missing'],
    ['a command', { command: 'mcp-server', socket: '/run/mcp.sock' }, 'socket', 'means something beside `url` only'],
    ['a URL for a socket', { url, socket: 'unix:///run/mcp.sock' }, 'socket', 'is a URL'],
    ['a URL of http for a socket', { url, socket: 'http://localhost' }, 'socket', 'is a URL'],
    ['nothing', { url, socket: '' }, 'socket', 'is not the path of a socket'],
    ['a directory', { url, socket: '/run/' }, 'socket', 'is not the path of a socket'],
    ['a character that ends paths', { url, socket: '/run/mcp\0.sock' }, 'socket', 'is not the path of a socket'],
    ['what a terminal obeys', { url, socket: '/run/\u001b[31m' }, 'socket', 'is not the path of a socket'],
    ['a path that systems cut off', { url, socket: `/run/${'é'.repeat(52)}` }, 'socket', 'is longer than the '],
    ['a relative one', { url, socket: 'm'.repeat(100) }, 'socket', 'is longer than the '],
  ])('is a mistake with its place and fix: %s', (_what, upstream, key, reason) => {
    expect(problems(upstream)).toMatchObject([
      { path: `servers[0].upstream.${key}`, reason: expect.stringContaining(reason), fix: expect.stringMatching(/\w/) },
    ])
  })
})

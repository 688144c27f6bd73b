import { describe, expect, it } from 'vitest'
import { loadConfigValue } from '../load.ts'
import { ConfigError } from '../problem/problem.ts'

const base = { issuers: ['https://idp.example.com'] }
const load = (server: object, env: Record<string, string> = {}) =>
  loadConfigValue({ ...base, servers: [server] }, { env, directory: '/etc/proxy', terminal: false }).plan.servers[0]!
const mistakes = (server: object, env: Record<string, string> = {}) => {
  try {
    load(server, env)
    return []
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    return error.problems.map(({ path, reason }) => `${path}: ${reason}`)
  }
}

describe('an MCP server that the proxy starts', () => {
  it('needs a command and nothing else', () => {
    expect(load({ path: '/files', upstream: { command: ['npx', '-y', 'server'] } }).endpoints).toMatchObject([
      {
        kind: 'streamable_http',
        path: '/files',
        resource: 'http://localhost:8080/files',
        upstream: {
          kind: 'stdio',
          command: ['npx', '-y', 'server'],
          workDir: undefined,
          env: {},
          secrets: [],
          processPer: 'session',
          maxProcesses: 50,
          idleSeconds: 1800,
          startSeconds: 60,
          maxMessageBytes: 16_777_216,
        },
      },
    ])
  })

  it('serves HTTP+SSE from the same process where that is asked for', () => {
    const { endpoints } = load({ path: '/mcp', upstream: { command: 'server' }, sse: {} })
    expect(endpoints.map(({ kind, path }) => [kind, path])).toEqual([
      ['streamable_http', '/mcp'],
      ['sse', '/sse'],
      ['messages', '/messages'],
    ])
    expect(new Set(endpoints.map(({ upstream }) => upstream)).size).toBe(1)
    expect(load({ sse: { upstream: { command: 'server' } } }).endpoints).toHaveLength(2)
  })

  it('takes words, arguments, a directory and an environment', () => {
    const upstream = {
      command: 'node "my server.js" -v',
      args: ['--root', '/a b'],
      work_dir: 'servers',
      env: { PLAIN: 'x', PORT: 80, ON: true, TOKEN: { env: 'SECRET_TOKEN' } },
      process_per: 'shared',
      max_processes: 3,
      idle_seconds: 60,
    }
    expect(load({ path: '/mcp', upstream }, { SECRET_TOKEN: 'hunter2' }).endpoints[0]?.upstream).toMatchObject({
      command: ['node', 'my server.js', '-v', '--root', '/a b'],
      workDir: '/etc/proxy/servers',
      env: { PLAIN: 'x', PORT: '80', ON: 'true', TOKEN: 'hunter2' },
      secrets: ['hunter2'],
      processPer: 'shared',
      maxProcesses: 3,
      idleSeconds: 60,
    })
  })

  it('takes its environment as a list, too', () => {
    const upstream = { command: ['server'], env: ['A=1', 'B=x=y', 'PASSED_ON'] }
    expect(load({ path: '/mcp', upstream }, { PASSED_ON: 'secret' }).endpoints[0]?.upstream).toMatchObject({
      env: { A: '1', B: 'x=y', PASSED_ON: 'secret' },
      secrets: ['secret'],
    })
  })

  it.each([
    [{ path: '/mcp', upstream: {} }, [/upstream\.url: is missing/]],
    [
      { path: '/mcp', upstream: { command: ['a'], url: 'http://localhost:8000/mcp' } },
      [/upstream\.command: cannot be combined with/],
    ],
    [{ path: '/mcp', upstream: { url: 'http://localhost:8000/mcp', args: ['x'] } }, [/upstream\.args: .*`command` only/]],
    [{ path: '/mcp', upstream: { command: ['a'], headers: { 'X-A': 'b' } } }, [/upstream\.headers: .*`url` only/]],
    [{ path: '/mcp', upstream: { command: [] } }, [/upstream\.command/]],
    [{ path: '/mcp', upstream: { command: 'a | b' } }, [/upstream\.command: needs a shell \(a pipe\)/]],
    [{ path: '/mcp', upstream: { command: ['a\0b'] } }, [/upstream\.command\[0\]: .*U\+0000/]],
    [{ path: '/mcp', upstream: { command: ['a'], env: ['A=1', { B: 'x' }, null, [Object.create(null)]] } }, Array(6).fill(/env/)],
    [{ path: '/mcp', upstream: { command: ['a'], env: { 'A-B': 'x' } } }, [/upstream\.env.*not the name/]],
    [{ path: '/mcp', upstream: { command: ['a'], env: { A: { env: 'NOT_SET' } } } }, [/NOT_SET.*not set/]],
    [{ path: '/mcp', upstream: { command: ['a'], process_per: 'user' } }, [/process_per/]],
    [{ path: '/mcp', upstream: { command: ['a'], max_processes: 0 } }, [/max_processes: .*at least 1/]],
    [
      { path: '/mcp', upstream: { command: ['a'] }, sse: { upstream: 'http://localhost:8000/sse' } },
      [/sse\.upstream: is combined with/],
    ],
    [{ path: '/mcp', upstream: 'http://localhost:8000/mcp', sse: {} }, [/sse\.upstream: is missing/]],
  ])('is refused with its mistakes: %j', (server, expected) => {
    const found = mistakes(server)
    expect(found).toHaveLength(expected.length)
    for (const [index, pattern] of expected.entries()) expect(found[index]).toMatch(pattern)
  })
})

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ConfigError } from '../config/problem/problem.ts'
import { parseArguments } from './arguments.ts'
import { chooseSource } from './source.ts'
import { UsageError } from './usage-error.ts'

const before = process.cwd()
const directory = mkdtempSync(join(tmpdir(), 'source-'))
const file = 'issuers: [https://idp.example.com]\nservers: [{ path: /from-file, upstream: "http://localhost:8000/mcp" }]\n'
beforeAll(() => writeFileSync(join(directory, 'other.yaml'), file))
afterAll(() => {
  process.chdir(before)
  rmSync(directory, { recursive: true })
})

function choose(...argv: string[]) {
  return chooseSource(parseArguments(argv), { env: {}, directory, terminal: false })
}

function endpointsFrom(...argv: string[]) {
  const [server] = choose('--issuer', 'https://idp.example.com', ...argv).load().plan.servers
  return server?.endpoints.map(({ kind, path, upstream }) => [
    kind,
    path,
    upstream.kind === 'http' ? upstream.url : upstream.command,
  ])
}

describe('a configuration from flags', () => {
  it('takes the public path from the upstream', () => {
    expect(endpointsFrom('--upstream', 'http://localhost:8000/api/mcp')).toEqual([
      ['streamable_http', '/api/mcp', 'http://localhost:8000/api/mcp'],
    ])
    expect(endpointsFrom('--upstream', 'http://localhost:8000/mcp/')).toEqual([
      ['streamable_http', '/mcp', 'http://localhost:8000/mcp/'],
    ])
    expect(endpointsFrom('--upstream', 'http://localhost:8000')).toEqual([['streamable_http', '/mcp', 'http://localhost:8000']])
    expect(endpointsFrom('--upstream', 'http://localhost:8000/x', '--path', '/y')).toEqual([
      ['streamable_http', '/y', 'http://localhost:8000/x'],
    ])
  })

  it('takes an upstream that ends in /sse for HTTP+SSE, unless something else is said', () => {
    expect(endpointsFrom('--upstream', 'http://localhost:8000/a/sse')?.map(([kind, path]) => [kind, path])).toEqual([
      ['sse', '/a/sse'],
      ['messages', '/a/messages'],
    ])
    expect(endpointsFrom('--upstream', 'http://localhost:8000/sse', '--transport', 'streamable_http')).toHaveLength(1)
    expect(endpointsFrom('--upstream', 'http://localhost:8000', '--transport', 'sse')?.[0]?.[1]).toBe('/sse')
  })

  it('listens, accepts and asks as the flags say', () => {
    const argv = ['--upstream', 'http://localhost:8000/mcp', '--issuer', 'https://a.example', '--issuer', 'https://b.example']
    const flags = [
      '--port',
      '9000',
      '--host',
      '0.0.0.0',
      '--public-url',
      'https://mcp.example.com',
      '--audience',
      'x',
      '--scope',
      's',
      '--debug',
    ]
    const { plan } = choose(...argv, ...flags, '--log-format', 'pretty').load()
    expect(plan).toMatchObject({
      listen: { host: '0.0.0.0', port: 9000 },
      publicUrl: 'https://mcp.example.com',
      log: { level: 'debug', format: 'pretty' },
      servers: [{ audiences: ['https://mcp.example.com/mcp', 'x'], policy: { baseScopes: ['s'] } }],
    })
    expect(plan.servers[0]?.issuers.map(({ issuer }) => issuer)).toEqual(['https://a.example', 'https://b.example'])
  })

  it('has its mistakes told under the names of the flags', () => {
    const source = choose(
      '--upstream',
      'localhost:8000',
      '--issuer',
      'http://idp.example.com',
      '--public-url',
      'https://x/y',
      '--scope',
      'a b',
    )
    try {
      source.load()
      expect.unreachable()
    } catch (error) {
      const paths = error instanceof ConfigError ? error.problems.map(({ path }) => path) : []
      expect(paths.sort()).toEqual(['--issuer', '--public-url', '--scope', '--upstream'])
    }
  })

  it.each([
    [['--upstream', 'http://localhost:8000/mcp'], /--issuer/],
    [['--issuer', 'https://idp.example.com'], /--upstream/],
    [['--upstream', 'x', '--issuer', 'y', '--port', 'http'], /--port/],
    [['--upstream', 'x', '--issuer', 'y', '--transport', 'stdio'], /--transport/],
    [['--config', 'a.yaml', '--issuer', 'y'], /cannot be used with --config/],
    [['--log-format', 'xml'], /--log-format/],
    [[], /There is no config\.yaml here\. Name a file, have `init` write one, or give --upstream and --issuer\./],
    [['reload'], /There is no config\.yaml here\. Name the configuration of the running proxy with --config\. See/],
    [['users', 'list'], /the running proxy with --config/],
  ])('needs what it needs: %j', (argv, said) => {
    process.chdir(directory)
    expect(() => choose(...argv)).toThrow(UsageError)
    expect(() => choose(...argv)).toThrow(said)
  })
})

describe('a configuration from a file', () => {
  it('is config.yaml of the working directory, or the one that is named', () => {
    process.chdir(directory)
    expect(choose('--config', 'other.yaml').load().plan.servers[0]?.name).toBe('from-file')
    writeFileSync('config.yaml', file.replace('from-file', 'default'))
    expect(choose().load().plan.servers[0]?.name).toBe('default')
    expect(choose('--debug').load().plan.log.level).toBe('debug')
    rmSync('config.yaml')
  })

  it('may be overridden by flags', () => {
    process.chdir(directory)
    const flags = ['--port', '9000', '--host', '0.0.0.0', '--public-url', 'https://a.example', '--log-format', 'json']
    const { plan } = choose('--config', 'other.yaml', ...flags).load()
    expect(plan).toMatchObject({
      listen: { port: 9000, host: '0.0.0.0' },
      publicUrl: 'https://a.example',
      log: { format: 'json' },
    })
    expect(plan.servers[0]?.name).toBe('from-file')
  })

  it('is not needed where the environment names the MCP servers', () => {
    process.chdir(directory)
    const env = {
      OMAP_SERVERS: '[{ path: /mcp, upstream: "http://localhost:8000/mcp" }]',
      OMAP_ISSUERS: '[https://idp.example.com]',
    }
    const source = chooseSource(parseArguments([]), { env, directory, terminal: false })
    expect([source.name, source.load().plan.servers[0]?.name]).toEqual(['the environment', 'mcp'])
  })

  it('is not used beside flags that say everything, which is told', () => {
    process.chdir(directory)
    writeFileSync('config.yaml', file)
    expect(choose('--upstream', 'http://localhost:1/mcp', '--issuer', 'https://idp.example.com').ignoredFile).toBe('config.yaml')
    rmSync('config.yaml')
  })
})

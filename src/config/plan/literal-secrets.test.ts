import { describe, expect, it } from 'vitest'
import { loadConfigValue } from '../load.ts'

const smallest = { issuers: ['https://idp.example.com'] }
const go = { proxy_base_url: 'https://mcp.example.com', authorization_servers: ['https://idp.example.com'] }

function listNotices(value: unknown): string[] {
  const { notices } = loadConfigValue(value, { env: { KEY: 'k', TOKEN: 't' }, directory: '.', terminal: false })
  return notices.filter((notice) => notice.includes('copies and version history'))
}

const withUpstream = (upstream: unknown) => ({ ...smallest, servers: [{ path: '/mcp', upstream }] })
const jwt = `eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIn0.${'c'.repeat(20)}`

describe('a secret in the configuration is reported at the start, by its path only', () => {
  it.each<[string, unknown, string]>([
    [
      'a variable by its name',
      withUpstream({ command: 'x', env: { GITHUB_TOKEN: 's3cr3t' } }),
      'servers[0].upstream.env.GITHUB_TOKEN',
    ],
    ['a variable of a list', withUpstream({ command: 'x', env: ['API_KEY=s3cr3t'] }), 'servers[0].upstream.env.API_KEY'],
    ['a variable by its value', withUpstream({ command: 'x', env: { AUTH: 'Bearer s3cr3t-0' } }), 'servers[0].upstream.env.AUTH'],
    [
      'a URL with a password',
      withUpstream({ command: 'x', env: { DB: 'postgres://me:s3cr3t@db/x' } }),
      'servers[0].upstream.env.DB',
    ],
    ['an argument', withUpstream({ command: ['x', '--api-key=s3cr3t'] }), 'servers[0].upstream.command[1]'],
    ['an argument behind its name', withUpstream({ command: 'x --token s3cr3t' }), 'servers[0].upstream.command[2]'],
    ['a further argument', withUpstream({ command: 'x', args: ['--password', 's3cr3t'] }), 'servers[0].upstream.args[1]'],
    [
      'a header by its value',
      withUpstream({ url: 'http://localhost/', headers: { 'X-Up': `Bearer ${jwt}` } }),
      'servers[0].upstream.headers.X-Up',
    ],
    [
      'a key of GitHub',
      withUpstream({ url: 'http://localhost/', headers: { 'X-Up': `ghp_${'s3cr3t'.repeat(6)}` } }),
      'servers[0].upstream.headers.X-Up',
    ],
    ['a query', withUpstream('http://localhost/mcp?api_key=s3cr3t'), 'servers[0].upstream.url'],
    [
      'a query of HTTP+SSE',
      { ...smallest, servers: [{ sse: { upstream: 'http://localhost/sse?token=s3cr3t' } }] },
      'servers[0].sse.upstream.url',
    ],
    [
      'the Go proxy’s format',
      { ...go, asgardeo: { org_name: 'acme', client_id: 'm', client_secret: 's3cr3t' }, authorization_servers: [] },
      'asgardeo.client_secret',
    ],
    [
      'its variables',
      { ...go, transport_mode: 'stdio', stdio: { enabled: true, user_command: 'x', env: ['API_KEY=s3cr3t'] } },
      'stdio.env',
    ],
  ])('%s', (_what, value, place) => {
    const notices = listNotices(value)
    expect(notices.filter((notice) => notice.startsWith(`${place}: `))).toHaveLength(1)
    expect(notices.join()).not.toMatch(/s3cr3t|eyJ/)
  })

  it.each<[string, unknown]>([
    ['names of where they are', withUpstream({ command: 'x', env: { API_KEY: { env: 'KEY' }, TOKEN: { env: 'TOKEN' } } })],
    [
      'other variables',
      withUpstream({ command: 'x', env: { NODE_ENV: 'production', TOKENIZERS_PARALLELISM: 'false', KEYBOARD: 'us' } }),
    ],
    ['a variable that is off', withUpstream({ command: 'x', env: { USE_TOKEN: '1', TOKEN: '' } })],
    ['an argument that takes no value', withUpstream({ command: ['x', '--no-token', '--verbose'] })],
    ['names of files', withUpstream({ command: 'x', args: ['--token-file', '/run/secrets/token'], env: { KEY_FILE: '/run/k' } })],
    ['other queries', withUpstream('http://localhost/mcp?tenant=a')],
    ['limits', withUpstream({ command: 'x', env: { MAX_TOKENS: '4096' }, args: ['--max-tokens', '4096'] })],
  ])('but not %s', (_what, value) => {
    expect(listNotices(value)).toEqual([])
  })
})

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import type { Plan } from '../core/plan/plan.ts'
import { type LoadOptions, loadConfigFile, loadConfigText, loadConfigValue } from './load.ts'
import { ConfigError } from './problem/problem.ts'
import type { ConfigInput } from './schema/schema.ts'

const here: LoadOptions = { env: {}, directory: '.', terminal: false }
const smallest: ConfigInput = {
  issuers: ['https://idp.example.com'],
  servers: [{ path: '/mcp', upstream: 'http://localhost:8000/mcp' }],
}

const directory = mkdtempSync(join(tmpdir(), 'config-'))
afterAll(() => rmSync(directory, { recursive: true }))

function load(changes: Partial<ConfigInput>, options: Partial<LoadOptions> = {}): Plan {
  return loadConfigValue({ ...smallest, ...changes }, { ...here, ...options }).plan
}

function loadServer(changes: Partial<ConfigInput['servers'][number]>, rest: Partial<ConfigInput> = {}) {
  const [server] = load({ ...rest, servers: [{ path: '/mcp', upstream: 'http://localhost:8000/mcp', ...changes }] }).servers
  if (server === undefined) throw new Error('no server')
  return server
}

describe('the smallest configuration', () => {
  const plan = load({})

  it('serves this machine alone', () => {
    expect(plan.listen).toEqual({ host: '127.0.0.1', port: 8080, reusePort: false, tls: undefined })
    expect(plan.publicUrl).toBe('http://localhost:8080')
    expect(plan.allowedHosts).toEqual(['localhost:8080', '127.0.0.1:8080', '[::1]:8080'])
  })

  it('permits what the issuer grants for exactly this server, by header, with nothing forwarded', () => {
    expect(plan.servers).toMatchObject([
      {
        name: 'mcp',
        endpoints: [{ kind: 'streamable_http', path: '/mcp', resource: 'http://localhost:8080/mcp' }],
        audiences: ['http://localhost:8080/mcp'],
        bearerMethods: ['header'],
        legacyClients: 'enforce',
        credential: { kind: 'none' },
        policy: { baseScopes: [], rules: [], hierarchy: {}, unlistedOperations: 'permit' },
        scopesSupported: [],
        challengeScopes: [],
      },
    ])
  })

  it('accepts asymmetric signatures only', () => {
    const [issuer] = plan.servers[0]?.issuers ?? []
    expect(issuer).toMatchObject({ issuer: 'https://idp.example.com', audienceClaims: ['aud'], clockToleranceSeconds: 30 })
    expect(issuer?.algorithms.every((algorithm) => /^(?:[RPE]S(?:256|384|512)|EdDSA|Ed25519)$/.test(algorithm))).toBe(true)
  })

  it('needs no notice but that a restart ends MCP sessions', () => {
    expect(plan.notices).toEqual([
      expect.stringMatching(/^session_key: random at each start.* some clients never start a new one/),
    ])
    expect(load({ servers: [{ path: '/mcp', upstream: { command: ['node'] } }] }).notices).toEqual([])
  })

  it('has a session key of its own for each start', () => {
    expect(plan.sessionKey).toHaveLength(32)
    expect(load({}).sessionKey).not.toEqual(plan.sessionKey)
  })

  it('has the same session key at each start where a key outlives it, also while those keys change, and one of its own', () => {
    const [old, young] = [1, 2].map((byte) => Buffer.alloc(32, `key of tests ${byte}`).toString('base64')) as [string, string]
    const keyOf = (keys: readonly string[], changes: Partial<ConfigInput> = {}) => {
      const env = { ID: 'x'.repeat(20), ...Object.fromEntries(keys.map((key, index) => [`KEY_${index}`, key])) }
      const identity_provider = { issuer: 'https://idp.example.com', client_id: 'proxy', client_secret: { env: 'ID' } }
      const encryption_keys = keys.map((_, index) => ({ env: `KEY_${index}` }))
      const broker = { encryption_keys, store: { kind: keys.length > 0 ? ('sqlite' as const) : ('memory' as const) } }
      const { sessionKey, notices } = load({ issuers: [], identity_provider, broker, ...changes }, { env })
      return { key: sessionKey.toString('base64'), isTold: notices.some((notice) => notice.startsWith('session_key:')) }
    }
    const first = keyOf([old])
    expect(keyOf([old])).toEqual(first)
    expect(keyOf([young, old])).toEqual(keyOf([old]))
    expect(keyOf([young])).not.toEqual(keyOf([old]))
    expect(keyOf([old])).toMatchObject({ isTold: false })
    expect(keyOf([old]).key).not.toBe(old)
    const env = { KEY: 'key of tests.'.repeat(4) }
    expect(load({ session_key: { env: 'KEY' } }, { env }).sessionKey.toString()).toBe(env.KEY)
    const random = keyOf([])
    expect(random.isTold).toBe(true)
    expect(keyOf([]).key).not.toBe(random.key)
  })

  it('is frozen throughout', () => {
    const frozen = (value: unknown): boolean =>
      typeof value !== 'object' ||
      value === null ||
      Buffer.isBuffer(value) ||
      (Object.isFrozen(value) && Object.values(value).every(frozen))
    expect(frozen(plan)).toBe(true)
  })
})

describe('the public URL', () => {
  it('is the origin that is configured, in its normal form', () => {
    expect(load({ public_url: 'HTTPS://MCP.Example.com:443/' }).publicUrl).toBe('https://mcp.example.com')
  })

  it('makes its host acceptable, with the port of its scheme and without', () => {
    const plan = load({
      public_url: 'https://mcp.example.com',
      listen: { host: '0.0.0.0' },
      allowed_hosts: ['Proxy.internal:8080'],
    })
    expect(plan.allowedHosts).toEqual(['mcp.example.com', 'mcp.example.com:443', 'proxy.internal:8080'])
  })

  it('is https on loopback where TLS is served, and has no port where that is the usual one', () => {
    expect(load({ listen: { port: 80 } }).publicUrl).toBe('http://localhost')
  })

  it('keeps the names of this machine when the address of the public URL is one of them', () => {
    expect(load({ public_url: 'http://localhost:8080', listen: { host: '0.0.0.0' } }).allowedHosts).toContain('127.0.0.1:8080')
  })

  it('follows a port that was given on the command line', () => {
    expect(load({}, { port: 9999 })).toMatchObject({ publicUrl: 'http://localhost:9999', listen: { port: 9999 } })
  })
})

describe('servers', () => {
  it('have one protected resource for the two endpoints of HTTP+SSE', () => {
    const { endpoints, audiences } = loadServer({
      sse: { path: '/files/sse', upstream: { url: 'http://localhost:8000/sse', response_timeout_seconds: 5 } },
    })
    expect(endpoints.map(({ kind, path, resource }) => [kind, path, resource])).toEqual([
      ['streamable_http', '/mcp', 'http://localhost:8080/mcp'],
      ['sse', '/files/sse', 'http://localhost:8080/files/sse'],
      ['messages', '/files/messages', 'http://localhost:8080/files/sse'],
    ])
    expect(endpoints[2]?.upstream).toMatchObject({ url: 'http://localhost:8000/sse', responseSeconds: 5 })
    expect(audiences).toEqual(['http://localhost:8080/mcp', 'http://localhost:8080/files/sse'])
  })

  it('accept the audiences of the configuration beside their own URLs', () => {
    expect(loadServer({ audience: ['api://mcp'] }).audiences).toEqual(['http://localhost:8080/mcp', 'api://mcp'])
  })

  it('take the general issuers unless they list their own', () => {
    expect(loadServer({}).issuers.map(({ issuer }) => issuer)).toEqual(['https://idp.example.com'])
    expect(loadServer({ issuers: ['https://other.example.com/'] }).issuers.map(({ issuer }) => issuer)).toEqual([
      'https://other.example.com/',
    ])
  })

  it('close the scope hierarchy', () => {
    const hierarchy = { admin: ['write'], write: ['read'] }
    const { policy } = loadServer({ scopes: ['read'], scope_hierarchy: hierarchy })
    expect(new Set(policy.hierarchy.admin)).toEqual(new Set(['write', 'read']))
  })

  it('publish the base scopes, else those of the rules, else what is configured', () => {
    const rules = [
      { tool: 'a', scopes: ['x', 'y'] },
      { method: 'tools/list', scopes: ['y', 'z'] },
    ]
    expect(loadServer({ scopes: ['base'], rules }).scopesSupported).toEqual(['base'])
    expect(loadServer({ rules }).scopesSupported).toEqual(['x', 'y', 'z'])
    expect(loadServer({ rules, scopes_supported: ['q'] }).scopesSupported).toEqual(['q'])
    expect(loadServer({ rules, scopes_supported: [] }).scopesSupported).toEqual([])
  })

  it('are asked for by the first challenge where they are configured, and the base scopes always', () => {
    const rules = [{ tool: 'x', scopes: ['x'] }]
    expect(loadServer({ scopes: ['base'], rules }).challengeScopes).toEqual(['base'])
    expect(loadServer({ rules }).challengeScopes).toEqual([])
    expect(loadServer({ scopes: ['base'], rules, scopes_supported: ['q', 'base'] }).challengeScopes).toEqual(['base', 'q'])
  })

  it('keep each rule with the one thing it is about', () => {
    const rules = [
      { method: 'tools/*', scopes: ['a'] },
      { tool: 'x_*', scopes: ['b'] },
      { prompt: 'p', scopes: [] },
      { resource: 'file:///**', scopes: ['c'] },
      { path: '/mcp', scopes: ['d'] },
    ]
    expect(loadServer({ rules }).policy.rules).toEqual(rules)
  })
})

describe('notices at the start', () => {
  it('say what requests that are passed on cannot do, and give away', () => {
    const issuer = 'https://idp.example.com'
    const notice = (changes: object) => {
      const rewrite = { issuer, authorization_endpoint: `${issuer}/authorize`, token_endpoint: `${issuer}/token`, ...changes }
      return load({ rewrite }).notices.filter((one) => one.startsWith('rewrite:'))
    }
    const iss = expect.stringMatching(/compare `iss`.*`identity_provider`/)
    const shared = expect.stringMatching(/users are not asked for consent/)
    const credentials = expect.stringMatching(/credentials of a client/)
    expect(load({}).notices.some((one) => one.startsWith('rewrite'))).toBe(false)
    expect(notice({ authorization_parameters: { audience: 'api' } })).toEqual([iss])
    expect(notice({ authorization_parameters: { client_id: 'app' } })).toEqual([iss, shared])
    expect(notice({ authorization_endpoint: `${issuer}/authorize?client_id=app` })).toEqual([iss, shared])
    expect(notice({ token_parameters: { client_id: 'app', client_secret: 's' } })).toEqual([iss, shared, credentials])
  })

  const risksOf = ({ notices }: Plan) => notices.filter((notice) => !notice.startsWith('session_key: random'))

  it.each([
    [{ public_url: 'http://mcp.example.com' }, /http: access tokens are sent unencrypted/],
    [{ allowed_hosts: ['*'] }, /allowed_hosts/],
    [{ cors: { allowed_origins: ['*'] } }, /cors\.allowed_origins/],
    [{ issuers: [{ issuer: 'https://idp.example.com', accept_id_tokens: true }] }, /accept_id_tokens/],
    [
      { issuers: [{ issuer: 'https://idp.example.com', scope_claims: ['scope', 'roles'] }] },
      /scope_claims counts roles .* whatever scopes it was granted/,
    ],
    [
      { issuers: [{ issuer: 'https://idp.example.com', jwks_uri: 'http://keycloak:8080/certs?x=secret' }] },
      /http:\/\/keycloak:8080 is fetched over http/,
    ],
  ] satisfies [Partial<ConfigInput>, RegExp][])('name the risk of %j', (changes, expected) => {
    expect(risksOf(load(changes))).toEqual([expect.stringMatching(expected)])
    expect(risksOf(load(changes))[0]).not.toContain('secret')
  })

  it.each([
    [{ audience: ['client-1'], scopes: ['mcp'] }],
    [{ audience: ['api://mcp', 'https://api.example.com', 'urn:mcp'] }],
  ] satisfies [Partial<ConfigInput['servers'][number]>][])('see no risk in %j', (changes) => {
    expect(risksOf(load({ servers: [{ path: '/mcp', upstream: 'http://localhost:8000/mcp', ...changes }] }))).toEqual([])
  })

  it.each([
    [{ bearer_methods: ['header', 'query'] }, /bearer_methods/],
    [{ legacy_clients: 'signature_only' }, /signature_only/],
    [{ audience: ['https://api.example.com', 'client-1'] }, /audience "client-1" may be a client id, and no scope is asked for/],
    [{ forward_access_token: true }, /forward_access_token/],
    [{ rules: [{ method: 'tool/call', scopes: ['x'] }] }, /Was tools\/call meant/],
    [{ rules: [{ method: 'tool/*', scopes: ['x'] }] }, /tool\/\*/],
  ] satisfies [Partial<ConfigInput['servers'][number]>, RegExp][])('name the risk of %j in a server', (changes, expected) => {
    expect(risksOf(load({ servers: [{ path: '/mcp', upstream: 'http://localhost:8000/mcp', ...changes }] }))).toEqual([
      expect.stringMatching(expected),
    ])
  })
})

describe('the log', () => {
  it('is pretty on a terminal and JSON elsewhere, unless something is said', () => {
    expect(load({}).log).toEqual({ level: 'info', format: 'json' })
    expect(load({}, { terminal: true }).log.format).toBe('pretty')
    expect(load({ log: { format: 'json' } }, { terminal: true }).log.format).toBe('json')
    expect(
      load({ log: { level: 'warn' } }, { flags: [{ at: ['log'], value: { level: 'debug', format: 'pretty' }, name: '--debug' }] })
        .log,
    ).toEqual({
      level: 'debug',
      format: 'pretty',
    })
  })
})

describe('a file', () => {
  it('is read with paths relative to its own folder', () => {
    writeFileSync(join(directory, 'key'), `${'key of tests.'.repeat(4)}\n`)
    writeFileSync(join(directory, 'config.json'), JSON.stringify({ ...smallest, session_key: { file: 'key' } }))
    const { plan } = loadConfigFile(join(directory, 'config.json'), { env: {}, terminal: false })
    expect(plan.sessionKey.toString()).toBe('key of tests.'.repeat(4))
  })

  it.each([
    ['missing.yaml', /no such file/],
    ['.', /directory/],
  ])('that cannot be read is a mistake of the configuration: %s', (name, reason) => {
    expect(() => loadConfigFile(join(directory, name), { env: {}, terminal: false })).toThrow(reason)
  })

  it('of a megabyte and more, or of something else than UTF-8, is refused', () => {
    writeFileSync(join(directory, 'long.yaml'), `# ${'x'.repeat(1_048_576)}`)
    writeFileSync(join(directory, 'binary.yaml'), Buffer.from([0x61, 0x3a, 0x20, 0xff, 0xfe]))
    expect(() => loadConfigFile(join(directory, 'long.yaml'), { env: {}, terminal: false })).toThrow(/longer than/)
    expect(() => loadConfigFile(join(directory, 'binary.yaml'), { env: {}, terminal: false })).toThrow(/UTF-8/)
  })

  it.each([
    ['missing.yaml', undefined, /init` writes a configuration/],
    ['utf16.yaml', Buffer.from('\ufeffa: 1\n', 'utf16le'), /Save it as UTF-8/],
    ['long.yaml', Buffer.alloc(1_048_577, '#'), /Check that it is the configuration/],
  ])('that cannot be read is told with what to do about it: %s', (name, bytes, fix) => {
    if (bytes !== undefined) writeFileSync(join(directory, name), bytes)
    expect(() => loadConfigFile(join(directory, name), { env: {}, terminal: false })).toThrow(fix)
  })

  it.each(['', '---\n', '# nothing\n', 'null\n', '~\n'])('without content is told to be empty: %j', (text) => {
    expect(() => loadConfigText(text, here)).toThrow(/the file is empty/)
  })

  it.each(['---\n', 'null\n'])('without content is none that is empty where variables say everything: %j', (text) => {
    const env = {
      OMAP_SERVERS: '[{ name: a, path: /mcp, upstream: http://127.0.0.1:1/mcp }]',
      OMAP_ISSUERS: '[https://idp.example.com]',
    }
    const { plan } = loadConfigText(text, { ...here, env, readsEnvironmentKeys: true })
    expect(plan.servers.map(({ name }) => name)).toEqual(['a'])
  })

  it('tells mistakes from the top to the bottom', () => {
    const text = 'servers:\n  - path: mcp\n    upstrem: x\nissuers: [7]\npublic_ulr: x\nlog: { level: loud }\n'
    expect(() => loadConfigText(text, here)).toThrow(/line 2,.*line 3,.*line 4,.*line 5,.*line 6,/s)
  })

  it('gets line and column of every mistake', () => {
    const text = 'issuers:\n  - https://idp.example.com\nservers:\n  - path: mcp\n    upstrem: http://localhost\n'
    try {
      loadConfigText(text, here)
      expect.unreachable()
    } catch (error) {
      const problems = error instanceof ConfigError ? error.problems : []
      expect(problems.map(({ path, position }) => [path, position?.line])).toEqual([
        ['servers[0].path', 4],
        ['servers[0].upstrem', 5],
      ])
    }
  })
})

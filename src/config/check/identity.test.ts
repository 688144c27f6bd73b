import { generateKeyPairSync } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { loadConfigValue } from '../load.ts'
import { ConfigError } from '../problem/problem.ts'

const createPem = (namedCurve = 'P-256'): string =>
  generateKeyPairSync('ec', { namedCurve }).privateKey.export({ format: 'pem', type: 'pkcs8' }).toString()

const env = {
  KEY: createPem(),
  OTHER: createPem(),
  WIDE: createPem('P-384'),
  TEXT: 'key of tests.'.repeat(4),
  STORE_KEY: Buffer.alloc(32, 'key of tests').toString('base64'),
}
const key = { env: 'KEY' }
const server = { path: '/mcp', upstream: 'http://localhost:8000/mcp' }
const configure = (identity: object, more: object = {}, config: object = {}) => ({
  public_url: 'https://mcp.example.com',
  issuers: ['https://idp.example.com'],
  servers: [{ ...server, ...more, identity }],
  ...config,
})

function load(value: unknown) {
  return loadConfigValue(value, { env, directory: '.', terminal: false })
}

function listMistakes(value: unknown): string[] {
  try {
    load(value)
    return []
  } catch (error) {
    if (error instanceof ConfigError) return error.problems.map(({ path, reason }) => `${path} ${reason}`)
    throw error
  }
}

const at = 'servers[0].identity'
const store = { store: { kind: 'sqlite' }, encryption_keys: [{ env: 'STORE_KEY' }] }

describe('how an MCP server is told who calls', () => {
  it.each([
    [configure({ key })],
    [configure({}, {}, store)],
    [configure({}, {}, { store: { kind: 'memory' } })],
    [configure({ key, other_keys: [{ env: 'OTHER' }] })],
    [configure({ assertion: false, headers: { 'X-User': { claim: 'sub' } } })],
    [configure({ key, header: 'X-Caller' }, { forward_access_token: true })],
    [configure({ claims: ['email'] }, { upstream: { command: 'server' } })],
    [configure({ env: { MCP_USER: { claim: 'sub' }, COMPANY: { claim: 'org' } } }, { upstream: { command: 'server' } })],
  ])('%#: is accepted', (value) => {
    expect(listMistakes(value)).toEqual([])
  })

  it.each<[value: object, said: string | RegExp]>([
    [configure({}), /^servers\[0\]\.identity\.key is missing, and there is no `store`/],
    [
      configure({}, {}, { store: { kind: 'memory' }, replicas: 2 }),
      /^servers\[0\]\.identity\.key is missing, and `store.kind: memory`/,
    ],
    [configure({}, {}, { store: { kind: 'sqlite' } }), /^encryption_keys is missing/],
    [configure({ other_keys: [key] }, {}, store), /other_keys is published beside `key`/],
    [configure({ key: { env: 'TEXT' } }), `${at}.key is not a private key on the curve P-256`],
    [configure({ key: { env: 'WIDE' } }), `${at}.key is not a private key on the curve P-256`],
    [configure({ key, other_keys: [{ env: 'TEXT' }] }), `${at}.other_keys[0] is not a private key on the curve P-256`],
    [configure({ key, other_keys: [key] }), `${at}.other_keys[0] is a key that is used elsewhere, too`],
    [configure({ key: 'text' }), /key is a secret in plain text/],
    [configure({ key, seconds: 5 }), /^servers\[0\]\.identity\.seconds/],
    [configure({ key, audience: 'https://mcp.example.com' }), `${at}.audience is an audience that the proxy itself accepts`],
    [configure({ key, audience: 'https://mcp.example.com/mcp' }), `${at}.audience is an audience that the proxy itself accepts`],
    [configure({ key, audience: 'a' }, { audience: ['a'] }), `${at}.audience is an audience that the proxy itself accepts`],
    [configure({ key }, { forward_access_token: true }), `${at}.header is a header that \`forward_access_token\` sets, too`],
    [configure({ key }, { upstream: { url: server.upstream, headers: { authorization: key } } }), /`upstream.headers` sets, too/],
    [configure({ key }, { upstream: { command: 'server' } }), /^servers\[0\]\.identity\.key is for MCP servers over HTTP/],
    [configure({ assertion: false }, { upstream: { command: 'server' } }), /identity\.assertion is for MCP servers over HTTP/],
    [configure({ operation: true }, { upstream: { command: 'server' } }), /identity\.operation is for MCP servers over HTTP/],
    [configure({ headers: { 'X-A': { claim: 'sub' } } }, { upstream: { command: 'server' } }), /identity\.headers is for MCP/],
    [
      configure({ claims: ['sub'] }, { upstream: { command: 'server' } }),
      /claims\[0\] is a claim that the proxy itself decides on/,
    ],
    [configure({ key }, { path: '/identity/jwks' }), /^servers\[0\]\.path is a path at which the proxy publishes keys/],
  ])('%#: is refused', (value, said) => {
    expect(listMistakes(value)).toContainEqual(typeof said === 'string' ? said : expect.stringMatching(said))
  })

  it.each(['iss', 'aud', 'exp', 'nbf', 'iat', 'jti', 'sub', 'client_id', 'scope', 'act', 'cnf', 'operations', 'token_sub'])(
    'the claim %s is not to be chosen',
    (claim) => {
      expect(listMistakes(configure({ key, claims: ['name', claim] }))).toEqual([
        `${at}.claims[1] is a claim that the proxy itself decides on`,
      ])
    },
  )

  it.each(['exp', 'aud', 'cnf', 'token_sub'])('the claim %s is not for a plain header', (claim) => {
    expect(listMistakes(configure({ key, headers: { 'X-A': { claim } } }))).toHaveLength(1)
  })

  it.each([
    ...[
      'Host',
      'Content-Length',
      'Transfer-Encoding',
      'Connection',
      'TE',
      'Mcp-Session-Id',
      'MCP-Protocol-Version',
      'Last-Event-ID',
    ],
    ...[
      'Forwarded',
      'X-Forwarded-For',
      'Accept',
      'Content-Type',
      'Proxy-Authorization',
      'X_User',
      'X--User',
      'X-User-',
      'X.User',
      'X User',
      '',
    ],
  ])('the header %s is not one to say it in', (name) => {
    expect(listMistakes(configure({ key, header: name }))).toHaveLength(1)
    expect(listMistakes(configure({ key, headers: { [name]: { claim: 'sub' } } }))).toHaveLength(1)
  })

  it('a header has one source', () => {
    const headers = {
      'X-User': { claim: 'sub' },
      'x-user': { claim: 'name' },
      'X-Caller': { claim: 'name' },
      Authorization: { claim: 'sub' },
    }
    expect(listMistakes(configure({ key, header: 'x-caller', headers }))).toEqual([
      `${at}.headers.x-user is a header that \`identity.headers\` sets, too`,
      `${at}.headers.X-Caller is a header that \`identity.header\` sets, too`,
      `${at}.headers.Authorization holds credentials, not claims`,
    ])
  })

  it('claims in the environment are for a process of one caller', () => {
    const env = { MCP_USER: { claim: 'sub' } }
    expect(listMistakes(configure({ key, env }))).toEqual([expect.stringContaining(`${at}.env is for an MCP server that is a`)])
    const upstream = { command: 'server', process_per: 'shared' }
    expect(listMistakes(configure({ env }, { upstream }))).toEqual([
      expect.stringMatching(/^servers\[0\]\.identity\.env says who calls in the environment of a process, and with `process_per/),
    ])
  })

  it.each([
    ...[
      'PATH',
      'Path',
      'LD_PRELOAD',
      'DYLD_INSERT_LIBRARIES',
      'NODE_OPTIONS',
      'PYTHONPATH',
      'RUBYOPT',
      'PERL5OPT',
      'JAVA_TOOL_OPTIONS',
    ],
    ...['BASH_ENV', 'ENV', 'IFS', 'GIT_SSH_COMMAND', 'http_proxy', 'SSL_CERT_FILE', 'GCONV_PATH', 'OMAP_SERVERS', '_'],
    // What a process inherits would stay in force for a caller without the claim.
    ...[
      'NODE_EXTRA_CA_CERTS',
      'SSL_CERT_DIR',
      'HOME',
      'LANG',
      'LC_ALL',
      'LC_CTYPE',
      'LOGNAME',
      'SHELL',
      'TERM',
      'TMPDIR',
      'TZ',
      'USER',
    ],
    ...['A=B', 'A B', 'A-B', '1A', '', 'A\0'],
  ])('the variable %j is not one to say it in', (name) => {
    const env = Object.fromEntries([[name, { claim: 'sub' }]])
    expect(listMistakes(configure({ env }, { upstream: { command: 'server' } }))).toHaveLength(1)
  })

  it('a variable has one source, and a claim of who calls', () => {
    const env = { MCP_USER: { claim: 'sub' }, mcp_user: { claim: 'name' }, TOKEN: { claim: 'sub' }, ID: { claim: 'jti' } }
    const upstream = { command: 'server', env: { Token: 'x' } }
    expect(listMistakes(configure({ env }, { upstream }))).toEqual([
      `${at}.env.mcp_user is a variable that \`identity.env\` sets, too`,
      `${at}.env.TOKEN is a variable that \`upstream.env\` sets, too`,
      `${at}.env.ID.claim says something of a token, not of who calls`,
    ])
  })

  it('behind different sockets, MCP servers with one URL need audiences', () => {
    const upstream = (socket: string) => ({ url: 'http://localhost/mcp', socket })
    const servers = ['/a', '/b'].map((path) => ({ path, upstream: upstream(`/run${path}.sock`), identity: { key } }))
    expect(listMistakes(configure({}, {}, { servers }))).toEqual(
      [0, 1].map((index) => expect.stringContaining(`servers[${index}].identity.audience is missing`)),
    )
  })

  it.each([
    ['both written', 'internal', 'internal', 2],
    ['one by its URL', 'http://localhost:2/mcp', undefined, 1],
    ['different ones', 'a', 'b', 0],
  ])('of different MCP servers need audiences of their own: %s', (_, first, second, mistakes) => {
    const serve = (port: number, audience: string | undefined) => ({
      path: `/${port}`,
      upstream: `http://localhost:${port}/mcp`,
      identity: { key, ...(audience !== undefined && { audience }) },
    })
    const found = listMistakes(configure({}, {}, { servers: [serve(1, first), serve(2, second)] }))
    expect(found.filter((mistake) => mistake.includes('is the audience of servers['))).toHaveLength(mistakes)
  })
})

describe('the notices of the start', () => {
  it('name the headers that no MCP server can verify', () => {
    const { notices } = load(configure({ key, headers: { 'X-User': { claim: 'sub' } } })).plan
    expect(notices).toContainEqual(expect.stringMatching(/^server mcp: identity.headers tells the MCP server in X-User/))
    expect(load(configure({ key })).plan.notices.join()).not.toContain('identity')
  })

  it('say that keys in memory end with the process, and that a store with keys is used', () => {
    expect(load(configure({}, {}, { store: { kind: 'memory' } })).plan.notices).toContainEqual(
      expect.stringMatching(/^identity: the keys/),
    )
    expect(load(configure({}, {}, store)).plan.notices.join()).not.toContain('store: nothing is kept')
  })
})

it('can be checked without its secrets', () => {
  const value = configure({ key: { env: 'ABSENT' }, other_keys: [{ file: '/absent' }] })
  expect(() => loadConfigValue(value, { env: {}, directory: '.', terminal: false, secrets: 'stand_in' })).not.toThrow()
})

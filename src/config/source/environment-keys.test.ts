import { describe, expect, it } from 'vitest'
import { type LoadOptions, loadConfigText } from '../load.ts'
import { ConfigError } from '../problem/problem.ts'

const FILE = `
issuers: [https://idp.example.com]
listen: { port: 8080 }
servers:
  - path: /mcp
    upstream: { url: "http://localhost:8000/mcp" }
    scopes: [mcp]
`

type Env = Readonly<Record<string, string>>

function load(env: Env, options: Partial<LoadOptions> = {}, file = FILE) {
  return loadConfigText(file, { env, directory: '.', terminal: false, readsEnvironmentKeys: true, ...options })
}

function findMistakes(env: Env, options: Partial<LoadOptions> = {}, file = FILE): readonly string[] {
  try {
    load(env, options, file)
  } catch (error) {
    if (error instanceof ConfigError) return error.problems.map(({ path, reason, fix }) => `${path} ${reason}. ${fix}`)
    throw error
  }
  return []
}

const port = (value: number) => ({ flags: [{ at: ['listen', 'port'], value, name: '--port' }] })

describe('a variable beside the file', () => {
  it('says a key: levels are two underscores apart, in either case', () => {
    const { plan } = load({ OMAP_LISTEN__PORT: '9000', OMAP_listen__host: '0.0.0.0', OMAP_PUBLIC_URL: 'https://mcp.example.com' })
    expect(plan.listen).toMatchObject({ port: 9000, host: '0.0.0.0' })
    expect(plan.publicUrl).toBe('https://mcp.example.com')
  })

  it('loses one final line break, which a secret of Kubernetes has that was made from a file', () => {
    const { plan } = load({
      OMAP_PUBLIC_URL: 'https://mcp.example.com\n',
      OMAP_LISTEN__HOST: '0.0.0.0\r\n',
      OMAP_SERVERS__0__UPSTREAM__HEADERS__AUTHORIZATION: 'Bearer secret\n',
    })
    expect([plan.publicUrl, plan.listen.host]).toEqual(['https://mcp.example.com', '0.0.0.0'])
    expect(plan.servers[0]?.endpoints[0]?.upstream).toHaveProperty('headers', { authorization: 'Bearer secret' })
    expect(findMistakes({ OMAP_PUBLIC_URL: 'https://mcp.example.com\n\n' })).toEqual([expect.stringMatching(/^OMAP_PUBLIC_URL /)])
  })

  it('counts more than the file, and less than a flag, which is told', () => {
    expect(load({ OMAP_LISTEN__PORT: '9000' }).plan.listen.port).toBe(9000)
    const { plan, notices, overridden } = load({ OMAP_LISTEN__PORT: '9000' }, port(9001))
    expect(plan.listen.port).toBe(9001)
    expect(notices).toContain('OMAP_LISTEN__PORT is not used: the command line says listen.port.')
    expect(overridden).toEqual([{ key: 'listen.port', name: '--port' }])
  })

  it('may say a block, of which a flag says a part', () => {
    expect(
      load({ OMAP_LISTEN: '{ port: 9000, host: "0.0.0.0" }', OMAP_PUBLIC_URL: 'https://a.example' }, port(9001)).plan.listen,
    ).toMatchObject({ port: 9001, host: '0.0.0.0' })
  })

  it('says lists and blocks as YAML, and items of a list by their number', () => {
    const { plan } = load({
      OMAP_TRUSTED_PROXIES: '[10.0.0.0/8, 192.168.0.0/16]',
      OMAP_SERVERS__0__SCOPES: '["mcp", "more"]',
      OMAP_SERVERS__1__PATH: '/other',
      OMAP_SERVERS__1__UPSTREAM: 'http://localhost:8001/mcp',
    })
    expect(plan.trustedProxies).toEqual(['10.0.0.0/8', '192.168.0.0/16'])
    expect(plan.servers.map(({ policy }) => policy.baseScopes)).toEqual([['mcp', 'more'], []])
    expect(plan.servers[1]?.endpoints[0]?.path).toBe('/other')
  })

  it('adds items of a list, whatever other variables are between them in the environment', () => {
    const item = (index: number) => ({
      [`OMAP_SERVERS__${index}__PATH`]: `/${index}`,
      [`OMAP_SERVERS__${index}__UPSTREAM`]: 'http://localhost:8001/mcp',
    })
    const { plan } = load({ ...item(2), OMAP_LISTEN__PORT: '9000', ...item(1), OMAP_LOG__LEVEL: 'warn', ...item(3) })
    expect(plan.servers.map(({ endpoints }) => endpoints[0]?.path)).toEqual(['/mcp', '/1', '/2', '/3'])
  })

  it('may say everything, without a file', () => {
    const env = {
      OMAP_ISSUERS: '[https://idp.example.com]',
      OMAP_SERVERS: '[{ path: /mcp, upstream: "http://localhost:8000/mcp" }]',
    }
    expect(load(env, {}, '{}').plan.servers[0]?.endpoints[0]?.path).toBe('/mcp')
  })

  it('takes a text as it is, whatever YAML would make of it', () => {
    const { plan } = load({ OMAP_SERVERS__0__NAME: '0123' })
    expect(plan.servers[0]?.name).toBe('0123')
  })

  it('says a key of a block that the file has as a text, beside what the text says', () => {
    const file = FILE.replace('{ url: "http://localhost:8000/mcp" }', 'http://localhost:8000/mcp')
    const { plan } = load(
      { OMAP_SERVERS__0__UPSTREAM__HEADERS__X_TEAM: 'blue', OMAP_ISSUERS__0__REFRESH_KEYS_SECONDS: '77' },
      {},
      file,
    )
    const [upstream] = plan.servers[0]?.endpoints.map((endpoint) => endpoint.upstream) ?? []
    expect(upstream).toMatchObject({ url: 'http://localhost:8000/mcp', headers: { x_team: 'blue' } })
    expect(plan.servers[0]?.issuers).toMatchObject([{ issuer: 'https://idp.example.com', refreshKeysSeconds: 77 }])
    const other = load({ OMAP_SERVERS__0__UPSTREAM__URL: 'http://localhost:9/mcp' }, {}, file).plan.servers[0]?.endpoints[0]
    expect(other?.upstream).toMatchObject({ url: 'http://localhost:9/mcp' })
  })

  it('takes names of the operator as they are written', () => {
    const { plan } = load({ OMAP_SERVERS__0__UPSTREAM__HEADERS__X_Team: 'blue' })
    expect(plan.servers[0]?.endpoints[0]?.upstream).toMatchObject({ headers: { x_team: 'blue' } })
  })

  it('takes such names with two underscores, too', () => {
    const file = FILE.replace('{ url: "http://localhost:8000/mcp" }', '{ command: [server] }')
    const env = {
      OMAP_SERVERS__0__UPSTREAM__ENV__Logging__Level: 'debug',
      OMAP_SERVERS__0__UPSTREAM__ENV__DB__PASSWORD__ENV: 'DB',
      DB: 'hunter2',
    }
    expect(load(env, {}, file).plan.servers[0]?.endpoints[0]?.upstream).toMatchObject({
      env: { Logging__Level: 'debug', DB__PASSWORD: 'hunter2' },
    })
  })

  it('may hold the secret of a header, which no one sees in it', () => {
    const name = 'OMAP_SERVERS__0__UPSTREAM__HEADERS__AUTHORIZATION'
    const { plan } = load({ [name]: 'Bearer hunter2' })
    expect(plan.servers[0]?.endpoints[0]?.upstream).toMatchObject({ headers: { authorization: 'Bearer hunter2' } })
    expect(load({ [name]: '{ env: KEY, prefix: "Bearer " }', KEY: 'x' }).plan.servers[0]?.endpoints[0]?.upstream).toMatchObject({
      headers: { authorization: 'Bearer x' },
    })
    expect(findMistakes({ [name]: 'hunter2\nX: 1' })[0]).not.toContain('hunter2')
  })

  it('is not shown where its value was written behind its name by mistake', () => {
    const file = `${FILE}admin: { port: 1, token: { env: "OMAP_ADMIN__TOKEN=correct-horse-battery" } }\n`
    const mistakes = findMistakes({}, {}, file).join('\n')
    expect(mistakes).toContain('is not the name of an environment variable')
    expect(mistakes).not.toContain('correct-horse')
  })

  it('that is empty says nothing', () => {
    expect(load({ OMAP_LISTEN__PORT: '', OMAP_PUBLIC_URL: ' ' }).plan.listen.port).toBe(8080)
  })

  it('holds the secret itself where a key names one', () => {
    const key = 'key of tests.'.repeat(4)
    const { plan } = load({ OMAP_SESSION_KEY: key })
    expect(plan.sessionKey).toEqual(Buffer.from(key))
    expect(load({ OMAP_SESSION_KEY__ENV: 'OTHER', OTHER: key }).plan.sessionKey).toEqual(Buffer.from(key))
  })

  it('may have any name where the file names it for a secret', () => {
    const file = `${FILE}session_key: { env: OMAP_MY_KEY }\n`
    expect(findMistakes({ OMAP_MY_KEY: 'key of tests.'.repeat(4) }, {}, file)).toEqual([])
  })

  it('is not read for parts of a configuration, nor where it was not asked for', () => {
    expect(load({ OMAP_LISTEN__PORT: '9000' }, { readsEnvironmentKeys: false }).plan.listen.port).toBe(8080)
  })
})

describe('a mistake in a variable', () => {
  it.each([
    ['OMAP_LISTEN_PORT', 'Did you mean OMAP_LISTEN__PORT?'],
    ['OMAP_PUBLIC_ULR', 'Did you mean OMAP_PUBLIC_URL?'],
    ['OMAP_SERVERS__0__SCOPE', 'Did you mean OMAP_SERVERS__0__SCOPES?'],
    ['OMAP_SERVICE_HOST_OF_SOMETHING_ELSE', 'Unset it.'],
    ['OMAP_SERVERS__A__PATH', ''],
    ['OMAP_', 'Unset it.'],
    ['omap_listen__port', 'Did you mean OMAP_LISTEN__PORT?'],
    ['Omap_Listen__Prot', 'Did you mean OMAP_LISTEN__PORT?'],
    ['OMAP___PROTO__', ''],
  ])('that is no key ends the start: %s', (name, fix) => {
    const [mistake = '', ...others] = findMistakes({ [name]: 'value-not-to-be-told' })
    expect(mistake).toContain(`${name} is not a key of the configuration.`)
    expect(mistake).toContain(fix)
    expect(mistake).not.toContain('value-not')
    expect(others).toEqual([])
  })

  it('is told under its own name, without its value, with all others', () => {
    const mistakes = findMistakes({
      OMAP_LISTEN__PORT: 'http-4711',
      OMAP_TRUSTED_PROXIES: '10.0.0.0/8',
      OMAP_SERVERS__0__SCOPES: '["a b"]',
    })
    expect(mistakes.map((mistake) => mistake.split('. ')[0]).sort()).toEqual([
      'OMAP_LISTEN__PORT expected a number, found a text',
      expect.stringMatching(/^OMAP_SERVERS__0__SCOPES: \[0\] /),
      'OMAP_TRUSTED_PROXIES expected a list, found a text',
    ])
    expect(mistakes.join()).not.toContain('4711')
  })

  it.each([
    [{ OMAP_LISTEN: '{ port: 1 }', OMAP_LISTEN__PORT: '2' }, /OMAP_LISTEN__PORT says the same as OMAP_LISTEN/],
    [{ OMAP_PUBLIC_URL: 'https://a.example', OMAP_public_url: 'https://b.example' }, /says the same as/],
    [{ OMAP_TRUSTED_PROXIES: '[10.0.0.0/8' }, /OMAP_TRUSTED_PROXIES is not YAML/],
    [{ OMAP_SERVERS__5__PATH: '/x' }, /OMAP_SERVERS__5__PATH is item 5 of a list of 1/],
    [
      { OMAP_LISTEN__PORT: '9000' },
      /OMAP_LISTEN__PORT is a key of a block, and the file has a single value there/,
      'listen: 8080',
    ],
    [
      { OMAP_SERVERS__0__SCOPES__0: 'a' },
      /is an item of a list, and the file has something else there/,
      'servers: [{ scopes: a }]',
    ],
  ])('ends the start: %j', (env, said, file = FILE) => {
    const mistakes = findMistakes(env as unknown as Env, {}, file)
    expect(mistakes).toHaveLength(1)
    expect(mistakes[0]).toMatch(said)
  })

  it('does not point at a line of the file', () => {
    try {
      load({ OMAP_LISTEN__PORT: 'x' })
      expect.unreachable()
    } catch (error) {
      expect(error instanceof ConfigError && error.problems.map(({ position }) => position)).toEqual([undefined])
    }
  })
})

describe('a file of the Go proxy', () => {
  it('takes variables and flags as one of ours does', () => {
    const file =
      'base_url: http://localhost:8000\npaths: { streamable_http: /mcp }\njwks_uri: https://idp.example.com/jwks\nauthorization_servers: [https://idp.example.com]\n'
    expect(load({ OMAP_LISTEN__PORT: '9000' }, {}, file).plan.listen.port).toBe(9000)
    expect(load({}, port(9001), file).plan.listen.port).toBe(9001)
    expect(findMistakes({ OMAP_LISTEN__PORT: 'x' }, {}, file)[0]).toMatch(/^OMAP_LISTEN__PORT expected a number/)
  })
})

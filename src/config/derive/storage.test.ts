import { expect, it } from 'vitest'
import { loadConfigValue } from '../load.ts'
import { ConfigError } from '../problem/problem.ts'

const env = { SECRET: 'key of tests.'.repeat(4), KEY: Buffer.alloc(32, 'key of tests').toString('base64'), SHORT: 'c2hvcnQ=' }
const servers = [{ path: '/mcp', upstream: 'http://localhost:8000/mcp' }]
const signIn = {
  public_url: 'https://mcp.example.com',
  identity_provider: { kind: 'oidc', issuer: 'https://idp.example.com', client_id: 'proxy', client_secret: { env: 'SECRET' } },
}
const storage = { store: { kind: 'redis', url: 'redis://localhost', prefix: 'x:' }, encryption_keys: [{ env: 'KEY' }] }

const load = (value: object) => loadConfigValue({ servers, ...value }, { env, directory: '/', terminal: false }).plan

function mistakesOf(value: object): readonly string[] {
  try {
    load(value)
    return []
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    return error.problems.map(({ path, reason }) => `${path} ${reason}`)
  }
}

it('store and keys at the top are those that stood under broker', () => {
  const top = load({ ...signIn, ...storage })
  const former = load({ ...signIn, broker: storage })
  expect(top.store).toMatchObject({
    kind: 'redis',
    place: { kind: 'server', node: { host: 'localhost', port: 6379 }, database: 0 },
    prefix: 'x:',
  })
  expect(top.broker?.encryptionKeys).toEqual([Buffer.alloc(32, 'key of tests')])
  expect(former.broker).toEqual(top.broker)
  expect(former.sessionKey).toEqual(top.sessionKey)
})

it('finds Redis behind Sentinels and in a cluster, with TLS where the URLs say so', () => {
  const sentinel = { urls: ['rediss://a', 'rediss://[::1]:26380'], master: 'm', password: { env: 'SECRET' } }
  const nodes = [
    { host: 'a', port: 26379 },
    { host: '::1', port: 26380 },
  ]
  const tls = { server_name: 'redis.example' }
  const user = { username: undefined, password: env.SECRET }
  expect(load({ ...signIn, ...storage, store: { kind: 'redis', sentinel, tls } }).store).toEqual({
    kind: 'redis',
    place: { kind: 'sentinel', nodes, master: 'm', user },
    user: { username: undefined, password: undefined },
    tls: { ca: undefined, cert: undefined, key: undefined, serverName: 'redis.example' },
    prefix: 'mcp:',
    waitForReplicas: 0,
  })
  const cluster = { urls: ['redis://a', 'redis://[::1]:6380'] }
  const more = { username: 'mcp', password: { env: 'SECRET' }, wait_for_replicas: 2 }
  expect(load({ ...signIn, ...storage, store: { kind: 'redis', cluster, ...more } }).store).toMatchObject({
    place: {
      kind: 'cluster',
      nodes: [
        { host: 'a', port: 6379 },
        { host: '::1', port: 6380 },
      ],
    },
    user: { username: 'mcp', password: env.SECRET },
    tls: undefined,
    waitForReplicas: 2,
  })
  expect(load({ ...signIn, ...storage, store: { kind: 'redis', url: 'redis://a/3' } }).store).toMatchObject({
    place: { kind: 'server', database: 3 },
  })
})

it('store and keys in both places are a mistake', () => {
  expect(mistakesOf({ ...signIn, ...storage, broker: storage })).toEqual([
    expect.stringMatching(/^broker\.store is the same as `store` at the top/),
    expect.stringMatching(/^broker\.encryption_keys is the same as `encryption_keys` at the top/),
  ])
})

it('store and keys are checked wherever they stand', () => {
  const wrong = { store: { kind: 'redis' }, encryption_keys: [{ env: 'SHORT' }] }
  const reasons = [expect.stringMatching(/store\.url is missing/), expect.stringMatching(/encryption_keys\[0\] is not Base64/)]
  expect(mistakesOf({ ...signIn, ...wrong })).toEqual(reasons)
  expect(mistakesOf({ ...signIn, broker: wrong })).toEqual(reasons)
  expect(mistakesOf(signIn)).toEqual([expect.stringMatching(/^encryption_keys is missing/)])
})

it('keys keep MCP sessions without a broker, too', () => {
  const keyed = { issuers: ['https://idp.example.com'], encryption_keys: [{ env: 'KEY' }] }
  expect(load(keyed).sessionKey).toEqual(load(keyed).sessionKey)
  expect(load({ issuers: keyed.issuers }).sessionKey).not.toEqual(load({ issuers: keyed.issuers }).sessionKey)
})

it('a store that nothing is kept in is noticed', () => {
  const value = { servers, issuers: ['https://idp.example.com'], store: { kind: 'memory' } }
  const { notices } = loadConfigValue(value, { env, directory: '/', terminal: false })
  expect(notices).toContain('store: nothing is kept there without an `identity_provider`, `admin.token` or `identity`.')
})

it('a store in which replicas count limits together is used', () => {
  const limited = { rate_limits: [{ calls_per_minute: 60 }] }
  const value = { servers, issuers: ['https://idp.example.com'], store: { kind: 'redis', url: 'redis://127.0.0.1' } }
  const noticesOf = (more: object) =>
    loadConfigValue({ ...value, stored_keys: false, ...more }, { env, directory: '/', terminal: false }).notices
  const notice = expect.stringContaining('nothing is kept there')
  expect(noticesOf({})).toContainEqual(notice)
  expect(noticesOf(limited)).not.toContainEqual(notice)
  expect(noticesOf({ servers: servers.map((server) => ({ ...server, ...limited })) })).not.toContainEqual(notice)
  expect(noticesOf({ ...limited, store: { kind: 'memory' } })).toContainEqual(notice)
})

import { expect, it } from 'vitest'
import { loadConfigValue } from '../load.ts'
import type { ConfigInput } from '../schema/schema.ts'

const KEY = Buffer.alloc(32, 'key of tests').toString('base64')
const PROGRAM = { name: 'files', path: '/files', upstream: { command: ['files-mcp'] } }
const REMOTE = { name: 'remote', path: '/remote', upstream: 'http://localhost:8000/mcp' }

function noticesOf(
  kind: 'memory' | 'redis',
  servers: ConfigInput['servers'],
  more: Partial<ConfigInput> = {},
): readonly string[] {
  const config: ConfigInput = {
    identity_provider: {
      issuer: 'https://idp.example.com',
      client_id: 'proxy',
      client_secret: { env: 'SECRET' },
      allow: [{ claim: 'email', values: ['ann@example.com'] }],
    },
    broker: {
      store: kind === 'redis' ? { kind, url: 'redis://127.0.0.1:6379' } : { kind },
      ...(kind === 'redis' && { encryption_keys: [{ env: 'KEY' }] }),
    },
    servers,
    ...more,
  }
  return loadConfigValue(config, { env: { SECRET: 'of-the-proxy-0123456789', KEY }, directory: '.', terminal: false }).plan
    .notices
}

it('with a store for several processes, says that each program belongs to one of them', () => {
  expect(noticesOf('redis', [PROGRAM, REMOTE])).toEqual([
    expect.stringMatching(/^server files: its programs belong to one process of the proxy\..*load balancer.*Mcp-Session-Id/),
  ])
})

it('says nothing of it where there is one process, or no program', () => {
  expect(noticesOf('memory', [PROGRAM])).toEqual([])
  expect(noticesOf('redis', [REMOTE])).toEqual([])
})

it('says that several processes need a store that they share', () => {
  const alone = expect.stringMatching(/^replicas: each process keeps its state in its own memory.*`store: \{ kind: redis \}`/)
  const session_key = { env: 'KEY' }
  expect(noticesOf('memory', [REMOTE], { replicas: 2, session_key })).toEqual([alone])
  expect(noticesOf('memory', [REMOTE], { session_key })).toEqual([])
  expect(noticesOf('redis', [REMOTE], { replicas: 2 })).toEqual([])
})

it('says that one process does not know who was shut out at another, where they can be shut out at all', () => {
  const noticesWithout = (more: object): readonly string[] =>
    loadConfigValue(
      { issuers: ['https://idp.example.com'], servers: [REMOTE], session_key: { env: 'KEY' }, replicas: 2, ...more },
      { env: { KEY }, directory: '.', terminal: false },
    ).plan.notices
  expect(noticesWithout({})).toEqual([])
  expect(noticesWithout({ admin: { port: 9090, token: { env: 'KEY' } } })).toEqual([expect.stringMatching(/^replicas: /)])
  const logout = { issuer: 'https://idp.example.com', backchannel_logout: { client_ids: ['a'] } }
  expect(noticesWithout({ issuers: [logout] })).toEqual([expect.stringMatching(/^replicas: /)])
  expect(noticesWithout({ issuers: [logout], store: { kind: 'sqlite' } })).toEqual([])
})

it('says that several processes need a session key where nothing lasts that one could be made from', () => {
  expect(noticesOf('memory', [REMOTE])).toEqual([
    expect.stringMatching(/^session_key: random.*processes behind a load balancer.*Set it/),
  ])
  const session_key = { env: 'KEY' }
  expect(noticesOf('memory', [REMOTE], { session_key })).toEqual([])
})

it('says that the admin listener can be reached from beyond this machine', () => {
  expect(noticesOf('memory', [PROGRAM], { admin: { port: 9090 } })).toEqual([])
  expect(noticesOf('memory', [PROGRAM], { admin: { port: 9090, host: '0.0.0.0' } })).toEqual([
    expect.stringMatching(/^admin\.host: .*beyond this machine/),
  ])
})

it('says that programs of the same user can listen on a port that is shared', () => {
  const listen = { reuse_port: true }
  expect(noticesOf('memory', [PROGRAM], { listen })).toEqual([
    expect.stringMatching(/^listen\.reuse_port: .*server files.*tokens.*socket activation/),
  ])
  expect(noticesOf('memory', [REMOTE], { listen, session_key: { env: 'KEY' } })).toEqual([])
})

it.each([['0.0.0.0/0'], ['::/0'], ['10.0.0.0/8', '0.0.0.0/0']])(
  'says that each caller is believed about its address where all networks are trusted proxies: %s',
  (...trusted_proxies) => {
    const notices = noticesOf('memory', [REMOTE], { trusted_proxies, session_key: { env: 'KEY' } })
    expect(notices).toEqual([expect.stringMatching(/^trusted_proxies: .*every caller/)])
    expect(noticesOf('memory', [REMOTE], { trusted_proxies: ['10.0.0.0/8', '::1'], session_key: { env: 'KEY' } })).toEqual([])
  },
)

it.each(['openid-configuration', 'oauth-authorization-server'])(
  'says of an issuer that it is the address of metadata: %s',
  (name) => {
    const issuer = `https://idp.example.com/realms/a/.well-known/${name}`
    const load = (issuers: string[], own?: string[]) =>
      loadConfigValue({ issuers, servers: [{ ...REMOTE, issuers: own }] }, { env: {}, directory: '.', terminal: false }).notices
    const notice = `issuer ${issuer}: this is the address of metadata. Write the \`issuer\` that it names, mostly https://idp.example.com/realms/a.`
    expect(load([issuer])).toContain(notice)
    expect(load(['https://idp.example.com'], [issuer])).toContain(notice)
    expect(load(['https://idp.example.com/realms/a']).join()).not.toContain('metadata')
  },
)

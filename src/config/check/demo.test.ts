import { describe, expect, it } from 'vitest'
import { type Loaded, type LoadOptions, loadConfigValue } from '../load.ts'
import { ConfigError } from '../problem/problem.ts'

const ours = { servers: [{ path: '/mcp', upstream: 'http://127.0.0.1:8000/mcp' }] }
const theirs = { base_url: 'http://localhost:8000', listen_port: 8080 }

function load(value: unknown, more: Partial<LoadOptions> = {}): Loaded {
  return loadConfigValue(value, { env: {}, directory: '.', terminal: false, demo: true, ...more })
}

function placesOf(value: unknown): string[] {
  try {
    load(value)
  } catch (error) {
    if (error instanceof ConfigError) return error.problems.map(({ path }) => path)
    throw error
  }
  return []
}

function issuersOf({ plan }: Loaded): (string | undefined)[] {
  return plan.servers.flatMap(({ issuers }) => issuers.map(({ issuer }) => issuer))
}

describe('the sandbox of --demo', () => {
  it.each([ours, theirs])('is beside the port of the proxy, whatever that is: %j', (value) => {
    expect(load(value).sandboxPort).toBe(8081)
    expect(issuersOf(load(value))).toEqual(['http://localhost:8081'])
    expect(issuersOf(load(value, { port: 9000 }))).toEqual(['http://localhost:9001'])
    expect(issuersOf(load(value, { port: 65_535 }))).toEqual(['http://localhost:65534'])
    expect(issuersOf(load(value, { port: 9000, sandboxPort: 4711 }))).toEqual(['http://localhost:4711'])
  })

  it('is not there without the flag', () => {
    const named = { ...ours, issuers: ['https://idp.example.com'] }
    expect(load(named, { demo: false }).sandboxPort).toBeUndefined()
    expect(issuersOf(load(named, { demo: false }))).toEqual(['https://idp.example.com'])
  })

  it('stands in the place of every issuer of a file of ours, which is said', () => {
    const loaded = load({
      issuers: ['https://a.example'],
      servers: [
        { ...ours.servers[0], issuers: ['https://b.example'] },
        { ...ours.servers[0], path: '/other' },
      ],
    })
    expect(issuersOf(loaded)).toEqual(['http://localhost:8081', 'http://localhost:8081'])
    expect(loaded.notices).toEqual([expect.stringMatching(/^issuers: not used/), expect.stringMatching(/^session_key: random/)])
  })

  it.each([
    [{ authorization_servers: ['https://idp.example.com'] }, 'authorization_servers'],
    [{ asgardeo: { org_name: 'acme' } }, 'asgardeo'],
    [
      { default: { base_url: 'https://idp.example.com', path: { '/token': { addBodyParams: [{ name: 'a', value: 'b' }] } } } },
      'default',
    ],
    [{ auth_server_base_url: 'https://idp.example.com' }, 'auth_server_base_url'],
  ])('replaces the issuer that a file of the Go proxy names, and is reported: %j', (more, key) => {
    const loaded = load({ ...theirs, ...more })
    expect(issuersOf(loaded)).toEqual(['http://localhost:8081'])
    expect({ broker: loaded.plan.broker, rewrite: loaded.plan.rewrite }).toEqual({ broker: undefined, rewrite: undefined })
    expect(loaded.notices.filter((notice) => notice.startsWith(`${key}: is not used`))).toHaveLength(1)
  })

  it('stands in the place of the organization that the Go proxy came with, which is gone', () => {
    const demo = { org_name: 'openmcpauthdemo', client_id: 'N0U9e_NNGr9mP_0fPnPfPI0a6twa', client_secret: 'published' }
    const loaded = load({ ...theirs, demo })
    expect(issuersOf(loaded)).toEqual(['http://localhost:8081'])
    expect(loaded.plan.broker).toBeUndefined()
    expect(loaded.notices).toContainEqual(
      expect.stringMatching(/demo\.org_name: .*is gone\. Users sign in at a sandbox on this machine/),
    )
    expect(load({ ...theirs, demo: { ...demo, org_name: 'mine' } }).plan.broker?.identityProvider.kind).toBe('asgardeo')
  })

  it('closes what a file of the Go proxy leaves open', () => {
    const { plan } = load({ ...theirs, listen_address: ':8080' })
    expect(plan.listen.host).toBe('127.0.0.1')
    expect(plan.allowedHosts).toEqual(['localhost:8080', '127.0.0.1:8080', '[::1]:8080'])
  })

  it.each([
    [{ ...ours, listen: { host: '0.0.0.0' } }, ['listen.host']],
    [{ ...ours, listen: { host: '::' }, public_url: 'http://localhost:8080' }, ['listen.host']],
    [{ ...ours, listen: { host: '192.168.1.2' }, public_url: 'https://mcp.example.com' }, ['listen.host', 'public_url']],
    [{ ...ours, public_url: 'https://localhost.example.com' }, ['public_url']],
    [{ ...ours, allowed_hosts: ['localhost', '*'] }, ['allowed_hosts[1]']],
    [{ ...ours, allowed_hosts: ['[::1]:8080', '127.0.0.1:8080', 'tunnel.example.com:8080'] }, ['allowed_hosts[2]']],
    [{ ...theirs, listen_address: '0.0.0.0:8080' }, ['listen_address']],
    [{ ...theirs, proxy_base_url: 'https://mcp.example.com' }, ['proxy_base_url']],
  ])('is refused where it could be reached from elsewhere: %j', (value, places) => {
    expect(placesOf(value)).toEqual(places)
  })

  it.each([
    [{ ...ours, listen: { host: '::1' }, public_url: 'http://localhost:8080', allowed_hosts: ['127.0.0.1:8080'] }],
    [{ ...theirs, listen_address: '127.0.0.1:8080', proxy_base_url: 'http://127.0.0.1:8080' }],
  ])('is fine with the names of this machine: %j', (value) => {
    expect(placesOf(value)).toEqual([])
  })

  it.each(['identity_provider', 'rewrite'])('is refused beside %s, which signs users in already', (key) => {
    expect(placesOf({ ...ours, [key]: {} })).toEqual([key])
  })
})

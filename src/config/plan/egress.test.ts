import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { createCertificate } from '../../../test/support/certificate.ts'
import { DIRECT, type EgressPlan } from '../../core/plan/egress-plan.ts'
import { loadConfigValue } from '../load.ts'
import { ConfigError } from '../problem/problem.ts'

const folder = mkdtempSync(join(tmpdir(), 'egress-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

type Env = Readonly<Record<string, string>>

function load(egress: unknown, env: Env = {}, more: object = {}) {
  const servers = [{ path: '/mcp', upstream: 'http://mcp.example.com/mcp' }]
  const value = { issuers: ['https://idp.example.com'], servers, ...(egress !== undefined && { egress_proxy: egress }) }
  return loadConfigValue(value, { env, directory: folder, terminal: false, ...more }).plan
}

const settle = (egress: unknown, env?: Env): EgressPlan => load(egress, env).egress

function findMistakes(egress: unknown, env?: Env): string[] {
  try {
    load(egress, env)
    return []
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    return error.problems.map(({ path, reason }) => `${path} ${reason}`)
  }
}

describe('egress_proxy', () => {
  it('leaves everything direct where neither file nor environment say otherwise', () => {
    expect(settle(undefined)).toEqual(DIRECT)
    expect(settle(undefined, { NO_PROXY: '<local>, 10.*' })).toEqual(DIRECT)
    expect(settle(undefined, { HTTPS_PROXY: ' ', http_proxy: '' })).toEqual(DIRECT)
  })

  it('is taken from the environment, for each scheme its own', () => {
    const env = { HTTPS_PROXY: 'http://one:3128', http_proxy: 'two:8080', NO_PROXY: 'a.example, .b.example 10.0.0.0/8' }
    const { https, http, direct } = settle(undefined, env)
    expect([https?.origin, http?.origin]).toEqual(['http://one:3128', 'http://two:8080'])
    expect(direct).toHaveLength(3)
    expect(settle(undefined, { HTTPS_PROXY: 'http://one:3128' }).http).toBeUndefined()
    expect(settle(undefined, { HTTP_PROXY: 'http://one:3128' }).https).toBeUndefined()
  })

  it('prefers variables in lower case, and ignores HTTP_PROXY in a CGI program, where clients write it', () => {
    expect(settle(undefined, { HTTPS_PROXY: 'http://upper', https_proxy: 'http://lower' }).https?.origin).toBe('http://lower')
    expect(settle(undefined, { HTTP_PROXY: 'http://evil', REQUEST_METHOD: 'GET' }).http).toBeUndefined()
    expect(settle(undefined, { http_proxy: 'http://own', REQUEST_METHOD: 'GET' }).http?.origin).toBe('http://own')
  })

  it('decodes credentials of a variable, and never has them in the origin', () => {
    const { https } = settle(undefined, { HTTPS_PROXY: 'http://dom%5Cuser:p%40ss%3Aw%2F%C3%BC@proxy.example.com:3128/' })
    expect(https).toEqual({
      origin: 'http://proxy.example.com:3128',
      credentials: { username: 'dom\\user', password: 'p@ss:w/ü' },
      ca: undefined,
    })
  })

  it('of the file replaces all of the environment', () => {
    const env = { HTTPS_PROXY: 'http://other', HTTP_PROXY: 'http://other', NO_PROXY: '*', PASSWORD: 'geheim' }
    const url = 'https://proxy.example.com'
    const { https, http, direct } = settle({ url, username: 'u', password: { env: 'PASSWORD' } }, env)
    expect(https).toEqual({ origin: url, credentials: { username: 'u', password: 'geheim' }, ca: undefined })
    expect([http, direct]).toEqual([https, []])
    expect(settle({ enabled: false }, env)).toEqual(DIRECT)
  })

  it('of the environment takes certificate authorities and names to resolve from the file', () => {
    const { cert } = createCertificate()
    writeFileSync(join(folder, 'ca.pem'), cert)
    const { https, resolvedByProxy } = settle(
      { ca_file: 'ca.pem', resolves: ['claude.ai', '*.example.com'] },
      { https_proxy: 'http://p' },
    )
    expect(https?.ca).toBe(cert)
    expect(resolvedByProxy).toEqual([
      { kind: 'name', name: 'claude.ai', includes: 'itself', port: undefined },
      { kind: 'name', name: 'example.com', includes: 'subdomains', port: undefined },
    ])
  })

  it('reaches every part that reaches other hosts', () => {
    const { egress, servers } = load({ url: 'http://proxy:3128' })
    expect(servers[0]?.issuers[0]?.egress).toEqual(egress)
    expect(servers[0]?.endpoints[0]?.upstream).toMatchObject({ egress })
  })

  it('is doubted at the start where it leads out of the network to a host of the network', () => {
    const find = (upstream: unknown, egress: object, env: Env = {}) =>
      loadConfigValue(
        { issuers: ['https://idp.example.com'], egress_proxy: egress, servers: [{ name: 'files', path: '/mcp', upstream }] },
        { env, directory: folder, terminal: false },
      ).notices.filter((notice) => notice.includes('egress proxy'))
    const url = 'http://proxy.example.com:3128'
    expect(find('http://mcp-server:8080/mcp', { url })).toEqual([
      expect.stringMatching(
        /^server files: http:\/\/mcp-server:8080 .* egress proxy http:\/\/proxy\.example\.com:3128\. List it in egress_proxy\.no_proxy if/,
      ),
    ])
    expect(find('http://mcp.team.svc/mcp', { url })).toHaveLength(1)
    expect(find('http://mcp.team.svc/mcp', {}, { HTTP_PROXY: url })).toEqual([expect.stringMatching(/List it in NO_PROXY if/)])
    expect(find('http://10.1.2.3/mcp', { url, no_proxy: ['10.0.0.0/8'] })).toEqual([])
    expect(find('http://mcp-server:8080/mcp', { enabled: false })).toEqual([])
    expect(find('https://mcp.example.com/mcp', { url })).toEqual([])
    expect(find('http://127.0.0.1:8000/mcp', { url })).toEqual([])
    expect(find({ url: 'http://mcp/mcp', socket: '/run/mcp.sock' }, { url })).toEqual([])
  })

  it('is not that of the machine that only checks', () => {
    expect(load(undefined, { HTTPS_PROXY: 'socks5://secret@x' }, { secrets: 'stand_in' }).egress).toEqual(DIRECT)
  })

  it.each<[unknown, Env, string]>([
    [undefined, { HTTPS_PROXY: 'socks5://u:geheim@proxy:1080' }, 'HTTPS_PROXY is a SOCKS proxy'],
    [undefined, { https_proxy: 'socks5h://proxy' }, 'https_proxy is a SOCKS proxy'],
    [undefined, { HTTP_PROXY: 'ftp://proxy' }, 'HTTP_PROXY is neither http:// nor https://'],
    [undefined, { HTTPS_PROXY: 'http://u:geh#eim@proxy:1' }, 'HTTPS_PROXY is not the URL'],
    [undefined, { HTTPS_PROXY: 'http://proxy/?geheim' }, 'HTTPS_PROXY has more than'],
    [undefined, { HTTPS_PROXY: 'http://u:geh/eim@proxy:1' }, 'HTTPS_PROXY is not the URL'],
    [undefined, { HTTPS_PROXY: 'http://u:100%geheim@proxy:1' }, 'HTTPS_PROXY has credentials that cannot be decoded'],
    [undefined, { HTTPS_PROXY: 'http://u%3A:geheim@proxy:1' }, 'HTTPS_PROXY has credentials that cannot be decoded'],
    [undefined, { HTTPS_PROXY: 'http://u:geheim@010.0.0.1:3128' }, 'HTTPS_PROXY has an address that not all programs'],
    [undefined, { HTTPS_PROXY: '0x7f.1:3128' }, 'HTTPS_PROXY has an address that not all programs'],
    [{ url: 'http://192.168:3128' }, {}, 'egress_proxy.url has an address that not all programs'],
    [undefined, { HTTPS_PROXY: 'http://proxy:99999' }, 'HTTPS_PROXY is not the URL'],
    [undefined, { HTTPS_PROXY: 'http://proxy', NO_PROXY: 'ok.example,10.*' }, 'NO_PROXY "10.*" is not a host'],
    [undefined, { HTTPS_PROXY: 'http://proxy', NO_PROXY: '192.168.' }, 'NO_PROXY "192.168." is not a host'],
    [undefined, { HTTPS_PROXY: 'http://proxy', NO_PROXY: '192.168' }, 'NO_PROXY "192.168" is not a host'],
    [undefined, { HTTPS_PROXY: 'http://proxy', NO_PROXY: '10.' }, 'NO_PROXY "10." is not a host'],
    [undefined, { HTTPS_PROXY: 'http://proxy', NO_PROXY: '010.0.0.1' }, 'NO_PROXY "010.0.0.1" is not a host'],
    [undefined, { HTTPS_PROXY: 'http://proxy', NO_PROXY: '*.' }, 'NO_PROXY "*." is not a host'],
    [{ url: 'socks5://proxy:1080' }, {}, 'egress_proxy.url is a SOCKS proxy'],
    [{ url: 'http://u:geheim@proxy' }, {}, 'egress_proxy.url holds credentials'],
    [{ url: 'http://proxy/path' }, {}, 'egress_proxy.url has more than'],
    [{ url: 'http://proxy', password: { env: 'P' } }, { P: 'geheim' }, 'egress_proxy.username is missing'],
    [{ url: 'http://proxy', username: 'a:b' }, {}, 'egress_proxy.username is empty, or holds a colon'],
    [{ url: 'http://proxy', no_proxy: ['a b'] }, {}, 'egress_proxy.no_proxy[0] "a b" is not a host'],
    [
      { url: 'http://proxy', no_proxy: ['10.0.0.0/33'] },
      {},
      'egress_proxy.no_proxy[0] "10.0.0.0/33" is not an address or CIDR block',
    ],
    [{ no_proxy: ['a'] }, {}, 'egress_proxy.no_proxy has no use without `url`'],
    [{ username: 'u' }, {}, 'egress_proxy.username has no use without `url`'],
    [{ resolves: ['*'] }, {}, 'egress_proxy.resolves[0] "*" is not a host'],
    [{ resolves: ['10.0.0.0/8'] }, {}, 'egress_proxy.resolves[0] "10.0.0.0/8" is not a host'],
    [{ resolves: ['192.0.2.7'] }, {}, 'egress_proxy.resolves[0] "192.0.2.7" is an address'],
    [{ url: 'http://proxy', no_proxy: 'a.example,b.example' }, {}, 'egress_proxy.no_proxy expected a list, found a text'],
    [{ url: 'http://proxy', ca_file: 'missing.pem' }, {}, 'egress_proxy.ca_file the file'],
  ])('is refused at the start, without its secrets: %j %j', (egress, env, expected) => {
    const mistakes = findMistakes(egress, env)
    expect(mistakes).toEqual([expect.stringContaining(expected)])
    expect(mistakes.join()).not.toContain('geheim')
  })

  it('has mistakes in a variable told only where it counts', () => {
    expect(findMistakes({ url: 'http://proxy' }, { HTTPS_PROXY: 'socks5://x' })).toEqual([])
    expect(findMistakes({ enabled: false }, { HTTPS_PROXY: 'socks5://x' })).toEqual([])
  })
})

// What strangers could do through the egress proxy of a network: reach private hosts by names that it resolves otherwise than we do, or
// learn its credentials. And what the egress proxy itself could do.
import type { LookupAddress } from 'node:dns'
import { createServer as createHttpsServer } from 'node:https'
import type { TLSSocket } from 'node:tls'
import { afterEach, describe, expect, it } from 'vitest'
import { parseDirectHost, parseExactHost } from '../../src/config/format/egress-formats.ts'
import { DIRECT, type EgressPlan, type HostPattern } from '../../src/core/plan/egress-plan.ts'
import type { ResolveHost } from '../../src/oauth/resolve-host.ts'
import { createSafeFetch, type SafeFetchPlan } from '../../src/oauth/safe-fetch.ts'
import { closeServer, listenOnLoopback } from '../../src/sandbox/listen.ts'
import { createHttpUpstream } from '../../src/upstream/http-upstream.ts'
import { createCertificate } from '../support/certificate.ts'
import { type EgressProxy, startEgressProxy } from '../support/egress-proxy.ts'
import { openGate } from '../support/gate.ts'
import { sendMcp } from '../support/mcp-requests.ts'
import { waitUntil } from '../support/processes.ts'

const HOST = 'client.example.test'
const PUBLIC = '8.8.8.8'
const PASSWORD = 'password-of-the-egress-proxy-0123'
const certificate = createCertificate({ host: HOST })
const closing: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

interface Scene {
  readonly egress: EgressProxy
  /** Host and server name of each request that arrived at the destination. */
  readonly arrived: (readonly [host: unknown, servername: unknown])[]
  /** Raw header fields of the same. */
  readonly fields: string[]
  /** Fetches a URL that a stranger named. */
  fetch(url: string, resolve?: ResolveHost, changes?: Partial<EgressPlan>, plan?: Partial<SafeFetchPlan>): Promise<string>
}

/** A destination behind an egress proxy that knows it by name and by address. */
async function start(routes: readonly string[] = [`${HOST}:443`, `${PUBLIC}:443`]): Promise<Scene> {
  const arrived: Scene['arrived'] = []
  const fields: string[] = []
  const server = createHttpsServer(certificate, (request, response) => {
    arrived.push([request.headers.host, (request.socket as TLSSocket & { servername?: unknown }).servername])
    fields.push(...request.rawHeaders)
    response.setHeader('content-type', 'application/json').end('{"is":"there"}')
  })
  const port = await listenOnLoopback(server, 0)
  const egress = await startEgressProxy({
    routes: Object.fromEntries(routes.map((route) => [route, port])),
    credentials: `user:${PASSWORD}`,
  })
  closing.push(() => closeServer(server), egress.close)
  return {
    egress,
    arrived,
    fields,
    async fetch(url, resolve = resolveTo([PUBLIC]), changes = {}, plan = {}) {
      const ways = { ...planEgress(egress), ...changes }
      const outbound = createSafeFetch(
        { issuer: undefined, allowPrivateNetwork: false, ca: certificate.cert, egress: ways, ...plan },
        resolve,
      )
      try {
        return JSON.stringify((await outbound.fetchJson(url, { namedBy: 'metadata' })).document)
      } catch (error) {
        return String(error)
      } finally {
        await outbound.close()
      }
    },
  }
}

function planEgress({ url: origin }: EgressProxy): EgressPlan {
  const proxy = { origin, credentials: { username: 'user', password: PASSWORD }, ca: undefined }
  return { ...DIRECT, https: proxy, http: proxy }
}

const resolveNothing: ResolveHost = (_hostname, _options, callback) => callback(new Error('queryA ETIMEOUT'), [])

/** Each question gets the next answer; the last counts for all that follow. */
function resolveTo(...answers: readonly (readonly string[])[]): ResolveHost & { count(): number } {
  let asked = 0
  const resolve: ResolveHost = (_hostname, _options, callback) => {
    const addresses = answers[Math.min(asked, answers.length - 1)] ?? []
    asked += 1
    callback(
      null,
      addresses.map((address): LookupAddress => ({ address, family: address.includes(':') ? 6 : 4 })),
    )
  }
  return Object.assign(resolve, { count: () => asked })
}

function readPattern(parse: typeof parseDirectHost, text: string): HostPattern {
  const parsed = parse(text)
  if (parsed.mistake !== undefined) throw new Error(parsed.mistake.reason)
  return parsed.value
}

const listAuthorities = ({ tunnels }: EgressProxy): string[] => tunnels.map(({ authority }) => authority)

describe('a URL that a stranger names', () => {
  it('is asked for at the egress proxy by the address that was checked, and at the destination by its name', async () => {
    const { egress, arrived, fetch } = await start()
    const resolve = resolveTo([PUBLIC], ['10.0.0.1'])
    expect(await fetch(`https://${HOST}/client.json`, resolve)).toBe('{"is":"there"}')
    expect(listAuthorities(egress)).toEqual([`${PUBLIC}:443`])
    expect(egress.tunnels[0]?.headers.host).toBe(`${PUBLIC}:443`)
    expect(arrived).toEqual([[HOST, HOST]])
    expect(resolve.count()).toBe(1)
  })

  it('has its IPv6 address in brackets, and the next address tried where the first cannot be reached', async () => {
    const { egress, fetch } = await start([`${PUBLIC}:8443`])
    const resolve = resolveTo(['2606:4700::1', PUBLIC])
    expect(await fetch(`https://${HOST}:8443/client.json`, resolve)).toBe('{"is":"there"}')
    expect(listAuthorities(egress)).toEqual(['[2606:4700::1]:8443', `${PUBLIC}:8443`])
  })

  it('makes for four tunnels at most, however many addresses it has', async () => {
    const { egress, fetch } = await start([])
    const addresses = Array.from({ length: 40 }, (_, i) => `8.8.4.${i}`)
    expect(await fetch(`https://${HOST}/`, resolveTo(addresses))).toContain('could not reach 8.8.4.3:443 (status 502)')
    expect(egress.tunnels).toHaveLength(4)
  })

  it.each<[string, readonly string[]]>([
    ['this machine', ['127.0.0.1']],
    ['a private network', ['10.1.2.3']],
    ['where clouds keep their secrets', ['169.254.169.254']],
    ['a private network by IPv6', ['fd00::1']],
    ['a public address and a private one', [PUBLIC, '192.168.0.1']],
  ])('is not asked for at all where it leads to %s', async (_name, addresses) => {
    const { egress, fetch } = await start([...addresses.map((address) => `${address}:443`), `${HOST}:443`])
    expect(await fetch(`https://${HOST}/`, resolveTo(addresses))).toContain('resolves to an address that is not public')
    expect(egress.tunnels).toEqual([])
  })

  it('is refused as a literal private address, in whatever notation', async () => {
    const { egress, fetch } = await start(['10.0.0.1:443'])
    for (const host of ['10.0.0.1', '0xa.1', '167772161', '[::ffff:10.0.0.1]', '[fd00::1]'])
      expect(await fetch(`https://${host}/`)).toMatch(/not a public address|unusual notation/)
    expect(egress.tunnels).toEqual([])
  })

  it('is asked for by the next address only if that is public as well, when the name changes its mind', async () => {
    const { egress, fetch } = await start([`${HOST}:443`, '10.0.0.1:443'])
    expect(await fetch(`https://${HOST}/`, resolveTo([PUBLIC], ['10.0.0.1']))).toContain(`could not reach ${PUBLIC}:443`)
    expect(listAuthorities(egress)).toEqual([`${PUBLIC}:443`])
  })

  it('never becomes a name because the egress proxy permits no addresses: the log says the way out', async () => {
    const { egress, arrived, fetch } = await start()
    egress.answerWith('HTTP/1.1 403 Forbidden\r\n\r\n')
    const said = await fetch(`https://${HOST}/`)
    expect(said).toContain(`refused a tunnel to ${PUBLIC}:443 (status 403); ${HOST} was not named by the configuration`)
    expect(said).toContain('egress_proxy.resolves')
    expect(listAuthorities(egress)).toEqual([`${PUBLIC}:443`])
    expect(arrived).toEqual([])
  })

  it('never becomes a name because it cannot be resolved here: the log says the way out', async () => {
    const { egress, fetch } = await start()
    const said = await fetch(`https://${HOST}/`, resolveNothing)
    expect(said).toContain(`${HOST} cannot be resolved here (queryA ETIMEOUT)`)
    expect(said).toContain('egress_proxy.resolves')
    expect(await fetch(`https://${HOST}/`, resolveTo([]))).toContain('cannot be resolved here')
    expect(egress.tunnels).toEqual([])
  })

  it('becomes a name where the operator lists that very host', async () => {
    const { egress, fetch } = await start()
    const resolvedByProxy = [readPattern(parseExactHost, HOST)]
    expect(await fetch(`https://${HOST}/`, resolveNothing, { resolvedByProxy })).toBe('{"is":"there"}')
    expect(listAuthorities(egress)).toEqual([`${HOST}:443`])
  })

  it.each(['example.test', `x.${HOST}`, `*.${HOST}`, `${HOST}:8443`, 'lient.example.test'])(
    'becomes no name because another host is listed: %s',
    async (listed) => {
      const { egress, fetch } = await start()
      const resolvedByProxy = [readPattern(parseExactHost, listed)]
      expect(await fetch(`https://${HOST}/`, resolveNothing, { resolvedByProxy })).toContain('cannot be resolved here')
      expect(egress.tunnels).toEqual([])
    },
  )

  it('is checked in the same way where the egress proxy is not the way to it', async () => {
    const { egress, fetch } = await start()
    const direct = [readPattern(parseDirectHost, HOST)]
    expect(await fetch(`https://${HOST}/`, resolveTo(['10.0.0.1']), { direct })).toContain('not public')
    expect(egress.tunnels).toEqual([])
  })

  it('in metadata of an issuer is resolved here as well, where the host is not that of the issuer', async () => {
    const { egress, fetch } = await start(['login.example.test:443', `${HOST}:443`])
    const issuer = 'https://login.example.test'
    expect(await fetch(`https://${HOST}/keys`, resolveNothing, {}, { issuer })).toContain('cannot be resolved here')
    expect(egress.tunnels).toEqual([])
  })
})

describe('an issuer that the egress proxy resolves, and that has a private address here', () => {
  const issuer = `https://${HOST}`
  const inside = resolveTo(['10.1.2.3'])

  it.each(['https://10.0.0.5/keys', 'https://inside.example.test/keys'])('leads to no other private one: %s', async (url) => {
    const { egress, fetch } = await start(['10.0.0.5:443', 'inside.example.test:443'])
    expect(await fetch(url, inside, {}, { issuer })).toMatch(/not a public address|an address that is not public/)
    expect(egress.tunnels).toEqual([])
  })

  it('leads there where the operator permits it', async () => {
    const { egress, fetch } = await start(['10.0.0.5:443'])
    await fetch('https://10.0.0.5/keys', inside, {}, { issuer, allowPrivateNetwork: true })
    expect(listAuthorities(egress)).toEqual(['10.0.0.5:443'])
  })

  it.each<[string, string, Partial<EgressPlan>]>([
    ['its address is written in the configuration', 'https://10.1.2.3', {}],
    ['it is reached past the egress proxy', issuer, { direct: [readPattern(parseDirectHost, HOST)] }],
  ])('leads there where %s', async (_why, from, changes) => {
    const { egress, fetch } = await start(['10.0.0.5:443'])
    await fetch('https://10.0.0.5/keys', inside, changes, { issuer: from })
    expect(listAuthorities(egress)).toEqual(['10.0.0.5:443'])
  })
})

describe('the credentials of the egress proxy', () => {
  it('are in no request to a destination, and in no error', async () => {
    const { egress, fields, fetch } = await start()
    expect(await fetch(`https://${HOST}/`)).toBe('{"is":"there"}')
    expect(fields.join('\n')).not.toMatch(/proxy|basic/i)
    const secrets = [PASSWORD, Buffer.from(`user:${PASSWORD}`).toString('base64')]
    for (const bytes of ['HTTP/1.1 407 No\r\n\r\n', `HTTP/1.1 403 ${PASSWORD}\r\n\r\n${PASSWORD}`, `${PASSWORD}\r\n\r\n`]) {
      egress.answerWith(bytes)
      const said = await fetch(`https://${HOST}/`)
      expect(said).toMatch(/egress proxy/)
      for (const secret of secrets) expect(said).not.toContain(secret)
    }
  })
})

/** What an egress proxy could answer to CONNECT instead of opening a tunnel. */
const ODDITIES: readonly (readonly [name: string, bytes: string])[] = [
  ['a redirect', 'HTTP/1.1 302 Found\r\nLocation: http://10.0.0.1/\r\n\r\n'],
  ['a page with a success', 'HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 20\r\n\r\n<html>Sign in</html>'],
  ['another protocol', 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n'],
  ['no HTTP', 'SSH-2.0-OpenSSH_9.2\r\n'],
  [
    'an endless header section',
    `HTTP/1.1 200 OK\r\n${'X-Long: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n'.repeat(2000)}`,
  ],
  ['two lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n'],
  [
    'an answer of the destination that it makes up',
    'HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}',
  ],
  ['nothing', ''],
]

describe('an egress proxy that answers CONNECT with', () => {
  it.each(ODDITIES)('%s gets no further with a call', async (_name, bytes) => {
    const egress = await startEgressProxy({ routes: {} })
    egress.answerWith(bytes)
    const url = 'http://mcp.example.test/mcp'
    const upstream = createHttpUpstream({
      kind: 'http',
      url,
      socket: undefined,
      headers: { authorization: `Bearer ${PASSWORD}` },
      connectSeconds: 1,
      responseSeconds: 5,
      heartbeatSeconds: 0,
      followSlashRedirects: false,
      ca: undefined,
      egress: planEgress(egress),
    })
    const gate = await openGate({ streamable_http: upstream }, { upstreamUrl: url })
    closing.push(egress.close, gate.close)
    const response = await sendMcp(`${gate.origin}/mcp`, { body: { jsonrpc: '2.0', id: 1, method: 'ping' } })
    expect(response.status).toBe(502)
    expect(await response.json()).toMatchObject({ id: 1, error: { code: -31502 } })
    expect(gate.records).toMatchObject([{ code: 'upstream_unreachable', reason: 'egress_failed' }])
    expect(response.headers.get('location')).toBeNull()
  })

  it.each(ODDITIES)('%s gets no further with a fetch', async (_name, bytes) => {
    const { egress, arrived, fetch } = await start()
    egress.answerWith(bytes)
    expect(await fetch(`https://${HOST}/`)).toMatch(/egress proxy|no complete answer within/)
    expect(arrived).toEqual([])
    await waitUntil(() => egress.open() === 0, 'the connection to the egress proxy is closed')
  })
})

// Calls, keys and metadata through the egress proxy of a company: a real one, under names that no resolver of this machine knows. What
// would go out directly fails.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer as createHttpServer } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import type { ConfigInput } from '../src/config/schema/schema.ts'
import { closeServer, listenOnLoopback } from '../src/sandbox/listen.ts'
import { createCertificate } from './support/certificate.ts'
import { type EgressProxy, type EgressProxyOptions, startEgressProxy } from './support/egress-proxy.ts'
import { createToolCall, readEvents, sendMcp } from './support/mcp-requests.ts'
import { waitUntil } from './support/processes.ts'
import { startTestProxy, type TestProxy } from './support/proxy.ts'
import { answerJson, controlStream, type RecordingUpstream, startRecordingUpstream } from './support/recording-upstream.ts'
import { startIssuer } from './support/tokens.ts'

const audience = 'https://mcp.example.com/mcp'
const MCP = 'mcp.example.test:80'
const KEYS = 'idp.internal:80'
const PASSWORD = 'pässwörd-of-the-egress-proxy'
const open: (() => unknown)[] = []
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close()
})

interface Scene {
  readonly egress: EgressProxy
  readonly upstream: RecordingUpstream
  readonly proxy: TestProxy
  call(): Promise<Response>
}

interface SceneOptions {
  readonly egress?: Omit<EgressProxyOptions, 'routes'>
  readonly config?: (egress: EgressProxy) => Partial<ConfigInput>
  readonly env?: (egress: EgressProxy) => Readonly<Record<string, string>>
  readonly server?: object
  readonly routes?: EgressProxyOptions['routes']
}

async function start({ egress: options, config, env, server, routes: more }: SceneOptions = {}): Promise<Scene> {
  const upstream = await startRecordingUpstream(answerJson({ jsonrpc: '2.0', id: 1, result: { content: [] } }))
  const issuer = await startIssuer({ audience })
  const routes = { [MCP]: upstream.port, [KEYS]: Number(new URL(issuer.issuer).port), ...more }
  const egress = await startEgressProxy({ ...options, routes })
  const jwks_uri = `http://idp.internal${new URL(issuer.jwksUri).pathname}`
  const proxy = await startTestProxy(
    {
      issuers: [{ issuer: issuer.issuer, jwks_uri }],
      servers: [
        {
          path: '/mcp',
          upstream: { url: 'http://mcp.example.test/up', connect_timeout_seconds: 2, ...server },
          audience: [audience],
        },
      ],
      ...(env === undefined && { egress_proxy: { url: egress.url } }),
      ...config?.(egress),
    },
    env?.(egress),
  )
  open.push(upstream.close, issuer.close, egress.close, proxy.close)
  const token = await issuer.mint()
  return { egress, upstream, proxy, call: () => sendMcp(`${proxy.origin}/mcp`, { user: token, body: createToolCall('read') }) }
}

const listAuthorities = ({ tunnels }: EgressProxy): string[] => tunnels.map(({ authority }) => authority)

/** What the client and the operator get of a call that failed. */
async function readRefusal({ proxy, call }: Scene): Promise<{ status: number; reason: unknown; cause: string }> {
  const response = await call()
  await response.text()
  const { reason, cause } = await proxy.log.waitFor(
    (record) => record.code === 'upstream_unreachable' || record.error === 'upstream_unreachable',
  )
  return { status: response.status, reason, cause: String(cause) }
}

describe('behind an egress proxy', () => {
  it('calls and keys go through tunnels, which calls share', async () => {
    const { egress, upstream, call } = await start()
    for (let i = 0; i < 3; i++) expect((await call()).status).toBe(200)
    expect(listAuthorities(egress).toSorted()).toEqual([KEYS, MCP])
    expect(egress.others).toEqual([])
    expect(upstream.requests.map(({ headers }) => headers.host)).toEqual(Array(3).fill('mcp.example.test'))
  })

  it.each<[string, (egress: EgressProxy) => Readonly<Record<string, string>>]>([
    ['HTTP_PROXY', ({ url }) => ({ HTTP_PROXY: url })],
    ['http_proxy without a scheme', ({ url }) => ({ http_proxy: url.replace('http://', '') })],
  ])('the environment says where it is: %s', async (_name, env) => {
    const { egress, call } = await start({ env })
    expect((await call()).status).toBe(200)
    expect(listAuthorities(egress).toSorted()).toEqual([KEYS, MCP])
  })

  it('events of a stream come one by one', async () => {
    const { upstream, call } = await start()
    const stream = controlStream()
    upstream.answerWith(stream.answer)
    const response = await call()
    const events = readEvents(response)
    for (const data of ['1', '2', '3']) {
      await stream.send(`data: ${data}\n\n`)
      expect((await events.next()).value).toMatchObject({ data })
    }
    await stream.end()
    expect((await events.next()).done).toBe(true)
  })

  it('credentials go to the egress proxy alone, over TLS that is verified', async () => {
    const certificate = createCertificate()
    const folder = mkdtempSync(join(tmpdir(), 'egress-'))
    const ca_file = join(folder, 'ca.pem')
    writeFileSync(ca_file, certificate.cert)
    open.push(() => rmSync(folder, { recursive: true }))
    const trusted = { username: 'proxy-user', password: { env: 'PASSWORD' }, ca_file }
    const scene = await start({
      egress: { credentials: `proxy-user:${PASSWORD}`, certificate },
      config: ({ url }) => ({ egress_proxy: { url, ...trusted } }),
      env: () => ({ PASSWORD }),
    })
    const { egress, upstream, proxy, call } = scene
    expect((await call()).status).toBe(200)
    expect(upstream.requests).toHaveLength(1)
    expect(String(upstream.connections[0])).not.toMatch(/proxy-authorization|proxy-connection|Basic/i)
    await proxy.reloadWith({ egress_proxy: { url: egress.url, ...trusted, ca_file: undefined } }, { PASSWORD })
    expect((await call()).status).toBe(503)
    await proxy.log.waitFor(({ msg }) => /egress proxy https:.* cannot be reached \(self-signed/.test(String(msg)))
    expect(proxy.log.text()).not.toContain(PASSWORD)
  })

  it('TLS goes through to the MCP server, and is verified for its name', async () => {
    const certificate = createCertificate({ host: 'mcp.example.test' })
    const names: unknown[] = []
    const server = createHttpsServer(certificate, (request, response) => {
      names.push([request.headers.host, (request.socket as { servername?: unknown }).servername])
      response.setHeader('content-type', 'application/json').end('{"jsonrpc":"2.0","id":1,"result":{}}')
    })
    const port = await listenOnLoopback(server, 0)
    const folder = mkdtempSync(join(tmpdir(), 'egress-'))
    writeFileSync(join(folder, 'ca.pem'), certificate.cert)
    open.push(
      () => closeServer(server),
      () => rmSync(folder, { recursive: true }),
    )
    const trust = { ca_file: join(folder, 'ca.pem') }
    const scene = await start({
      server: { url: 'https://mcp.example.test/mcp', ...trust },
      routes: { 'mcp.example.test:443': port, 'other.example.test:443': port },
    })
    expect((await scene.call()).status).toBe(200)
    expect(names).toEqual([['mcp.example.test', 'mcp.example.test']])
    await scene.proxy.reloadWith({
      servers: [{ path: '/mcp', upstream: { url: 'https://other.example.test/mcp', ...trust }, audience: [audience] }],
    })
    expect(await readRefusal(scene)).toMatchObject({
      status: 502,
      reason: 'connect_failed',
      cause: expect.stringContaining('altnames'),
    })
    expect(names).toHaveLength(1)
  })

  it('a tunnel that is cut while idle is replaced, and one that is cut in an answer cuts that answer', async () => {
    const { egress, upstream, proxy, call } = await start()
    expect((await call()).status).toBe(200)
    for (let i = 2; i < 5; i++) {
      egress.cut()
      expect((await call()).status).toBe(200)
      expect(upstream.requests).toHaveLength(i)
    }
    const stream = controlStream()
    upstream.answerWith(stream.answer)
    const response = await call()
    await stream.send('data: 1\n\n')
    egress.cut()
    await expect(response.text()).rejects.toThrow()
    await proxy.log.waitFor(({ reason }) => reason === 'connection_lost')
    expect(upstream.requests).toHaveLength(5)
  })

  it('TLS goes through an egress proxy that speaks TLS itself, each verified by its own authority', async () => {
    const [own, theirs] = [createCertificate(), createCertificate({ host: 'mcp.example.test' })]
    const folder = mkdtempSync(join(tmpdir(), 'egress-'))
    const [egressCa, serverCa] = [join(folder, 'egress.pem'), join(folder, 'server.pem')]
    writeFileSync(egressCa, own.cert)
    writeFileSync(serverCa, theirs.cert)
    const server = createHttpsServer(theirs, (_request, response) =>
      response.setHeader('content-type', 'application/json').end('{"jsonrpc":"2.0","id":1,"result":{}}'),
    )
    const port = await listenOnLoopback(server, 0)
    open.push(
      () => closeServer(server),
      () => rmSync(folder, { recursive: true }),
    )
    const { egress, call } = await start({
      egress: { certificate: own },
      config: ({ url }) => ({ egress_proxy: { url, ca_file: egressCa } }),
      server: { url: 'https://mcp.example.test/mcp', ca_file: serverCa },
      routes: { 'mcp.example.test:443': port },
    })
    expect((await call()).status).toBe(200)
    expect(listAuthorities(egress)).toContain('mcp.example.test:443')
    egress.cut()
    expect((await call()).status).toBe(200)
  })

  it('a Unix socket is no matter of it', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'egress-'))
    const socket = join(folder, 'mcp.sock')
    const server = createHttpServer((_request, response) =>
      response.setHeader('content-type', 'application/json').end('{"jsonrpc":"2.0","id":1,"result":{}}'),
    )
    await new Promise<void>((resolve) => server.listen(socket, resolve))
    open.push(
      () => rmSync(folder, { recursive: true }),
      () => closeServer(server),
    )
    const { egress, call } = await start({ server: { socket } })
    expect((await call()).status).toBe(200)
    expect(listAuthorities(egress)).toEqual([KEYS])
  })

  it('hosts in no_proxy are reached directly, and this machine always', async () => {
    const scene = await start({ config: ({ url }) => ({ egress_proxy: { url, no_proxy: ['.example.test'] } }) })
    // Directly, its name is not known.
    const refusal = await readRefusal(scene)
    expect(refusal).toMatchObject({ status: 502, reason: 'connect_failed', cause: expect.stringContaining('ENOTFOUND') })
    expect(listAuthorities(scene.egress)).toEqual([KEYS])
    await scene.proxy.reloadWith({ servers: [{ path: '/mcp', upstream: `${scene.upstream.origin}/up`, audience: [audience] }] })
    expect((await scene.call()).status).toBe(200)
    expect(listAuthorities(scene.egress)).toEqual([KEYS])
  })

  it('a reload puts another egress proxy into force for new connections, and closes the old ones', async () => {
    const { egress, upstream, proxy, call } = await start()
    expect((await call()).status).toBe(200)
    const next = await startEgressProxy({ routes: egress.routes })
    open.push(next.close)
    const report = await proxy.reloadWith({ egress_proxy: { url: next.url } })
    expect(report).toMatchObject({ outcome: 'reloaded', changed: expect.arrayContaining(['egress_proxy']) })
    await waitUntil(() => egress.open() === 0, 'the old tunnels are closed')
    expect((await call()).status).toBe(200)
    expect(listAuthorities(egress)).toHaveLength(2)
    expect(listAuthorities(next).toSorted()).toEqual([KEYS, MCP])
    expect(upstream.requests).toHaveLength(2)
  })
})

describe('an egress proxy that opens no tunnel', () => {
  it.each<[string, string, RegExp]>([
    ['wants other credentials', 'HTTP/1.1 407 Proxy Authentication Required\r\n\r\n', /wants other credentials \(status 407\)$/],
    [
      'forbids the host',
      'HTTP/1.1 403 Forbidden\r\nContent-Length: 5\r\n\r\nnever',
      /refused a tunnel to mcp\.example\.test:80 \(status 403\)$/,
    ],
    ['does not reach it', 'HTTP/1.1 503 Service Unavailable\r\n\r\n', /could not reach mcp\.example\.test:80 \(status 503\)$/],
    ['does not answer', '', /gave no valid answer to CONNECT \(no connection within 2 s\)$/],
  ])('is told from the MCP server: %s', async (_name, bytes, cause) => {
    const scene = await start()
    // Keys are at hand after this.
    expect((await scene.call()).status).toBe(200)
    scene.egress.answerWith(bytes)
    await scene.proxy.reloadWith({
      servers: [
        { path: '/mcp', upstream: { url: 'http://mcp.example.test/other', connect_timeout_seconds: 2 }, audience: [audience] },
      ],
    })
    expect(await readRefusal(scene)).toEqual({ status: 502, reason: 'egress_failed', cause: expect.stringMatching(cause) })
    expect(scene.upstream.requests).toHaveLength(1)
  })

  it('is told from the issuer where the keys are behind it: 503', async () => {
    const { call, proxy } = await start({ egress: { credentials: 'a:b' } })
    expect((await call()).status).toBe(503)
    await proxy.log.waitFor(({ msg }) => /wants other credentials \(status 407\)/.test(String(msg)))
  })

  it('is asked once more where it was only restarted, since nothing was sent', async () => {
    const scene = await start()
    expect((await scene.call()).status).toBe(200)
    await scene.proxy.reloadWith({ servers: [{ path: '/mcp', upstream: 'http://mcp.example.test/other', audience: [audience] }] })
    scene.egress.answerWith('HTTP/1.1 503 Service Unavailable\r\n\r\n')
    const tunnels = scene.egress.tunnels.length
    const answer = scene.call()
    await waitUntil(() => scene.egress.tunnels.length > tunnels, 'the egress proxy is asked')
    scene.egress.answerWith(undefined)
    expect((await answer).status).toBe(200)
  })

  it('opens the circuit: calls are refused at once', async () => {
    const scene = await start()
    expect((await scene.call()).status).toBe(200)
    await scene.proxy.reloadWith({ servers: [{ path: '/mcp', upstream: 'http://mcp.example.test/other', audience: [audience] }] })
    scene.egress.answerWith('HTTP/1.1 403 Forbidden\r\n\r\n')
    const tunnels = scene.egress.tunnels.length
    for (let i = 0; i < 7; i++) expect((await scene.call()).status).toBe(502)
    expect(scene.egress.tunnels.length - tunnels).toBe(5)
    await scene.proxy.log.waitFor(
      (record) => record.reason === 'circuit_open' && String(record.cause).includes('refused a tunnel'),
    )
  })
})

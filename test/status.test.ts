import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import type { ProxyStatus } from '../src/core/proxy-status.ts'
import { closeServer, listenOnLoopback } from '../src/sandbox/listen.ts'
import { callMcp } from './support/broker-client.ts'
import { startBrokerStage } from './support/broker-stage.ts'
import { scripted } from './support/gate.ts'
import { waitUntil } from './support/processes.ts'
import { startTestProxy } from './support/proxy.ts'
import { sendRaw } from './support/raw-client.ts'
import { answerJson, controlStream, startRecordingUpstream } from './support/recording-upstream.ts'
import { hasRedisServer, startRedisServer } from './support/redis-server.ts'
import { startIssuer } from './support/tokens.ts'

const open: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close()
})

const ADMIN_TOKEN = 'operators-only-'.repeat(3)
const BROWSER = 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8'

async function readStatus(admin: string | undefined): Promise<ProxyStatus> {
  const response = await fetch(`${admin}/status`, { headers: { accept: 'application/json' } })
  expect(response.headers.get('content-type')).toBe('application/json')
  return (await response.json()) as ProxyStatus
}

/** `/status` says it, sooner or later. */
async function readUntil(admin: string | undefined, says: (status: ProxyStatus) => boolean): Promise<ProxyStatus> {
  await waitUntil(async () => says(await readStatus(admin)), 'the status says so')
  return readStatus(admin)
}

/** Nothing listens there, and no other test takes it: free ports are above 1023. */
const away = 1

async function start(answer = answerJson({ jsonrpc: '2.0', id: 1, result: {} })) {
  const [upstream, issuer] = await Promise.all([startRecordingUpstream(answer), startIssuer()])
  open.push(
    () => upstream.close(),
    () => issuer.close(),
  )
  const proxy = await startTestProxy(
    {
      issuers: [issuer.issuer],
      admin: { port: 0, token: { env: 'ADMIN_TOKEN' } },
      servers: [
        { name: 'files', path: '/files', upstream: `${upstream.origin}/mcp-path?key=k` },
        {
          name: 'away',
          path: '/away',
          upstream: { url: `http://127.0.0.1:${away}/mcp`, headers: { 'x-key': { env: 'ADMIN_TOKEN' } } },
        },
        { name: 'local', path: '/local', upstream: { command: [...scripted], max_processes: 3 } },
      ],
    },
    { ADMIN_TOKEN },
  )
  open.push(() => proxy.close())
  const mint = (path: string) => issuer.mint({ claims: { aud: `${proxy.origin}${path}`, sub: 'alice-the-subject' } })
  const call = async (path: string) => callMcp(`${proxy.origin}${path}`, await mint(path))
  return { proxy, upstream, issuer, mint, call, admin: proxy.adminUrl }
}

describe('/status of the admin listener', () => {
  it('says what runs, since when, and whether it is ready', async () => {
    const { admin, issuer, upstream } = await start()
    const status = await readUntil(admin, ({ ready }) => ready)
    expect(status).toMatchObject({
      version: expect.stringMatching(/^\d/),
      node: process.version,
      state: 'serving',
      configuration: { digest: expect.stringMatching(/^[0-9a-f]{16}$/) },
      issuers: [{ issuer: issuer.issuer, keys_age_seconds: expect.any(Number) }],
      servers: [
        {
          name: 'files',
          open_streams: 0,
          open_calls: 0,
          upstreams: [{ kind: 'http', address: upstream.origin, circuit: 'closed' }],
        },
        { name: 'away', upstreams: [{ kind: 'http', address: `http://127.0.0.1:${away}`, circuit: 'closed' }] },
        { name: 'local', upstreams: [{ kind: 'stdio', mcp_sessions: 0, max_processes: 3, processes: [] }] },
      ],
      deny_list: { read: true, entries: 0 },
      body_room: { used_bytes: 0, waiting: 0 },
      last_errors: [],
    })
    expect(Date.now() - Date.parse(status.started_at)).toBeLessThan(600_000)
    expect(status.uptime_seconds).toBeGreaterThanOrEqual(0)
    expect(Date.parse(status.configuration.loaded_at)).toBeGreaterThanOrEqual(Date.parse(status.started_at))
    expect(status.store).toEqual({ kind: 'memory', reachable: true })
  })

  it('tells of a server that cannot be reached, with the requests that failed, and of none that clients spoiled', async () => {
    const { admin, call, proxy } = await start()
    for (let i = 0; i < 6; i++) expect(await call('/away')).toBe(502)
    expect(await callMcp(`${proxy.origin}/away`, 'no-token')).toBe(401)
    const { servers, last_errors: errors } = await readUntil(admin, ({ last_errors }) => last_errors.length === 6)
    expect(servers[1]?.upstreams).toEqual([
      {
        kind: 'http',
        address: `http://127.0.0.1:${away}`,
        circuit: 'open',
        last_failure: { at: expect.any(String), cause: expect.stringContaining('ECONNREFUSED') },
      },
    ])
    expect(servers[0]?.upstreams).toMatchObject([{ circuit: 'closed' }])
    expect(errors[0]).toEqual({
      at: expect.any(String),
      server: 'away',
      code: 'upstream_unreachable',
      reason: 'circuit_open',
      request_id: expect.any(String),
    })
    expect(proxy.log.text()).toContain(errors[0]?.request_id)
  })

  it('counts event streams that are open, and processes with their sessions', async () => {
    const stream = controlStream()
    const { admin, mint, call, proxy } = await start(stream.answer)
    const stop = new AbortController()
    const headers = { authorization: `Bearer ${await mint('/files')}`, accept: 'text/event-stream' }
    const opened = fetch(`${proxy.origin}/files`, { headers, signal: stop.signal })
    await stream.opened
    await stream.send('data: 1\n\n')
    await opened
    expect(await call('/local')).toBe(200)
    const { servers } = await readUntil(admin, (status) => status.servers[0]?.open_streams === 1)
    expect(servers[2]?.upstreams).toEqual([
      {
        kind: 'stdio',
        mcp_sessions: 1,
        max_processes: 3,
        processes: [{ pid: expect.any(Number), age_seconds: expect.any(Number) }],
      },
    ])
    stop.abort()
    await readUntil(admin, (status) => status.servers[0]?.open_streams === 0)
  })

  it('tells why the keys of an issuer could not be fetched', async () => {
    const issuer = createServer((_request, response) => response.writeHead(500).end())
    const port = await listenOnLoopback(issuer, 0)
    open.push(() => closeServer(issuer))
    const proxy = await startTestProxy({
      issuers: [`http://127.0.0.1:${port}`],
      admin: { port: 0 },
      servers: [{ path: '/mcp', upstream: 'http://127.0.0.1:1/mcp' }],
    })
    open.push(() => proxy.close())
    const { issuers } = await readUntil(proxy.adminUrl, (status) => status.issuers[0]?.last_failure !== undefined)
    expect(issuers).toEqual([
      { issuer: `http://127.0.0.1:${port}`, last_failure: { at: expect.any(String), cause: expect.stringContaining('500') } },
    ])
  })

  it.skipIf(!hasRedisServer())('tells of a store that is away, and since when', async () => {
    const redis = await startRedisServer()
    const env = { KEY: Buffer.alloc(32, 'key of tests').toString('base64') }
    const store = { kind: 'redis' as const, url: redis.url }
    const stage = await startBrokerStage({
      config: { admin: { port: 0 }, store, encryption_keys: [{ env: 'KEY' }] },
      broker: { store: undefined },
      env,
    })
    open.push(() => stage.close())
    expect((await readStatus(stage.proxy.adminUrl)).store).toEqual({ kind: 'redis', reachable: true })
    await redis.close()
    const away = await readUntil(stage.proxy.adminUrl, (status) => status.store.last_failure !== undefined)
    expect(away.store).toMatchObject({ reachable: false, last_failure: { cause: expect.stringMatching(/./) } })
  })

  it('tells whether the audit log is written', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'status-'))
    open.push(async () => rmSync(folder, { recursive: true }))
    const issuer = await startIssuer()
    open.push(() => issuer.close())
    const proxy = await startTestProxy({
      issuers: [issuer.issuer],
      admin: { port: 0 },
      audit: { file: join(folder, 'audit.log') },
      servers: [{ path: '/mcp', upstream: 'http://127.0.0.1:1/mcp' }],
    })
    open.push(() => proxy.close())
    expect((await readStatus(proxy.adminUrl)).audit).toEqual({ writable: true, lost_records: 0 })
  })

  it('shows what a reload put into force, and what is known of servers that it did not change', async () => {
    const { admin, call, proxy, issuer } = await start()
    for (let i = 0; i < 5; i++) expect(await call('/away')).toBe(502)
    const before = await readUntil(admin, ({ last_errors }) => last_errors.length === 5)
    const upstream = { url: `http://127.0.0.1:${away}/mcp`, headers: { 'x-key': { env: 'ADMIN_TOKEN' } } }
    const report = await proxy.reloadWith({
      issuers: [issuer.issuer],
      admin: { port: 0, token: { env: 'ADMIN_TOKEN' } },
      servers: [
        { name: 'away', path: '/away', upstream },
        { name: 'fresh', path: '/fresh', upstream: 'http://127.0.0.1:1/mcp' },
      ],
    })
    expect(report).toMatchObject({ outcome: 'reloaded' })
    const after = await readStatus(admin)
    expect(after.servers).toMatchObject([{ name: 'away', upstreams: [{ circuit: 'open' }] }, { name: 'fresh' }])
    expect(after.configuration.digest).not.toBe(before.configuration.digest)
    expect(Date.parse(after.configuration.loaded_at)).toBeGreaterThan(Date.parse(before.configuration.loaded_at))
    expect(after.last_errors).toHaveLength(5)
  })

  it('is a page for a person: without script, nothing from elsewhere, in no frame', async () => {
    const { admin } = await start()
    const response = await fetch(`${admin}/status`, { headers: { accept: BROWSER } })
    expect(response.headers.get('content-type')).toBe('text/html; charset=utf-8')
    expect(response.headers.get('content-security-policy')).toMatch(
      /^default-src 'none'; style-src 'sha256-[^']+'; form-action 'none';/,
    )
    expect(response.headers.get('x-frame-options')).toBe('DENY')
    const html = await response.text()
    for (const text of ['Servers', 'files', 'away', 'local', 'no failure to connect now', 'None since the start.'])
      expect(html).toContain(text)
    expect(html).toContain('name="viewport"')
    expect(html).not.toMatch(/<script|<img|<link|src=|href=|\son\w+=/i)
  })

  it('shows no user, no token, no secret, and no path that may be one', async () => {
    const { admin, call, mint } = await start()
    const token = await mint('/files')
    await call('/files')
    await call('/away')
    for (const accept of [BROWSER, 'application/json', '*/*']) {
      const text = await (await fetch(`${admin}/status`, { headers: { accept } })).text()
      for (const secret of [token, ADMIN_TOKEN, 'alice-the-subject', 'test-client', 'key=k', 'mcp-path'])
        expect(text).not.toContain(secret)
    }
  })

  it('is kept from web pages, and changes nothing', async () => {
    const { admin } = await start()
    const ask = async (line: string, fields: string) =>
      (await sendRaw(Number(new URL(admin ?? '').port), `${line} /status HTTP/1.1\r\n${fields}\r\n\r\n`)).status
    expect(await ask('GET', 'Host: localhost')).toBe(200)
    expect(await ask('GET', 'Host: evil.example')).toBe(403)
    expect(await ask('GET', 'Host: localhost\r\nOrigin: https://evil.example')).toBe(403)
    expect(await ask('GET', 'Host: localhost\r\nSec-Fetch-Site: cross-site')).toBe(403)
    expect(await ask('POST', `Host: localhost\r\nAuthorization: Bearer ${ADMIN_TOKEN}`)).toBe(405)
  })
})

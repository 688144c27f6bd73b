import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect as connectTls, type PeerCertificate } from 'node:tls'
import { afterAll, afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createCertificate } from './support/certificate.ts'
import { createToolCall, readEvents, sendMcp } from './support/mcp-requests.ts'
import { startTestProxy, type TestProxy } from './support/proxy.ts'
import {
  type Answer,
  answerJson,
  controlStream,
  type RecordingUpstream,
  startRecordingUpstream,
} from './support/recording-upstream.ts'
import { startIssuer, type TestIssuer } from './support/tokens.ts'

const audience = 'https://mcp.example.com/mcp'
const open: (() => Promise<unknown>)[] = []
let leave: AbortController
beforeEach(() => {
  leave = new AbortController()
})
afterEach(async () => {
  leave.abort()
  for (const close of open.splice(0).reverse()) await close()
})

interface Scene {
  readonly proxy: TestProxy
  readonly upstream: RecordingUpstream
  readonly issuer: TestIssuer
  readonly token: string
  /** The configuration, changed. */
  reload(server: Record<string, unknown>, config?: Record<string, unknown>): ReturnType<TestProxy['reload']>
  call(tool?: string): Promise<Response>
  openStream(): Promise<Response>
}

const ok: Answer = answerJson({ jsonrpc: '2.0', id: 1, result: { content: [] } })

async function start(answer: Answer = ok, more: Record<string, unknown> = {}): Promise<Scene> {
  const upstream = await startRecordingUpstream(answer)
  const issuer = await startIssuer({ audience })
  const server = { name: 'files', path: '/mcp', upstream: `${upstream.origin}/mcp`, audience: [audience] }
  const proxy = await startTestProxy({ issuers: [issuer.issuer], servers: [server], shutdown: { drain_seconds: 5 }, ...more })
  open.push(upstream.close, issuer.close, proxy.close)
  const token = await issuer.mint()
  const url = `${proxy.origin}/mcp`
  return {
    ...{ proxy, upstream, issuer, token },
    reload: (changes, config = {}) => proxy.reloadWith({ servers: [{ ...server, ...changes }], ...config }),
    call: (tool = 'read') => sendMcp(url, { user: token, body: createToolCall(tool), signal: leave.signal }),
    openStream: () => sendMcp(url, { user: token, method: 'GET', accept: 'text/event-stream', signal: leave.signal }),
  }
}

/** An upstream that answers calls at once, and streams with an event and silence. */
const streamOn: Answer = (request, response) => {
  if (request.method !== 'GET') return ok(request, response)
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  response.write('data: {"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"first"}}\n\n')
}

describe('a reload', () => {
  it('puts a tightened policy into force for the next request, and says what changed', async () => {
    const { reload, call, proxy } = await start()
    expect((await call('delete')).status).toBe(200)
    const report = await reload({ rules: [{ tool: 'delete', deny: true }] })
    expect(report).toMatchObject({ outcome: 'reloaded', changed: ['server files: access and rules'] })
    expect((await call('delete')).status).toBe(403)
    expect((await call('read')).status).toBe(200)
    expect(proxy.events.filter(({ kind }) => kind === 'reload')).toMatchObject([{ outcome: 'success' }])
  })

  it('ends a stream that is no longer permitted, and keeps the others', async () => {
    const { reload, openStream, issuer, proxy } = await start(streamOn)
    const token = await issuer.mint({ claims: { sub: 'bob' } })
    const stays = sendMcp(`${proxy.origin}/mcp`, { user: token, method: 'GET', signal: leave.signal })
    const [alice, bob] = [await openStream(), await stays]
    await reload({ rules: [{ path: '/mcp', require: 'principal.subject == "bob"' }] })
    expect(await alice.text()).toContain('first')
    const events = readEvents(bob)
    expect((await events.next()).value?.data).toContain('first')
  })

  it('keeps a plain stream of a user to whom `access` leaves nothing', async () => {
    const upstream = controlStream()
    const { reload, openStream, call } = await start(upstream.answer)
    const events = readEvents(await openStream())
    expect((await reload({ access: [{ groups: ['nobody'], tools: ['*'] }] })).outcome).toBe('reloaded')
    expect(await (await call()).json()).toMatchObject({ error: { code: expect.any(Number) } })
    await upstream.send('data: {"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"after"}}\n\n')
    expect((await events.next()).value?.data).toContain('after')
  })

  it('cuts streams of an issuer that is removed', async () => {
    const { reload, openStream, call } = await start(streamOn)
    const stream = await openStream()
    const other = await startIssuer({ audience })
    open.push(other.close)
    const report = await reload({}, { issuers: [other.issuer] })
    expect(report).toMatchObject({ outcome: 'reloaded' })
    expect(await stream.text()).toContain('first')
    expect((await call()).status).toBe(401)
  })

  it('cuts streams whose audience is removed', async () => {
    const { reload, openStream } = await start(streamOn)
    const stream = await openStream()
    await reload({ audience: [] })
    expect(await stream.text()).toContain('first')
  })

  it('filters what open streams bring by the new policy', async () => {
    const upstream = controlStream()
    const { reload, openStream } = await start(upstream.answer, {})
    expect((await reload({ access: [{ everyone: true, tools: ['*'] }] })).outcome).toBe('reloaded')
    const events = readEvents(await openStream())
    const list = (tools: string[]) =>
      `data: ${JSON.stringify({ jsonrpc: '2.0', id: 7, result: { tools: tools.map((name) => ({ name, inputSchema: {} })) } })}\n\n`
    await upstream.send(list(['read', 'delete']))
    expect((await events.next()).value?.data).toContain('delete')
    expect((await reload({ access: [{ everyone: true, tools: ['read'] }] })).outcome).toBe('reloaded')
    await upstream.send(list(['read', 'delete']))
    const { value } = await events.next()
    expect(value?.data).toContain('read')
    expect(value?.data).not.toContain('delete')
  })

  it('lets a call finish that was decided before, and one to a server that is removed', async () => {
    const arrived = Promise.withResolvers<() => void>()
    const { reload, call, proxy } = await start((request, response) => arrived.resolve(() => void ok(request, response)))
    const answered = call('delete')
    const finish = await arrived.promise
    await reload({ rules: [{ tool: 'delete', deny: true }] })
    await reload({ name: 'another', path: '/other' })
    finish()
    expect((await answered).status).toBe(200)
    expect((await sendMcp(`${proxy.origin}/mcp`, { body: createToolCall('read') })).status).toBe(404)
  })

  it('ends the streams of a server that is removed cleanly', async () => {
    const { reload, openStream } = await start(streamOn)
    const stream = await openStream()
    await reload({ path: '/other', name: 'another' })
    expect(await stream.text()).toContain('first')
  })

  it('keeps the connections to an MCP server that did not change, and its issuer is not asked again', async () => {
    const { reload, call, upstream, issuer } = await start()
    await (await call()).text()
    const asked = issuer.requests.length
    await reload({ rules: [{ tool: 'delete', deny: true }] })
    await (await call()).text()
    expect(upstream.connections).toHaveLength(1)
    expect(issuer.requests).toHaveLength(asked)
  })

  it('serves with the new headers for the MCP server, read from the environment anew', async () => {
    const upstream = { url: '', headers: { 'x-api-key': { env: 'KEY' } } }
    const recording = await startRecordingUpstream()
    const issuer = await startIssuer({ audience })
    const server = { path: '/mcp', upstream: { ...upstream, url: `${recording.origin}/mcp` }, audience: [audience] }
    const proxy = await startTestProxy({ issuers: [issuer.issuer], servers: [server] }, { KEY: 'first-secret-of-the-upstream' })
    open.push(recording.close, issuer.close, proxy.close)
    const token = await issuer.mint()
    const call = async () => (await sendMcp(`${proxy.origin}/mcp`, { user: token, body: createToolCall('read') })).text()
    await call()
    const report = await proxy.reloadWith({}, { KEY: 'second-secret-of-the-upstream' })
    await call()
    expect(recording.requests.map(({ headers }) => headers['x-api-key'])).toEqual([
      'first-secret-of-the-upstream',
      'second-secret-of-the-upstream',
    ])
    expect(JSON.stringify(report) + proxy.log.text()).not.toContain('secret-of-the-upstream')
  })

  it('changes nothing with a configuration that has mistakes, and says them all', async () => {
    const { reload, call, proxy } = await start()
    const report = await reload(
      { path: 'no-slash', rules: [{ tool: 'delete', deny: true }, { tool: 'x' }] },
      { allowed_hosts: ['a b'] },
    )
    expect(report.outcome).toBe('invalid')
    const paths = report.outcome === 'invalid' ? report.problems.map(({ path }) => path) : []
    expect(paths).toEqual(expect.arrayContaining(['allowed_hosts[0]', 'servers[0].path', 'servers[0].rules[1]']))
    expect((await call('delete')).status).toBe(200)
    expect(proxy.log.text()).toContain('the one before stays in force')
  })

  it('names every setting that needs a restart, and changes nothing', async () => {
    const { reload, call } = await start(ok, { admin: { port: 0 } })
    const report = await reload(
      { rules: [{ tool: 'delete', deny: true }] },
      { listen: { port: 1 }, admin: { port: 0, allowed_hosts: ['x'] }, session_key: { env: 'K' }, log: { format: 'pretty' } },
    ).catch((error) => error)
    expect(report).toMatchObject({ outcome: 'invalid' })
    const valid = await reload(
      { rules: [{ tool: 'delete', deny: true }] },
      { listen: { port: 1 }, admin: { port: 0, allowed_hosts: ['x'] }, log: { format: 'pretty' } },
    )
    expect(valid).toEqual({ outcome: 'restart_needed', settings: ['listen.port', 'log.format', 'admin'] })
    expect((await call('delete')).status).toBe(200)
  })

  it('stays ready while a new issuer was never asked', async () => {
    const { reload, proxy } = await start()
    const ready = async () => (await fetch(`${proxy.origin}/readyz`)).status
    await vi.waitUntil(async () => (await ready()) === 200)
    await reload({}, { issuers: ['http://127.0.0.1:1'] })
    expect(await ready()).toBe(200)
  })

  it('refuses while the process shuts down', async () => {
    const { proxy, call } = await start()
    await (await call()).text()
    const closed = proxy.close()
    expect(await proxy.reload()).toEqual({ outcome: 'shutting_down' })
    await closed
  })

  it('answers many that come at once with two reloads', async () => {
    const { proxy } = await start()
    const reports = await Promise.all(Array.from({ length: 20 }, () => proxy.reload()))
    expect(new Set(reports.map(({ outcome }) => outcome))).toEqual(new Set(['reloaded']))
    expect(proxy.events.filter(({ kind }) => kind === 'reload')).toHaveLength(2)
  })

  it('applies the limits of bodies and the level of the log', async () => {
    const { reload, call, proxy } = await start()
    expect(await reload({}, { limits: { body_bytes: 1024 }, log: { level: 'warn', format: 'json' } })).toMatchObject({
      changed: expect.arrayContaining(['limits', 'log']),
    })
    expect((await call('x'.repeat(2000))).status).toBe(413)
    const before = proxy.log.text().length
    await (await call()).text()
    expect(proxy.log.text().length).toBe(before)
  })
})

describe('the certificate', () => {
  const folder = mkdtempSync(join(tmpdir(), 'reload-'))
  afterAll(() => rmSync(folder, { recursive: true }))
  const write = ({ cert, key }: ReturnType<typeof createCertificate>): void => {
    writeFileSync(join(folder, 'cert.pem'), cert)
    writeFileSync(join(folder, 'key.pem'), key)
  }
  const fingerprint = async (port: number): Promise<string> => {
    const socket = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false })
    await once(socket, 'secureConnect')
    const { raw } = socket.getPeerCertificate() as PeerCertificate
    socket.destroy()
    return createHash('sha256').update(raw).digest('hex')
  }

  it('is read anew although the configuration file is the same, and open connections stay', async () => {
    const issuer = await startIssuer({ audience })
    const upstream = await startRecordingUpstream()
    write(createCertificate())
    const tls = { cert_file: join(folder, 'cert.pem'), key_file: join(folder, 'key.pem') }
    const { startProxy } = await import('../src/app.ts')
    const { loadConfigValue } = await import('../src/config/load.ts')
    const { findFreePort } = await import('./support/free-port.ts')
    const port = await findFreePort()
    const load = () =>
      loadConfigValue(
        {
          public_url: `https://localhost:${port}`,
          listen: { port, tls },
          log: { level: 'silent' },
          issuers: [issuer.issuer],
          servers: [{ path: '/mcp', upstream: `${upstream.origin}/mcp` }],
        },
        { env: {}, directory: folder, terminal: false },
      ).plan
    const proxy = await startProxy(load(), { load })
    open.push(upstream.close, issuer.close, proxy.close)
    const connection = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false })
    await once(connection, 'secureConnect')
    const before = await fingerprint(port)
    write(createCertificate())
    expect(await proxy.reload()).toMatchObject({ outcome: 'reloaded', changed: ['listen.tls: certificate renewed'] })
    const after = await fingerprint(port)
    expect(after).not.toBe(before)
    connection.write(`GET /healthz HTTP/1.1\r\nHost: localhost:${port}\r\nConnection: close\r\n\r\n`)
    expect(String((await once(connection, 'data'))[0])).toContain('200 OK')
    writeFileSync(join(folder, 'key.pem'), createCertificate().key)
    expect(await proxy.reload()).toMatchObject({ outcome: 'invalid', problems: [{ path: 'listen.tls' }] })
    expect(await fingerprint(port)).toBe(after)
  })
})

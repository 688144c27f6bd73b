// Two real processes with one Redis: what one is asked to revoke is over in both, streams and stdio sessions included.
import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createAccessKey, digestAccessKey } from '../src/core/access-key.ts'
import { findFreePort } from './support/free-port.ts'
import { waitUntil } from './support/processes.ts'
import { controlStream, type RecordingUpstream, startRecordingUpstream } from './support/recording-upstream.ts'
import { hasRedisServer, type RedisServer, startRedisServer } from './support/redis-server.ts'
import { startIssuer, type TestIssuer } from './support/tokens.ts'
import { PROGRAMS } from './support/versions.ts'

const scripted = fileURLToPath(new URL('./fixtures/stdio/scripted-server.mjs', import.meta.url))
const PUBLIC = 'http://localhost:8080'
const env = { ...process.env, ADMIN_TOKEN: randomBytes(32).toString('hex'), KEY: randomBytes(32).toString('base64') }
/** What is promised. */
const WITHIN_MS = 5000

describe.skipIf(!hasRedisServer())('two processes that share Redis', { timeout: 60_000 }, () => {
  let folder: string
  let redis: RedisServer
  let issuer: TestIssuer
  let upstream: RecordingUpstream
  let processes: { readonly child: ChildProcess; readonly file: string; readonly program: string; readonly origin: string }[] = []

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'replicas-'))
    ;[redis, issuer, upstream] = await Promise.all([startRedisServer(), startIssuer(), startRecordingUpstream()])
    processes = await Promise.all(PROGRAMS.map(startProcess))
    for (const { origin } of processes)
      await waitUntil(async () => (await fetch(`${origin}/readyz`).catch(() => undefined))?.status === 200, 'it is ready', 30_000)
  }, 60_000)
  afterAll(async () => {
    const exits = processes.map(({ child }) => once(child, 'exit'))
    for (const { child } of processes) child.kill('SIGKILL')
    await Promise.all([...exits, issuer?.close(), upstream?.close(), redis?.close()])
    rmSync(folder, { recursive: true, force: true })
  })

  async function startProcess(program: string) {
    const [port, adminPort] = [await findFreePort(), await findFreePort()]
    const file = join(folder, `${port}.json`)
    const config = {
      public_url: PUBLIC,
      allowed_hosts: ['*'],
      listen: { port },
      admin: { port: adminPort, token: { env: 'ADMIN_TOKEN' } },
      store: { kind: 'redis', url: redis.url },
      encryption_keys: [{ env: 'KEY' }],
      issuers: [issuer.issuer],
      servers: [
        { path: '/mcp', upstream: `${upstream.origin}/mcp` },
        { path: '/stdio', upstream: { command: [process.execPath, scripted] } },
      ],
    }
    writeFileSync(file, JSON.stringify(config))
    return {
      child: spawn(process.execPath, [program, '--config', file], { env, stdio: 'ignore' }),
      file,
      program,
      origin: `http://localhost:${port}`,
    }
  }

  async function operate(at: number, ...words: string[]): Promise<number> {
    const { program = '', file = '' } = processes[at] ?? {}
    const child = spawn(process.execPath, [program, ...words, '--config', file], { env, stdio: 'ignore' })
    const [code] = await once(child, 'exit')
    return code as number
  }

  const mint = (sub: string, path = '/mcp') =>
    issuer.mint({ claims: { sub, aud: `${PUBLIC}${path}`, iat: Math.floor(Date.now() / 1000) } })

  async function post(url: string, token: string, body: object, more: object = {}): Promise<Response> {
    const accept = 'application/json, text/event-stream'
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json', accept, ...more }
    return fetch(url, { method: 'POST', headers, body: JSON.stringify(body) })
  }

  async function call(origin: string, token: string): Promise<number> {
    const answer = await post(`${origin}/mcp`, token, { jsonrpc: '2.0', id: 1, method: 'tools/list' })
    await answer.arrayBuffer()
    return answer.status
  }

  /** Opens an event stream, and says when it has ended. */
  async function listen(url: string, token: string, more: object = {}) {
    const headers = { authorization: `Bearer ${token}`, accept: 'text/event-stream', ...more }
    const response = await fetch(url, { headers })
    expect(response.status).toBe(200)
    const state = { hasEnded: false }
    const end = () => {
      state.hasEnded = true
    }
    void response.text().then(end, end)
    return state
  }

  async function listenOverHttp(origin: string, token: string) {
    upstream.answerWith(controlStream().answer)
    return listen(`${origin}/mcp`, token)
  }

  async function listenOverStdio(origin: string, token: string) {
    const url = `${origin}/stdio`
    const params = { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 'test', version: '1' } }
    const opened = await post(url, token, { jsonrpc: '2.0', id: 1, method: 'initialize', params })
    const session = { 'mcp-session-id': opened.headers.get('mcp-session-id') ?? '', 'mcp-protocol-version': '2025-06-18' }
    await opened.text()
    await (await post(url, token, { jsonrpc: '2.0', method: 'notifications/initialized' }, session)).text()
    return listen(url, token, session)
  }

  it('refuse the tokens of a user within five seconds, and end the streams in both', async () => {
    const [alice, bob] = [await mint('alice'), await mint('bob')]
    const [overStdio, bobOverStdio] = [await mint('alice', '/stdio'), await mint('bob', '/stdio')]
    for (const { origin } of processes) expect([await call(origin, alice), await call(origin, bob)]).toEqual([200, 200])
    const [ofAlice, ofBob] = [[], []] as { readonly hasEnded: boolean }[][] as [{ hasEnded: boolean }[], { hasEnded: boolean }[]]
    for (const { origin } of processes) {
      ofAlice.push(await listenOverHttp(origin, alice), await listenOverStdio(origin, overStdio))
      ofBob.push(await listenOverHttp(origin, bob), await listenOverStdio(origin, bobOverStdio))
    }
    upstream.answerWith((_request, response) => {
      response.setHeader('content-type', 'application/json')
      response.end('{"jsonrpc":"2.0","id":1,"result":{}}')
    })
    expect(await operate(0, 'users', 'revoke', 'alice')).toBe(0)
    for (const { origin } of processes)
      await waitUntil(async () => (await call(origin, alice)) === 401, 'it is refused', WITHIN_MS)
    await waitUntil(() => ofAlice.every(({ hasEnded }) => hasEnded), 'the streams have ended', WITHIN_MS)
    expect(ofBob.some(({ hasEnded }) => hasEnded)).toBe(false)
    for (const { origin } of processes) expect(await call(origin, bob)).toBe(200)
  })

  it('accept an access key that one of them was asked to make, and end it and its streams in both', async () => {
    const { admin } = JSON.parse(readFileSync(processes[0]?.file ?? '', 'utf8'))
    const key = createAccessKey()
    const act = (path: string, input: object) =>
      post(`http://127.0.0.1:${admin.port}${path}`, env.ADMIN_TOKEN, input).then(({ status }) => status)
    const terms = { name: 'nightly', digest: `sha256:${digestAccessKey(key)}`, servers: ['mcp'] }
    expect(await act('/keys/create', terms)).toBe(200)
    for (const { origin } of processes)
      await waitUntil(async () => (await call(origin, key)) === 200, 'it is accepted', WITHIN_MS)
    const streams = [await listenOverHttp(processes[1]?.origin ?? '', key)]
    upstream.answerWith((_request, response) => {
      response.setHeader('content-type', 'application/json')
      response.end('{"jsonrpc":"2.0","id":1,"result":{}}')
    })
    expect(await act('/keys/revoke', { name: 'nightly' })).toBe(200)
    expect(await call(processes[0]?.origin ?? '', key)).toBe(401)
    await waitUntil(async () => (await call(processes[1]?.origin ?? '', key)) === 401, 'it is refused', WITHIN_MS)
    await waitUntil(() => streams.every(({ hasEnded }) => hasEnded), 'the stream has ended', WITHIN_MS)
  })

  it('go on refusing them while Redis is away, and serve the others', async () => {
    const [carol, dave] = [await mint('carol'), await mint('dave')]
    for (const { origin } of processes) expect([await call(origin, carol), await call(origin, dave)]).toEqual([200, 200])
    expect(await operate(1, 'users', 'revoke', 'carol', '--block')).toBe(0)
    for (const { origin } of processes)
      await waitUntil(async () => (await call(origin, carol)) === 401, 'it is refused', WITHIN_MS)
    redis.freeze()
    for (const { origin } of processes) expect([await call(origin, carol), await call(origin, dave)]).toEqual([401, 200])
    expect(await operate(0, 'users', 'revoke', 'dave')).toBe(1)
    redis.thaw()
  })
})

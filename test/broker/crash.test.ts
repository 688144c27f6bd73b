import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type ExampleMcpServer, startMcpServer } from '../../demo/mcp-server.ts'
import { type AuthorizationServer, startAuthorizationServer } from '../../src/sandbox/authorization-server.ts'
import { SAMPLE_USERS } from '../../src/sandbox/users.ts'
import {
  authorize,
  callMcp,
  createRawClient,
  obtainTokens,
  type RawClient,
  readJson,
  redeem,
  refresh,
} from '../support/broker-client.ts'
import { BROKER_CLIENT, BROKER_CLIENT_ID, BROKER_CLIENT_SECRET } from '../support/broker-stage.ts'
import { waitUntil } from '../support/processes.ts'
import { findFreePort, hasRedisServer, type RedisServer, startRedisServer } from '../support/redis-server.ts'

const [alice] = SAMPLE_USERS
const program = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url))

let identityProvider: AuthorizationServer
let mcpServer: ExampleMcpServer
let folder: string

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'crash-'))
  ;[identityProvider, mcpServer] = await Promise.all([startAuthorizationServer({ clients: [BROKER_CLIENT] }), startMcpServer()])
})
afterAll(async () => {
  await Promise.all([identityProvider?.close(), mcpServer?.close()])
  rmSync(folder, { recursive: true, force: true })
})

describe('a proxy that is killed, with SQLite', { timeout: 60_000 }, () => {
  story(async () => ({ kind: 'sqlite', path: join(folder, 'broker.db') }))

  it('leaves a file in which no secret can be read', () => {
    const bytes =
      readFileSync(join(folder, 'broker.db')).toString('latin1') + readFileSync(join(folder, 'broker.db-wal')).toString('latin1')
    expect(bytes).toContain('AuthorizationCode')
    expect(seen.length).toBeGreaterThan(5)
    for (const secret of seen) expect(bytes).not.toContain(secret)
    expect(bytes).not.toContain('"d":')
    expect(bytes).not.toContain('alice@example.com')
  })
})

describe.skipIf(!hasRedisServer())('a proxy that is killed, with Redis', { timeout: 60_000 }, () => {
  let redis: RedisServer | undefined
  afterAll(() => redis?.close())
  story(async () => {
    redis = await startRedisServer()
    return { kind: 'redis', url: redis.url }
  })
})

/** Codes and tokens that were given out. */
const seen: string[] = []

function story(chooseStore: () => Promise<object>): void {
  let port: number
  let origin: string
  let file: string
  let proxy: ChildProcess
  let client: RawClient
  const env = { ...process.env, PROVIDER_SECRET: BROKER_CLIENT_SECRET, KEY: randomBytes(32).toString('base64') }

  beforeAll(async () => {
    port = await findFreePort()
    origin = `http://localhost:${port}`
    file = join(folder, `${port}.json`)
    const config = {
      public_url: origin,
      listen: { port },
      identity_provider: {
        issuer: identityProvider.issuer,
        client_id: BROKER_CLIENT_ID,
        client_secret: { env: 'PROVIDER_SECRET' },
      },
      broker: { store: await chooseStore(), encryption_keys: [{ env: 'KEY' }], refresh_grace_seconds: 60 },
      servers: [{ name: 'example', path: '/mcp', upstream: mcpServer.streamableHttpUrl, scopes: ['mcp:tools'] }],
    }
    writeFileSync(file, JSON.stringify(config))
    await start()
    client = await createRawClient(origin)
  })
  afterAll(() => kill())

  async function start(): Promise<void> {
    proxy = spawn(process.execPath, [program, '--config', file], { env, stdio: 'ignore' })
    await waitUntil(
      async () => (await fetch(`${origin}/readyz`).catch(() => undefined))?.status === 200,
      'the proxy is ready',
      20_000,
    )
  }
  async function kill(): Promise<void> {
    if (proxy.exitCode !== null || proxy.signalCode !== null) return
    const exited = once(proxy, 'exit')
    proxy.kill('SIGKILL')
    await exited
  }
  async function killAndStart(): Promise<void> {
    await kill()
    await start()
  }

  it('goes on with codes, tokens, registrations and keys of before', async () => {
    const code = await authorize(origin, client, alice)
    await killAndStart()
    const answer = await redeem(origin, client, code)
    expect(answer.status).toBe(200)
    const tokens = await readJson(answer)
    seen.push(code.code, tokens.refresh_token, tokens.access_token)
    await killAndStart()
    expect(await callMcp(`${origin}/mcp`, tokens.access_token)).toBe(200)
    expect((await refresh(origin, client, tokens.refresh_token)).status).toBe(200)
    // The code was used before the crash, and stays used.
    expect((await redeem(origin, client, code)).status).toBe(400)
  })

  it('between code and token: the code gives tokens once or not at all, and signing in again helps', async () => {
    for (const wait of [0, 1, 3, 6]) {
      const code = await authorize(origin, client, alice)
      const first = redeem(origin, client, code).then(
        async (response) => (response.status === 200 ? readJson(response) : undefined),
        () => undefined,
      )
      await new Promise((resolve) => setTimeout(resolve, wait))
      await killAndStart()
      const before = await first.catch(() => undefined)
      const after = await redeem(origin, client, code)
      expect([200, 400]).toContain(after.status)
      if (before !== undefined) expect(after.status).toBe(400)
      seen.push(code.code)
    }
    expect((await obtainTokens(origin, client, alice)).scope).toBe('mcp:tools')
  })

  it('between refresh and answer: the client tries again with what it has, and goes on', async () => {
    for (const wait of [0, 2, 5]) {
      const tokens = await obtainTokens(origin, client, alice)
      const lost = refresh(origin, client, tokens.refresh_token).then(
        (response) => response.body?.cancel(),
        () => undefined,
      )
      await new Promise((resolve) => setTimeout(resolve, wait))
      await killAndStart()
      await lost?.catch(() => undefined)
      expect((await refresh(origin, client, tokens.refresh_token)).status).toBe(200)
      seen.push(tokens.refresh_token)
    }
  })
}

// Keys change while everything goes on: those that sign, and those that encrypt what is kept.
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { decodeProtectedHeader } from 'jose'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { type ExampleMcpServer, startMcpServer } from '../../demo/mcp-server.ts'
import { createEncryption } from '../../src/core/encryption.ts'
import type { Store } from '../../src/core/store.ts'
import { openSigningKeys } from '../../src/oauth/signing-keys.ts'
import { type AuthorizationServer, startAuthorizationServer } from '../../src/sandbox/authorization-server.ts'
import { SAMPLE_USERS } from '../../src/sandbox/users.ts'
import { createMemoryStore } from '../../src/store/memory-store.ts'
import { callMcp, createRawClient, obtainTokens, type RawClient, readJson, refresh } from '../support/broker-client.ts'
import { BROKER_CLIENT, BROKER_CLIENT_ID, BROKER_CLIENT_SECRET } from '../support/broker-stage.ts'
import { createFakeClock } from '../support/fake-clock.ts'
import { findFreePort } from '../support/free-port.ts'
import { startTestProxy, type TestProxy } from '../support/proxy.ts'

const [alice] = SAMPLE_USERS

describe('the keys that sign', () => {
  const HOUR = 3_600_000

  function open() {
    const clock = createFakeClock()
    const store = createMemoryStore(clock)
    const encryption = createEncryption([randomBytes(32)])
    const options = {
      store,
      encryption,
      kind: 'SigningKey' as const,
      signingKeySeconds: 24 * 3600,
      accessTokenSeconds: 600,
      clock,
    }
    return {
      clock,
      store,
      openProcess: (its = encryption, at: Store = store) => openSigningKeys({ ...options, encryption: its, store: at }),
    }
  }
  const kidsOf = (keys: readonly { readonly kid: string }[]) => keys.map(({ kid }) => kid)

  it('are published an hour before they sign, and until the last token that they signed has ended', async () => {
    const { clock, openProcess } = open()
    const keys = await openProcess()
    const first = keys.current[0].kid
    clock.advance(23 * HOUR)
    expect(await keys.renew()).toBe(true)
    expect(keys.current[0].kid).toBe(first)
    expect(keys.current).toHaveLength(2)
    const second = keys.current[1]?.kid ?? ''
    clock.advance(HOUR - 1)
    expect(await keys.renew()).toBe(false)
    clock.advance(1)
    expect(await keys.renew()).toBe(true)
    expect(kidsOf(keys.current)).toEqual([second, first])
    expect(keys.verification.findKey(first, 'ES256')).toBeDefined()
    // Its last token ends ten minutes later, and every clock differs a little.
    clock.advance(600_000)
    await keys.renew()
    expect(kidsOf(keys.current)).toContain(first)
    clock.advance(2 * HOUR)
    await keys.renew()
    expect(kidsOf(keys.current)).not.toContain(first)
  })

  it('are the same for processes that begin and renew at the same moment', async () => {
    const { clock, openProcess } = open()
    const [one, other] = await Promise.all([openProcess(), openProcess()])
    expect(kidsOf(one.current)).toEqual(kidsOf(other.current))
    for (let hours = 0; hours < 60; hours += 1) {
      clock.advance(HOUR)
      await Promise.all([one.renew(), other.renew()])
      expect(kidsOf(one.current)).toEqual(kidsOf(other.current))
    }
  })

  it('are found by another process that has not renewed yet', async () => {
    const { clock, openProcess } = open()
    const [one, other] = await Promise.all([openProcess(), openProcess()])
    clock.advance(23 * HOUR)
    await one.renew()
    const next = one.current[1]?.kid ?? ''
    expect(kidsOf(other.current)).not.toContain(next)
    const found = await Promise.all([0, 1].map(() => other.verification.findKey(next, 'ES256')))
    expect(found[0]).toBeDefined()
    expect(found[1]).toBe(found[0])
  })

  it('are each their own for processes that cannot read what the other encrypted', async () => {
    const { openProcess } = open()
    const opened = await Promise.all([0, 1, 2].map(() => openProcess(createEncryption([randomBytes(32)]))))
    expect(new Set(opened.flatMap(({ current }) => kidsOf(current))).size).toBe(3)
  })

  it('are there for every one of thirty such processes that begin at the same moment', async () => {
    const { openProcess } = open()
    const opened = await Promise.all(Array.from({ length: 30 }, () => openProcess(createEncryption([randomBytes(32)]))))
    expect(new Set(opened.flatMap(({ current }) => kidsOf(current))).size).toBe(30)
  })

  it('are the same where the store has lost the list of what it holds, as Redis does that evicts', async () => {
    const { clock, store, openProcess } = open()
    const forgetful = { ...store, list: async () => [] }
    const one = await openProcess(undefined, forgetful)
    const other = await openProcess(undefined, forgetful)
    expect(kidsOf(other.current)).toEqual(kidsOf(one.current))
    clock.advance(23 * HOUR)
    await one.renew()
    await other.renew()
    expect(one.current).toHaveLength(2)
    expect(kidsOf(other.current)).toEqual(kidsOf(one.current))
  })

  it('are the same among more keys than are listed', async () => {
    const { store, openProcess } = open()
    for (let i = 0; i < 1000; i += 1) await store.put('SigningKey', `of-before-${i}`, 'not to be read')
    const one = await openProcess()
    const other = await openProcess()
    expect(kidsOf(other.current)).toEqual(kidsOf(one.current))
    expect(await one.renew()).toBe(false)
  })

  it('sign where the clock is so wrong that the store has nothing left of them', async () => {
    const { store, openProcess } = open()
    const hasty = { ...store, add: async () => true }
    expect((await openProcess(undefined, hasty)).current).toHaveLength(1)
  })

  it('are looked for once a second at most, whatever strangers name, and known ones never wait for it', async () => {
    const { clock, store, openProcess } = open()
    let answer = async () => {}
    let looks = 0
    const list: Store['list'] = async (...what) => {
      looks += 1
      await answer()
      return store.list(...what)
    }
    const watched = { ...store, list }
    const keys = await openProcess(undefined, watched)
    const ask = async () =>
      Promise.allSettled(Array.from({ length: 100 }, async (_, i) => keys.verification.findKey(`${i}`, 'ES256')))
    clock.advance(1000)
    looks = 0
    await ask()
    await ask()
    // The names of the entries, and what is in them.
    expect(looks).toBe(2)
    clock.advance(1000)
    const { promise, reject } = Promise.withResolvers<void>()
    answer = () => promise
    const waiting = ask()
    clock.advance(60_000)
    expect(keys.verification.findKey(keys.current[0].kid, 'ES256')).not.toBeInstanceOf(Promise)
    reject(new Error('gone'))
    for (const result of await waiting) expect(result).toMatchObject({ reason: { code: 'issuer_unavailable' } })
    expect(looks).toBe(3)
  })

  it('are not said to be missing while the store cannot say so', async () => {
    const { clock, store, openProcess } = open()
    let answer = store.list
    const keys = await openProcess(undefined, { ...store, list: (...what) => answer(...what) })
    clock.advance(1000)
    answer = () => Promise.reject(new Error('gone'))
    for (let i = 0; i < 3; i += 1)
      await expect(async () => keys.verification.findKey('new', 'ES256')).rejects.toMatchObject({ code: 'issuer_unavailable' })
    answer = store.list
    clock.advance(1000)
    for (let i = 0; i < 3; i += 1)
      await expect(async () => keys.verification.findKey('new', 'ES256')).rejects.toMatchObject({ code: 'token_invalid' })
  })

  it('are noticed by the next renewal, also when a stranger had us look for a key before', async () => {
    const { clock, openProcess } = open()
    const [one, other] = await Promise.all([openProcess(), openProcess()])
    clock.advance(23 * HOUR)
    await one.renew()
    await expect(other.verification.findKey('made-up', 'ES256')).rejects.toMatchObject({ code: 'token_invalid' })
    expect(await other.renew()).toBe(true)
    expect(kidsOf(other.current)).toEqual(kidsOf(one.current))
    expect(await other.renew()).toBe(false)
  })
})

describe('a proxy that starts again', { timeout: 30_000 }, () => {
  let identityProvider: AuthorizationServer
  let mcpServer: ExampleMcpServer
  let folder: string
  let port: number
  let origin: string
  let proxy: TestProxy | undefined
  let client: RawClient
  const [oldKey, newKey] = [randomBytes(32).toString('base64'), randomBytes(32).toString('base64')]

  beforeAll(async () => {
    ;[identityProvider, mcpServer] = await Promise.all([startAuthorizationServer({ clients: [BROKER_CLIENT] }), startMcpServer()])
  })
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'keys-'))
    port = await findFreePort()
    origin = `http://localhost:${port}`
  })
  afterEach(async () => {
    vi.useRealTimers()
    await proxy?.close()
    proxy = undefined
    rmSync(folder, { recursive: true, force: true })
  })
  afterAll(async () => {
    await Promise.all([identityProvider?.close(), mcpServer?.close()])
  })

  async function start(...keys: string[]): Promise<void> {
    await proxy?.close()
    const env = Object.fromEntries(keys.map((key, index) => [`KEY_${index}`, key]))
    const config = {
      public_url: origin,
      listen: { port },
      identity_provider: {
        issuer: identityProvider.issuer,
        client_id: BROKER_CLIENT_ID,
        client_secret: { env: 'PROVIDER_SECRET' },
      },
      broker: {
        store: { kind: 'sqlite' as const, path: join(folder, 'broker.db') },
        encryption_keys: Object.keys(env).map((name) => ({ env: name })),
        signing_key_seconds: 4 * 3600,
        access_token_seconds: 8 * 3600,
      },
      servers: [{ name: 'example', path: '/mcp', upstream: mcpServer.streamableHttpUrl, scopes: ['mcp:tools'] }],
    }
    proxy = await startTestProxy(config, { PROVIDER_SECRET: BROKER_CLIENT_SECRET, ...env })
  }
  const publishedKids = async (): Promise<string[]> => {
    const { keys } = await readJson(await fetch(`${origin}/jwks`))
    return keys.map(({ kid }: { kid: string }) => kid)
  }
  const kidOf = (token: string) => String(decodeProtectedHeader(token).kid)
  const later = (seconds: number) => vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + seconds * 1000 })

  it('signs with the next key only after that was published, and old tokens go on being good', async () => {
    await start(oldKey)
    client = await createRawClient(origin)
    const first = await obtainTokens(origin, client, alice)
    later(3.5 * 3600)
    await start(oldKey)
    expect(await publishedKids()).toHaveLength(2)
    const second = await readJson(await refresh(origin, client, first.refresh_token))
    expect(kidOf(second.access_token)).toBe(kidOf(first.access_token))
    const [next] = (await publishedKids()).filter((kid) => kid !== kidOf(first.access_token))
    later(3600)
    await start(oldKey)
    const third = await readJson(await refresh(origin, client, second.refresh_token))
    expect(kidOf(third.access_token)).toBe(next)
    for (const { access_token: token } of [first, second, third]) expect(await callMcp(`${origin}/mcp`, token)).toBe(200)
  })

  it('reads what the old encryption key encrypted, and has clients register and users sign in again when that is gone', async () => {
    await start(oldKey)
    client = await createRawClient(origin)
    const first = await obtainTokens(origin, client, alice)
    await start(newKey, oldKey)
    expect(await callMcp(`${origin}/mcp`, first.access_token)).toBe(200)
    const second = await readJson(await refresh(origin, client, first.refresh_token))
    expect(await callMcp(`${origin}/mcp`, second.access_token)).toBe(200)
    await start(newKey)
    expect(await callMcp(`${origin}/mcp`, second.access_token)).toBe(401)
    const refused = await refresh(origin, client, second.refresh_token)
    expect([refused.status, await readJson(refused)]).toMatchObject([401, { error: 'invalid_client' }])
    client = await createRawClient(origin)
    const again = await obtainTokens(origin, client, alice)
    expect(await callMcp(`${origin}/mcp`, again.access_token)).toBe(200)
    expect(proxy?.log.records().filter(({ code }) => code === 'internal_error')).toEqual([])
  })

  it('keep MCP sessions over a restart, until the key is gone that they were sealed with', async () => {
    await start(oldKey)
    client = await createRawClient(origin)
    const { access_token: token } = await obtainTokens(origin, client, alice)
    const post = (message: object, headers: Record<string, string> = {}) =>
      fetch(`${origin}/mcp`, {
        method: 'POST',
        headers: {
          authorization: `Bearer ${token}`,
          'content-type': 'application/json',
          accept: 'application/json, text/event-stream',
          ...headers,
        },
        body: JSON.stringify({ jsonrpc: '2.0', ...message }),
      })
    const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'raw', version: '1' } }
    const opened = await post({ id: 1, method: 'initialize', params })
    await opened.body?.cancel()
    const session = { 'mcp-session-id': opened.headers.get('mcp-session-id') ?? '', 'mcp-protocol-version': '2025-11-25' }
    const ping = async () => {
      const answer = await post({ id: 2, method: 'ping' }, session)
      await answer.body?.cancel()
      return answer.status
    }
    await start(oldKey)
    expect(await ping()).toBe(200)
    await start(newKey, oldKey)
    expect(await ping()).toBe(200)
    await start(newKey)
    expect(await ping()).not.toBe(200)
  })

  it('says in one line of the log that what another key encrypted cannot be read, what follows, and what to do', async () => {
    const findWarnings = () => proxy?.log.records().filter(({ level }) => level === 'warn' || level === 'error')
    await start(oldKey)
    client = await createRawClient(origin)
    const first = await obtainTokens(origin, client, alice)
    await start(oldKey)
    expect(findWarnings()).toEqual([])
    await start(newKey)
    expect(findWarnings()).toMatchObject([
      {
        level: 'warn',
        msg: expect.stringMatching(
          /in encryption_keys.* clients have to register and users have to sign in again.* add the previous key/,
        ),
      },
    ])
    for (const key of [oldKey, newKey]) expect(proxy?.log.text()).not.toContain(key)
    // As it says: what the key of before encrypted is there again, once that is in the list.
    await start(newKey, oldKey)
    expect(findWarnings()).toEqual([])
    expect(await callMcp(`${origin}/mcp`, first.access_token)).toBe(200)
    expect((await refresh(origin, client, first.refresh_token)).status).toBe(200)
  })
})

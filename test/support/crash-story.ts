// A proxy whose process ends in the middle of something. The moments are those between one write to the store, or one question to the
// identity provider, and the next: the process itself ends there, before anything else of it can run.
import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type ExampleMcpServer, startMcpServer } from '../../demo/mcp-server.ts'
import { loadConfigValue } from '../../src/config/load.ts'
import type { ConfigInput } from '../../src/config/schema/schema.ts'
import { hashId } from '../../src/core/hash-id.ts'
import type { StorePlan } from '../../src/core/plan/store-plan.ts'
import { SAMPLE_USERS } from '../../src/sandbox/users.ts'
import { openStore } from '../../src/store/open-store.ts'
import { authorize, callMcp, createRawClient, obtainTokens, type RawClient, readJson, redeem, refresh } from './broker-client.ts'
import { findFreePort } from './free-port.ts'
import { type Profile, startProfile } from './identity-profiles/profile.ts'
import { SUBJECT, sendJson, VENDOR_CLIENT, type Vendor } from './identity-profiles/vendor.ts'
import { AUTH0 } from './identity-profiles/vendors.ts'
import { waitUntil } from './processes.ts'

const [alice] = SAMPLE_USERS
const program = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url))
const hooks = fileURLToPath(new URL('../fixtures/broker/crash-hooks.ts', import.meta.url))

/** Has to be asked at every refresh, and takes a refresh token that it sees twice for stolen. */
const VENDOR: Vendor = {
  ...AUTH0,
  rotatesRefreshTokens: true,
  sendTokens: (_request, response, status, answer) =>
    sendJson(response, status, status === 200 ? { ...answer, expires_in: 1 } : answer),
}

/** Where the process ends; what is more than a store's method and kind is a request to the identity provider. */
const WHILE_SIGNING_IN = [
  'after take AwayUser',
  'before put Account',
  'after put Grant',
  'before put AuthorizationCode',
  'after put AuthorizationCode',
]
/** What the client gets for the same code afterwards: before the answer is ready, it is not used. */
const BETWEEN_CODE_AND_TOKEN: [moment: string, status: number][] = [
  ['before replace AuthorizationCode', 200],
  ['after replace AuthorizationCode', 400],
  ['before put RefreshToken', 200],
  ['after put RefreshToken', 200],
]
/**
 * What the client gets for the same refresh token afterwards (of a token that was used up, that depends on the grace), and whether the
 * turn to refresh this user is taken then.
 */
const BETWEEN_REFRESH_AND_ANSWER: [moment: string, status: number | 'as the grace has it', isTurnTaken: boolean][] = [
  ['before add AccountRefresh', 200, false],
  ['after add AccountRefresh', 200, true],
  ['while the identity provider is asked', 200, true],
  // The provider has given a new refresh token away that nobody has now.
  ['before replace Account', 400, true],
  ['after replace Account', 200, true],
  ['before take AccountRefresh', 200, true],
  ['before replace RefreshToken', 200, false],
  ['after replace RefreshToken', 'as the grace has it', false],
  // The new one is of no use to anybody: no client was given it.
  ['after put RefreshToken', 200, false],
]

/** What a story leaves behind. */
export interface CrashStory {
  /** Codes and tokens that were given out. */
  readonly seen: string[]
  readonly folder: () => string
  readonly profile: () => Profile
}

/**
 * Tells what becomes of users and clients when a proxy on such a store ends in the middle of things. To be called inside of `describe`.
 *
 * @param graceSeconds - for which a used refresh token may be used again
 * @param chooseStore - `broker.store`, given a folder that is gone in the end
 */
export function tellCrashes(graceSeconds: number, chooseStore: (folder: string) => Promise<object>): CrashStory {
  let profile: Profile
  let mcpServer: ExampleMcpServer
  let folder: string
  const seen: string[] = []
  let origin: string
  let file: string
  let storePlan: StorePlan
  let proxy: ChildProcess
  let client: RawClient
  /** Moments at which a process has really ended. */
  const hit: string[] = []
  const env = { PROVIDER_SECRET: VENDOR_CLIENT.secret, KEY: randomBytes(32).toString('base64') }

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'crash-'))
    ;[profile, mcpServer] = await Promise.all([startProfile(VENDOR), startMcpServer()])
    const port = await findFreePort()
    origin = `http://localhost:${port}`
    file = join(folder, `${port}.json`)
    const config = describeConfig({ profile, mcpServer }, origin, port, await chooseStore(folder), graceSeconds)
    storePlan = loadConfigValue(config, { env, directory: folder, terminal: false }).plan.store
    writeFileSync(file, JSON.stringify(config))
    await start()
    client = await createRawClient(origin)
  })
  afterAll(async () => {
    await kill()
    await Promise.all([profile?.close(), mcpServer?.close()])
    rmSync(folder, { recursive: true, force: true })
  })

  async function start(): Promise<void> {
    proxy = spawn(process.execPath, ['--import', hooks, program, '--config', file], {
      env: { ...process.env, ...env },
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    })
    await waitUntil(
      async () => (await fetch(`${origin}/readyz`).catch(() => undefined))?.status === 200,
      'the proxy is ready',
      60_000,
    )
  }
  async function kill(): Promise<void> {
    if (proxy?.exitCode !== null || proxy.signalCode !== null) return
    const exited = once(proxy, 'exit')
    proxy.kill('SIGKILL')
    await exited
  }

  /** Does something in the middle of which the process ends. Nobody ever hears what came of it. */
  async function endAt(moment: string, work: () => Promise<unknown>): Promise<void> {
    const exited = once(proxy, 'exit')
    if (moment === 'while the identity provider is asked') {
      profile.interfere(VENDOR.paths.token, () => proxy.kill('SIGKILL'))
    } else {
      const heard = once(proxy, 'message')
      proxy.send(moment)
      await heard
    }
    await expect(work()).rejects.toThrow()
    profile.interfere(VENDOR.paths.token, undefined)
    expect((await exited)[1]).toBe('SIGKILL')
    hit.push(moment)
  }

  /** A process that is gone still has the turn to refresh a user until its time is over. @returns whether it had */
  async function endTurn(): Promise<boolean> {
    const store = await openStore(storePlan, () => {})
    const turn = await store.take('AccountRefresh', hashId(SUBJECT))
    await store.close()
    return turn !== undefined
  }

  /** The worst that may happen to a user. */
  async function expectToSignInAgain(): Promise<void> {
    const tokens = await obtainTokens(origin, client, alice)
    seen.push(tokens.refresh_token, tokens.access_token)
    expect(await callMcp(`${origin}/mcp`, tokens.access_token)).toBe(200)
    expect((await refresh(origin, client, tokens.refresh_token)).status).toBe(200)
  }

  it('goes on with codes, tokens, registrations and keys of before', async () => {
    const code = await authorize(origin, client, alice)
    await kill()
    await start()
    const answer = await redeem(origin, client, code)
    expect(answer.status).toBe(200)
    const tokens = await readJson(answer)
    seen.push(code.code, tokens.refresh_token, tokens.access_token)
    await kill()
    await start()
    expect(await callMcp(`${origin}/mcp`, tokens.access_token)).toBe(200)
    expect((await refresh(origin, client, tokens.refresh_token)).status).toBe(200)
    // The code was used before the crash, and stays used.
    expect((await redeem(origin, client, code)).status).toBe(400)
  })

  it.each(WHILE_SIGNING_IN)('while a user signs in, %s: they sign in again', async (moment) => {
    await endAt(moment, () => authorize(origin, client, alice))
    await start()
    await expectToSignInAgain()
  })

  it.each(BETWEEN_CODE_AND_TOKEN)('between code and token, %s: the same code then gets %i', async (moment, status) => {
    const code = await authorize(origin, client, alice)
    seen.push(code.code)
    await endAt(moment, () => redeem(origin, client, code))
    await start()
    const answer = await redeem(origin, client, code)
    expect(answer.status).toBe(status)
    const tokens = await readJson(answer)
    // Never twice, and who tries ends what it led to (RFC 6749 §4.1.2).
    expect((await redeem(origin, client, code)).status).toBe(400)
    if (status === 200) expect((await refresh(origin, client, tokens.refresh_token)).status).toBe(400)
    await expectToSignInAgain()
  })

  it.each(BETWEEN_REFRESH_AND_ANSWER)(
    'between refresh and answer, %s: the same refresh token then gets %s',
    async (moment, then, isTurnTaken) => {
      const tokens = await obtainTokens(origin, client, alice)
      seen.push(tokens.refresh_token)
      await endAt(moment, () => refresh(origin, client, tokens.refresh_token))
      expect(await endTurn()).toBe(isTurnTaken)
      await start()
      const answer = await refresh(origin, client, tokens.refresh_token)
      const expected = then === 'as the grace has it' ? (graceSeconds > 0 ? 200 : 400) : then
      expect(answer.status).toBe(expected)
      const fresh = await readJson(answer)
      if (expected === 400)
        expect([fresh.error, await callMcp(`${origin}/mcp`, tokens.access_token)]).toEqual(['invalid_grant', 401])
      else expect(await callMcp(`${origin}/mcp`, fresh.access_token)).toBe(200)
      // Without a grace a refresh token is good once, whatever happened meanwhile (RFC 9700 §4.14.2).
      if (graceSeconds === 0) expect((await refresh(origin, client, tokens.refresh_token)).status).toBe(400)
      await expectToSignInAgain()
    },
  )

  it('waits until the turn of a process that is gone is over, and refreshes then', async () => {
    const tokens = await obtainTokens(origin, client, alice)
    await endAt('after add AccountRefresh', () => refresh(origin, client, tokens.refresh_token))
    await start()
    expect((await refresh(origin, client, tokens.refresh_token)).status).toBe(200)
  })

  it('was really ended at every one of these moments', () => {
    const planned = [...WHILE_SIGNING_IN, ...[...BETWEEN_CODE_AND_TOKEN, ...BETWEEN_REFRESH_AND_ANSWER].map(([moment]) => moment)]
    expect(hit.toSorted()).toEqual([...planned, 'after add AccountRefresh'].toSorted())
  })
  return { seen, folder: () => folder, profile: () => profile }
}

function describeConfig(
  { profile, mcpServer }: { readonly profile: Profile; readonly mcpServer: ExampleMcpServer },
  origin: string,
  port: number,
  store: object,
  graceSeconds: number,
): ConfigInput {
  return {
    public_url: origin,
    listen: { port },
    identity_provider: {
      issuer: profile.issuer,
      client_id: VENDOR_CLIENT.id,
      client_secret: { env: 'PROVIDER_SECRET' },
      client_authentication: 'client_secret_post',
      scopes: ['openid', 'profile', 'email', 'offline_access'],
    },
    broker: {
      store: store as NonNullable<ConfigInput['broker']>['store'],
      encryption_keys: [{ env: 'KEY' }],
      refresh_grace_seconds: graceSeconds,
      authorizations_per_minute: 100_000,
    },
    servers: [{ name: 'example', path: '/mcp', upstream: mcpServer.streamableHttpUrl, scopes: ['mcp:tools'] }],
  }
}

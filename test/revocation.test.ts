// Tokens of an issuer that is not ours: `users`, `clients` and `sessions` of the command line against a running proxy.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest'
import { startProxy } from '../src/app.ts'
import { loadConfigFile } from '../src/config/load.ts'
import type { SecurityEvent } from '../src/core/security-event.ts'
import { findFreePort } from './support/free-port.ts'
import { captureLog } from './support/log.ts'
import { answerJson, controlStream, startRecordingUpstream } from './support/recording-upstream.ts'
import { runCommand } from './support/run-command.ts'
import { startIssuer } from './support/tokens.ts'

const folder = mkdtempSync(join(tmpdir(), 'revoke-'))
afterAll(() => rmSync(folder, { recursive: true }))
const open: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close()
})

const TOKEN = 'operators-only-'.repeat(3)

async function start(more: object = {}, answer = answerJson({ jsonrpc: '2.0', id: 1, result: {} })) {
  const [upstream, issuer, other, port, adminPort] = await Promise.all([
    startRecordingUpstream(answer),
    startIssuer(),
    startIssuer(),
    findFreePort(),
    findFreePort(),
  ])
  open.push(upstream.close, issuer.close, other.close)
  const origin = `http://localhost:${port}`
  const file = join(folder, `${port}.json`)
  writeFileSync(join(folder, 'token'), TOKEN)
  const config = {
    public_url: origin,
    listen: { port },
    shutdown: { drain_seconds: 1 },
    admin: { port: adminPort, token: { file: join(folder, 'token') } },
    issuers: [issuer.issuer],
    servers: [{ path: '/mcp', upstream: `${upstream.origin}/mcp` }],
    ...more,
  }
  writeFileSync(file, JSON.stringify(config))
  const { plan } = loadConfigFile(file, { env: {}, terminal: false })
  const log = captureLog()
  const events: SecurityEvent[] = []
  const run = () => startProxy(plan, { logDestination: log.stream, onEvent: (event) => events.push(event) })
  let proxy = await run()
  open.push(() => proxy.close())
  const restart = async (): Promise<void> => {
    await proxy.close()
    proxy = await run()
  }
  const call = async (token: string): Promise<number> => {
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
    const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list' })
    const response = await fetch(`${origin}/mcp`, { method: 'POST', headers, body })
    await response.arrayBuffer()
    return response.status
  }
  const mint = (claims: Record<string, unknown>, of = issuer) => of.mint({ claims: { aud: `${origin}/mcp`, ...claims } })
  const ask = (...words: string[]) => runCommand([...words, '--config', file])
  const readMetrics = async () => (await fetch(`http://127.0.0.1:${adminPort}/metrics`)).text()
  return { issuer, other, origin, call, mint, ask, events, log, restart, readMetrics }
}

/** By default. */
const TOLERANCE_SECONDS = 30
const now = () => Math.floor(Date.now() / 1000)

describe('an operator', () => {
  it('shuts a user out: remembered tokens are refused at once, those of a new sign-in count', async () => {
    const { call, mint, ask, events, issuer, log } = await start()
    const [old, ofClockAhead, other] = await Promise.all([
      mint({ sub: 'alice', iat: now() }),
      mint({ sub: 'alice', iat: now() + TOLERANCE_SECONDS }),
      mint({ sub: 'bob', iat: now() }),
    ])
    expect([await call(old), await call(ofClockAhead), await call(other)]).toEqual([200, 200, 200])
    const { code, output } = await ask('users', 'revoke', 'alice')
    expect([code, output]).toEqual([
      0,
      expect.stringMatching(/^User alice of .*: revoked\.\nTokens issued before .* are refused/),
    ])
    expect(output).toContain('The store is `memory`')
    expect([await call(old), await call(ofClockAhead), await call(other)]).toEqual([401, 401, 200])
    const signInAgain = () => mint({ sub: 'alice', iat: now() + TOLERANCE_SECONDS })
    await vi.waitFor(async () => expect(await call(await signInAgain())).toBe(200), { interval: 100 })
    const action = { action: '/users/revoke', parameters: { subject: 'alice' }, address: '127.0.0.1', outcome: 'success' }
    expect(events).toContainEqual(expect.objectContaining({ kind: 'admin_action', ...action }))
    expect(events).toContainEqual(
      expect.objectContaining({ kind: 'token_revoked', issuer: issuer.issuer, subject: 'alice', outcome: 'success' }),
    )
    expect(log.text()).toContain('"reason":"revoked"')
    expect(log.text()).not.toContain(TOKEN)
  })

  it('blocks a user until that is lifted', async () => {
    const { call, mint, ask, events } = await start()
    const later = await mint({ sub: 'alice', iat: now() + 2 })
    expect((await ask('users', 'revoke', 'alice', '--block')).output).toMatch(/All tokens are refused .* lifted with `unblock`/)
    expect(await call(later)).toBe(401)
    expect(events).toContainEqual(
      expect.objectContaining({ kind: 'admin_action', parameters: { subject: 'alice', block: 'true' } }),
    )
    expect((await ask('users', 'unblock', 'alice')).output).toMatch(/no longer blocked/)
    expect((await ask('users', 'unblock', 'alice')).output).toMatch(/: is not blocked\.\n$/)
    expect(await call(later)).toBe(200)
  })

  it.each([
    ['was revoked', [], 'is not blocked'],
    ['was revoked and blocked', ['--block'], 'no longer blocked'],
  ])('is told at unblock that old tokens of a user who %s stay refused, and for how long', async (_name, more, state) => {
    const { call, mint, ask } = await start()
    const old = await mint({ sub: 'alice', iat: now() })
    const revoked = JSON.parse((await ask('users', 'revoke', 'alice', '--json')).output)
    await ask('users', 'revoke', 'bob')
    if (more.length > 0) await ask('users', 'revoke', 'alice', ...more)
    const { code, output } = await ask('users', 'unblock', 'alice')
    const times = `Tokens issued before ${revoked.issued_before} stay refused until ${revoked.until}.`
    expect([code, output.split('\n')]).toEqual([
      0,
      [expect.stringMatching(new RegExp(`^User alice of .*: ${state}\\.$`)), `${times} Those of a later sign-in count.`, ''],
    ])
    expect(await call(old)).toBe(401)
    const signInAgain = () => mint({ sub: 'alice', iat: now() + TOLERANCE_SECONDS })
    await vi.waitFor(async () => expect(await call(await signInAgain())).toBe(200), { interval: 100 })
  })

  it('ends an event stream of the user, and leaves it alone when another user is shut out', async () => {
    const stream = controlStream()
    const { origin, mint, ask } = await start({}, stream.answer)
    const headers = { authorization: `Bearer ${await mint({ sub: 'alice', iat: now() })}`, accept: 'text/event-stream' }
    const answered = fetch(`${origin}/mcp`, { headers })
    await stream.opened
    await stream.send('data: 1\n\n')
    const ended = (await answered).text()
    expect((await ask('users', 'revoke', 'bob')).code).toBe(0)
    await stream.send('data: 2\n\n')
    expect((await ask('users', 'revoke', 'alice')).code).toBe(0)
    expect(await ended).toBe('data: 1\n\ndata: 2\n\n')
  })

  it.each([
    ['a client', ['clients', 'revoke', 'app'], { client_id: 'app' }],
    ['a client that is named by azp', ['clients', 'revoke', 'app'], { azp: 'app', client_id: undefined }],
    ['a session', ['sessions', 'end', '--sid', 'session-1'], { sid: 'session-1' }],
    ['a token', ['sessions', 'end', '--jti', 'token-1'], { jti: 'token-1' }],
  ])('ends %s, and no other', async (_name, words, claims) => {
    const { call, mint, ask } = await start()
    const [named, other] = await Promise.all([mint({ iat: now(), ...claims }), mint({ iat: now() })])
    expect([await call(named), await call(other)]).toEqual([200, 200])
    const { code, output } = await ask(...words, '--for', '90s', '--json')
    expect(code).toBe(0)
    expect(Date.parse(JSON.parse(output).until) - Date.now()).toBeLessThanOrEqual(90_000)
    expect([await call(named), await call(other)]).toEqual([401, 200])
  })

  it('names the issuer where there are several, since a subject may be another person elsewhere', async () => {
    const first = await start()
    const more = { issuers: [first.issuer.issuer, first.other.issuer] }
    const { call, mint, ask } = await start(more)
    const [one, two] = await Promise.all([
      mint({ sub: 'alice', iat: now() }, first.issuer),
      mint({ sub: 'alice', iat: now() }, first.other),
    ])
    const unnamed = await ask('users', 'revoke', 'alice')
    expect([unnamed.code, unnamed.error]).toEqual([1, expect.stringMatching(/issuer is missing, and there is more than one/)])
    const unknown = await ask('users', 'revoke', 'alice', '--issuer', 'https://elsewhere.example.com')
    expect([unknown.code, unknown.error]).toEqual([1, expect.stringMatching(/no server accepts tokens of the issuer/)])
    expect((await ask('users', 'revoke', 'alice', '--issuer', first.other.issuer)).code).toBe(0)
    expect([await call(one), await call(two)]).toEqual([200, 401])
  })

  it('is told by a list that users sign in elsewhere, and sees who is denied', async () => {
    const { ask } = await start()
    await ask('users', 'revoke', 'alice', '--block')
    const { code, output } = await ask('users', 'list')
    expect([code, output]).toEqual([0, expect.stringMatching(/alice[\s\S]*this process knows only what is denied/)])
    expect(output).not.toContain('0 in all')
  })

  it('counts what is denied in the metrics', async () => {
    const { ask, readMetrics } = await start()
    await ask('users', 'revoke', 'alice')
    await ask('clients', 'revoke', 'app', '--block')
    const lines = (await readMetrics()).split('\n').filter((line) => line.startsWith('mcp_auth_proxy_deny_list_entries'))
    expect(lines).toEqual(
      [
        ['user', 1],
        ['client', 1],
        ['token', 0],
        ['session', 0],
      ].map(([kind, count]) => `mcp_auth_proxy_deny_list_entries{kind="${kind}"} ${count}`),
    )
  })

  it('is told what is wrong with the command', async () => {
    const { ask } = await start()
    for (const [words, message] of [
      [['users'], /Say what to do: users list, show, revoke, unblock/],
      [['users', 'revoke'], /Name one of the users/],
      [['users', 'revoke', 'a', 'b'], /Unexpected argument "b"/],
      [['users', 'unblock', 'a', '--block'], /--block is for users revoke/],
      [['users', 'revok', 'a'], /Unknown word "revok": did you mean revoke\?/],
      [['users', 'revoke', 'a', '--for', 'ever'], /--for ever is no time/],
      [['users', 'revoke', 'a', '--for', '15'], /--for 15 has no unit: write it like 90s/],
      [['users', 'revoke', 'a', '--for', '0s'], /--for 0s is no time at all/],
      [['sessions', 'end', '--block'], /--block is for the commands users and clients/],
    ] as const) {
      const { code, error } = await ask(...words)
      expect([code, error]).toEqual([2, expect.stringMatching(message)])
    }
    const nothing = await ask('sessions', 'end')
    expect([nothing.code, nothing.error]).toEqual([1, expect.stringMatching(/give one of id, sid and jti/)])
  })
})

describe('a store that outlives the process', () => {
  it('keeps what was revoked over a restart', async () => {
    const store = { kind: 'sqlite', path: join(folder, 'deny.db') }
    const { call, mint, ask, restart } = await start({ store })
    const token = await mint({ sub: 'alice', iat: now() })
    expect((await ask('users', 'revoke', 'alice')).output).not.toContain('memory')
    await restart()
    expect(await call(token)).toBe(401)
  })
})

import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createFakeClock, type FakeClock } from '../../../test/support/fake-clock.ts'
import {
  issueTokens,
  type Script,
  type ScriptedAccount,
  sendJson,
  startScriptedAccount,
} from '../../../test/support/scripted-account.ts'
import { createEncryption } from '../../core/encryption.ts'
import { DIRECT } from '../../core/plan/egress-plan.ts'
import type { OwnAccountPlan } from '../../core/plan/own-account-plan.ts'
import type { SecurityEvent } from '../../core/security-event.ts'
import type { Store } from '../../core/store.ts'
import { createMemoryStore } from '../../store/memory-store.ts'
import type { PendingConnection } from './connecting.ts'
import { createUpstreamAccounts, type UpstreamAccount, type UpstreamAccounts } from './upstream-accounts.ts'

let saas: ScriptedAccount
let clock: FakeClock
let store: Store
let events: SecurityEvent[]
const open: UpstreamAccounts[] = []

beforeEach(async () => {
  saas = await startScriptedAccount()
  clock = createFakeClock()
  store = createMemoryStore(clock)
  events = []
})
afterEach(async () => {
  for (const accounts of open.splice(0)) await accounts.close()
  await saas.close()
})

const plan = (changes: Partial<OwnAccountPlan> = {}): OwnAccountPlan => ({
  server: 'saas',
  upstreamUrl: saas.url,
  headers: {},
  issuer: undefined,
  client: undefined,
  scopes: [],
  allowPrivateNetwork: false,
  ca: undefined,
  egress: DIRECT,
  ...changes,
})

/** One process of several that share the store. */
function startProcess(changes: Partial<OwnAccountPlan> = {}): {
  readonly account: UpstreamAccount
  readonly accounts: UpstreamAccounts
} {
  const accounts = createUpstreamAccounts([plan(changes)], {
    origin: 'http://localhost:1',
    store,
    encryption: createEncryption([Buffer.alloc(32, 7)]),
    clock,
    resolveHost: undefined,
    grantSeconds: 3600,
    report: (event) => events.push(event),
    onIssue: () => {},
  })
  open.push(accounts)
  const account = accounts.find('saas')
  if (account === undefined) throw new Error('no account')
  return { account, accounts }
}

/** Connects an account of a user, as the authorization server answers then. */
async function connect(account: UpstreamAccount, tokens: object, subject = 'alice'): Promise<PendingConnection> {
  saas.script('/token', () => tokens)
  const { pending } = await account.begin([])
  await account.finish(subject, pending, new URLSearchParams({ code: 'a-code', state: pending.state }))
  return pending
}

const listRefreshes = () => saas.at('/token').filter(({ form }) => form.get('grant_type') === 'refresh_token')
const numberOf = (token: string | undefined) => /number-(\d+)/.exec(token ?? '')?.[1]

/** Answers when it is told to. */
function holdTokens(answer: object): { readonly release: () => void; readonly asked: Promise<void> } {
  let release = (): void => {}
  let tell = (): void => {}
  const released = new Promise<void>((resolve) => (release = resolve))
  const asked = new Promise<void>((resolve) => (tell = resolve))
  const script: Script = async () => {
    tell()
    await released
    return answer
  }
  saas.script('/token', script)
  return { release, asked }
}

describe('a token that is about to end', () => {
  it('is used while no other can be had', async () => {
    const { account } = startProcess()
    await connect(account, issueTokens(1, { expires_in: 300 }))
    saas.script('/token', (_, response) => response.destroy())
    clock.advance(280_000)
    expect(numberOf(await account.tokens.find('alice'))).toBe('1')
    expect(listRefreshes().length).toBeGreaterThan(0)
    clock.advance(21_000)
    await expect(account.tokens.find('alice')).rejects.toMatchObject({ code: 'upstream_token_unavailable' })
  })

  it('is refreshed once by two processes that share the store', async () => {
    const [one, other] = [startProcess().account, startProcess().account]
    await connect(one, issueTokens(1, { expires_in: 300 }))
    clock.advance(280_000)
    const held = holdTokens(issueTokens(2))
    const first = one.tokens.find('alice')
    await held.asked
    const second = other.tokens.find('alice')
    held.release()
    expect(numberOf(await first)).toBe('2')
    // The other process looks again now and then.
    let found: string | undefined
    void second.then((token) => {
      found = token
    })
    while (found === undefined) {
      clock.advance(100)
      await new Promise((resolve) => setImmediate(resolve))
    }
    expect(numberOf(found)).toBe('2')
    expect(listRefreshes()).toHaveLength(1)
  })
})

describe('an authorization server that is slow to refresh', () => {
  it('does not hold calls for longer than ten seconds, and its answer counts when it comes', async () => {
    const { account } = startProcess()
    await connect(account, issueTokens(1, { expires_in: 300 }))
    clock.advance(301_000)
    const held = holdTokens(issueTokens(2))
    const call = account.tokens.find('alice')
    await held.asked
    clock.advance(10_000)
    await expect(call).rejects.toMatchObject({ code: 'upstream_token_unavailable' })
    const next = account.tokens.find('alice')
    held.release()
    expect(numberOf(await next)).toBe('2')
    expect(listRefreshes()).toHaveLength(1)
  })

  it('gets the new tokens revoked when the account was disconnected meanwhile', async () => {
    const { account } = startProcess()
    await connect(account, issueTokens(1, { expires_in: 300 }))
    clock.advance(301_000)
    const held = holdTokens(issueTokens(2))
    const call = account.tokens.find('alice')
    await held.asked
    await account.disconnect('alice')
    held.release()
    expect(await call).toBeUndefined()
    expect(saas.at('/revoke').map(({ form }) => numberOf(form.get('token') ?? ''))).toEqual(['1', '2'])
    expect(await account.tokens.find('alice')).toBeUndefined()
  })

  it('has its answer kept although the MCP server refused the old token meanwhile', async () => {
    const { account } = startProcess()
    await connect(account, issueTokens(1, { expires_in: 300 }))
    const shown = (await account.tokens.find('alice')) ?? ''
    clock.advance(301_000)
    const held = holdTokens(issueTokens(2))
    const call = account.tokens.find('alice')
    await held.asked
    await account.tokens.noteRefusal('alice', shown)
    held.release()
    expect(numberOf(await call)).toBe('2')
    expect(numberOf(await account.tokens.find('alice'))).toBe('2')
    expect(saas.at('/revoke')).toEqual([])
  })

  it('is waited for when the proxy stops', async () => {
    const { account, accounts } = startProcess()
    await connect(account, issueTokens(1, { expires_in: 300 }))
    clock.advance(301_000)
    const held = holdTokens(issueTokens(2))
    const call = account.tokens.find('alice')
    await held.asked
    const closed = accounts.close()
    held.release()
    await closed
    expect(numberOf(await call)).toBe('2')
  })

  it('does not undo that the account was connected anew meanwhile', async () => {
    const { account } = startProcess()
    await connect(account, issueTokens(1, { expires_in: 300 }))
    clock.advance(301_000)
    const held = holdTokens(issueTokens(2))
    const call = account.tokens.find('alice')
    await held.asked
    await connect(account, issueTokens(3))
    held.release()
    expect(numberOf(await call)).toBe('3')
    expect(numberOf(await account.tokens.find('alice'))).toBe('3')
  })
})

describe('a token', () => {
  it('is never found for another MCP server under the same name', async () => {
    await connect(startProcess().account, issueTokens(1))
    const moved = startProcess({ upstreamUrl: `${saas.origin}/other` }).account
    expect(await moved.tokens.find('alice')).toBeUndefined()
  })

  it('is not used where the configuration wants another authorization server now', async () => {
    await connect(startProcess().account, issueTokens(1))
    expect(await startProcess({ issuer: 'https://auth.example.com' }).account.tokens.find('alice')).toBeUndefined()
  })

  it('of a disconnected account is found no more, at once in this process and within five seconds in others', async () => {
    const [one, other] = [startProcess().account, startProcess().account]
    await connect(one, issueTokens(1))
    expect(numberOf(await other.tokens.find('alice'))).toBe('1')
    await one.disconnect('alice')
    expect(await one.tokens.find('alice')).toBeUndefined()
    clock.advance(5_000)
    expect(await other.tokens.find('alice')).toBeUndefined()
  })

  it('stands nowhere in the store in a form that can be read', async () => {
    const { account } = startProcess()
    await connect(account, issueTokens(1))
    const kinds = ['UpstreamAccount', 'AccountClient']
    const entries = (await Promise.all(kinds.map((kind) => store.list(kind, 10)))).flat()
    expect(entries).toHaveLength(2)
    expect(JSON.stringify(entries)).not.toMatch(/number-1|alice|saas|registered/)
  })
})

describe('the secret of a client of the configuration', () => {
  const client = (secret: string) => ({
    clientId: 'acme',
    clientAuthentication: { method: 'client_secret_post', secret } as const,
  })

  it('is sent to the authorization server of the configuration', async () => {
    const { account } = startProcess({ issuer: saas.origin, client: client('first') })
    await connect(account, issueTokens(1))
    await account.disconnect('alice')
    expect([...saas.at('/token'), ...saas.at('/revoke')].map(({ form }) => form.get('client_secret'))).toEqual(['first', 'first'])
  })

  it('is not sent to the one of an account that was connected before the configuration named another', async () => {
    await connect(startProcess({ issuer: saas.origin, client: client('first') }).account, issueTokens(1))
    await startProcess({ issuer: 'http://127.0.0.1:9', client: client('second') }).account.disconnect('alice')
    expect(JSON.stringify(saas.asked.map(({ body }) => body))).not.toContain('second')
  })
})

describe('tokens that were issued while the store is away', () => {
  const lose = async (account: UpstreamAccount) => {
    await connect(account, issueTokens(1, { expires_in: 300 }))
    clock.advance(301_000)
    saas.script('/token', () => issueTokens(2))
    const { replace } = store
    store.replace = () => Promise.reject(new Error('the store is away'))
    await expect(account.tokens.find('alice')).rejects.toThrow('the store is away')
    store.replace = replace
    saas.script('/token', (_, response) => sendJson(response, 400, { error: 'invalid_grant' }))
  }

  it('are kept by this process, and stored when it is there again', async () => {
    const { account } = startProcess()
    await lose(account)
    expect(numberOf(await account.tokens.find('alice'))).toBe('2')
    expect((await account.look('alice'))?.tokens.accessToken).toContain('number-2')
    expect(listRefreshes()).toHaveLength(1)
  })

  it('are lost where this process ends before that: then the user is asked again', async () => {
    await lose(startProcess().account)
    expect(await startProcess().account.tokens.find('alice')).toBeUndefined()
    expect(events).toContainEqual(expect.objectContaining({ kind: 'account_ended', subject: 'alice' }))
  })
})

describe('a user who may not sign in any more', () => {
  it('loses all accounts, which are revoked where they are', async () => {
    const { account, accounts } = startProcess()
    await connect(account, issueTokens(1))
    await connect(account, issueTokens(2), 'bob')
    await accounts.endAll('alice')
    expect(await account.look('alice')).toBeUndefined()
    expect(numberOf(await account.tokens.find('bob'))).toBe('2')
    await accounts.close()
    expect(saas.at('/revoke').map(({ form }) => numberOf(form.get('token') ?? ''))).toEqual(['1'])
    expect(events).toContainEqual(
      expect.objectContaining({ kind: 'account_ended', subject: 'alice', detail: `revoked at ${saas.origin}` }),
    )
  })

  it('loses them also where they are not revoked there', async () => {
    const { account, accounts } = startProcess()
    await connect(account, issueTokens(1))
    saas.script('/revoke', (_, response) => response.writeHead(503).end())
    await accounts.endAll('alice')
    expect(await account.look('alice')).toBeUndefined()
    await accounts.close()
    expect(events).toContainEqual(expect.objectContaining({ kind: 'account_ended', detail: `not revoked at ${saas.origin}` }))
  })
})

it('50 users who call in any order get their own tokens, each time', async () => {
  const { account } = startProcess()
  const users = Array.from({ length: 50 }, (_, index) => `user-${index}`)
  for (const [index, user] of users.entries()) await connect(account, issueTokens(index, { expires_in: 0 }), user)
  saas.script('/token', ({ form }) => issueTokens(Number(numberOf(form.get('refresh_token') ?? '')), { expires_in: 0 }))
  const calls = Array.from({ length: 1000 }, (_, index) => (index * 37 + Math.floor(index / 50)) % 50)
  const found = await Promise.all(calls.map((user) => account.tokens.find(`user-${user}`)))
  expect(found.map(numberOf)).toEqual(calls.map(String))
})

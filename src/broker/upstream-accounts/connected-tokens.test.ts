import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type AccountProcesses, numberOf, openAccountProcesses } from '../../../test/support/account-processes.ts'
import { describeServer, issueTokens, SERVER_METADATA } from '../../../test/support/scripted-account.ts'

let stage: AccountProcesses
beforeEach(async () => {
  stage = await openAccountProcesses()
})
afterEach(() => stage.close())

describe('a token that is about to end', () => {
  it('is used while no other can be had', async () => {
    const { account } = stage.start()
    await stage.connect(account, issueTokens(1, { expires_in: 300 }))
    stage.saas.script('/token', (_, response) => response.destroy())
    stage.clock.advance(280_000)
    expect(numberOf(await account.tokens.find('alice'))).toBe('1')
    expect(stage.listRefreshes().length).toBeGreaterThan(0)
    stage.clock.advance(21_000)
    await expect(account.tokens.find('alice')).rejects.toMatchObject({ code: 'upstream_token_unavailable' })
  })

  it('is refreshed once by two processes that share the store', async () => {
    const [one, other] = [stage.start().account, stage.start().account]
    await stage.connect(one, issueTokens(1, { expires_in: 300 }))
    stage.clock.advance(280_000)
    const held = stage.holdTokens(issueTokens(2))
    const first = one.tokens.find('alice')
    await held.asked
    const second = other.tokens.find('alice')
    held.release()
    expect(numberOf(await first)).toBe('2')
    // The other process looks again now and then.
    expect(numberOf(await stage.passTime(second))).toBe('2')
    expect(stage.listRefreshes()).toHaveLength(1)
  })

  it('is used by all processes while one of them waits for the refresh', async () => {
    const [one, other] = [stage.start().account, stage.start().account]
    await stage.connect(one, issueTokens(1, { expires_in: 300 }))
    stage.clock.advance(271_000)
    const held = stage.holdTokens(issueTokens(2))
    const first = one.tokens.find('alice')
    await held.asked
    const found = await stage.passTime(Promise.all([first, other.tokens.find('alice')]))
    expect(found.map(numberOf)).toEqual(['1', '1'])
    held.release()
    stage.clock.advance(5_000)
    expect(numberOf(await one.tokens.find('alice'))).toBe('2')
    expect(stage.listRefreshes()).toHaveLength(1)
  })

  it('is not used where the account was disconnected while the refresh failed', async () => {
    const [one, other] = [stage.start().account, stage.start().account]
    await stage.connect(one, issueTokens(1, { expires_in: 300 }))
    stage.clock.advance(280_000)
    const held = stage.holdTokens({ error: 'temporarily_unavailable' })
    const call = one.tokens.find('alice')
    await held.asked
    await other.disconnect('alice')
    held.release()
    expect(await call).toBeUndefined()
  })
})

describe('an authorization server that is slow to refresh', () => {
  it('does not hold calls for longer than ten seconds, and its answer counts when it comes', async () => {
    const { account } = stage.start()
    await stage.connect(account, issueTokens(1, { expires_in: 300 }))
    stage.clock.advance(301_000)
    const held = stage.holdTokens(issueTokens(2))
    const call = account.tokens.find('alice')
    await held.asked
    stage.clock.advance(10_000)
    await expect(call).rejects.toMatchObject({ code: 'upstream_token_unavailable' })
    const next = account.tokens.find('alice')
    held.release()
    expect(numberOf(await next)).toBe('2')
    expect(stage.listRefreshes()).toHaveLength(1)
  })

  it('gets the new tokens revoked when the account was disconnected meanwhile', async () => {
    const { account } = stage.start()
    await stage.connect(account, issueTokens(1, { expires_in: 300 }))
    stage.clock.advance(301_000)
    const held = stage.holdTokens(issueTokens(2))
    const call = account.tokens.find('alice')
    await held.asked
    await account.disconnect('alice')
    held.release()
    expect(await call).toBeUndefined()
    expect(stage.saas.at('/revoke').map(({ form }) => numberOf(form.get('token') ?? ''))).toEqual(['1', '2'])
    expect(await account.tokens.find('alice')).toBeUndefined()
  })

  it('is asked for nothing where its answer could come after another process has the lock', async () => {
    await stage.connect(stage.start().account, issueTokens(1, { expires_in: 300 }))
    stage.clock.advance(301_000)
    stage.saas.script(SERVER_METADATA, () => {
      stage.clock.advance(5_000)
      return describeServer(stage.saas.origin)
    })
    stage.saas.script('/token', () => issueTokens(2))
    const { account } = stage.start()
    await expect(account.tokens.find('alice')).rejects.toMatchObject({ code: 'upstream_token_unavailable' })
    expect(stage.listRefreshes()).toEqual([])
    expect(numberOf(await account.tokens.find('alice'))).toBe('2')
  })

  it('has its answer kept although the MCP server refuses the token before meanwhile', async () => {
    const { account } = stage.start()
    await stage.connect(account, issueTokens(1, { expires_in: 300 }))
    const before = await account.tokens.find('alice')
    stage.clock.advance(280_000)
    const held = stage.holdTokens(issueTokens(2))
    const call = account.tokens.find('alice')
    await held.asked
    await account.tokens.noteRefusal('alice', before ?? '')
    held.release()
    expect(numberOf(await call)).toBe('2')
    expect(numberOf(await account.tokens.find('alice'))).toBe('2')
    expect([stage.listRefreshes().length, stage.saas.at('/revoke').length]).toEqual([1, 0])
  })

  it('is waited for when the proxy stops', async () => {
    const { account, accounts } = stage.start()
    await stage.connect(account, issueTokens(1, { expires_in: 300 }))
    stage.clock.advance(301_000)
    const held = stage.holdTokens(issueTokens(2))
    const call = account.tokens.find('alice')
    await held.asked
    const closed = accounts.close()
    held.release()
    await closed
    expect(numberOf(await call)).toBe('2')
  })

  it('does not undo that the account was connected anew meanwhile', async () => {
    const { account } = stage.start()
    await stage.connect(account, issueTokens(1, { expires_in: 300 }))
    stage.clock.advance(301_000)
    const held = stage.holdTokens(issueTokens(2))
    const call = account.tokens.find('alice')
    await held.asked
    await stage.connect(account, issueTokens(3))
    held.release()
    expect(numberOf(await call)).toBe('3')
    expect(numberOf(await account.tokens.find('alice'))).toBe('3')
  })
})

describe('a token', () => {
  it('is never found for another MCP server under the same name', async () => {
    await stage.connect(stage.start().account, issueTokens(1))
    const moved = stage.start({ upstreamUrl: `${stage.saas.origin}/other` }).account
    expect(await moved.tokens.find('alice')).toBeUndefined()
  })

  it('is not used where the configuration wants another authorization server now', async () => {
    await stage.connect(stage.start().account, issueTokens(1))
    expect(await stage.start({ issuer: 'https://auth.example.com' }).account.tokens.find('alice')).toBeUndefined()
  })

  it('of a disconnected account is found no more, at once in this process and within five seconds in others', async () => {
    const [one, other] = [stage.start().account, stage.start().account]
    await stage.connect(one, issueTokens(1))
    expect(numberOf(await other.tokens.find('alice'))).toBe('1')
    await one.disconnect('alice')
    expect(await one.tokens.find('alice')).toBeUndefined()
    stage.clock.advance(5_000)
    expect(await other.tokens.find('alice')).toBeUndefined()
  })

  it('stands nowhere in the store in a form that can be read', async () => {
    const { account } = stage.start()
    await stage.connect(account, issueTokens(1))
    const kinds = ['UpstreamAccount', 'AccountClient']
    const entries = (await Promise.all(kinds.map((kind) => stage.store.list(kind, 10)))).flat()
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
    const { account } = stage.start({ issuer: stage.saas.origin, client: client('first') })
    await stage.connect(account, issueTokens(1))
    await account.disconnect('alice')
    expect([...stage.saas.at('/token'), ...stage.saas.at('/revoke')].map(({ form }) => form.get('client_secret'))).toEqual([
      'first',
      'first',
    ])
  })

  it('is not sent to the one of an account that was connected before the configuration named another', async () => {
    await stage.connect(stage.start({ issuer: stage.saas.origin, client: client('first') }).account, issueTokens(1))
    await stage.start({ issuer: 'http://127.0.0.1:9', client: client('second') }).account.disconnect('alice')
    expect(JSON.stringify(stage.saas.asked.map(({ body }) => body))).not.toContain('second')
  })
})

describe('a user who may not sign in any more', () => {
  it('loses all accounts, which are revoked where they are', async () => {
    const { account, accounts } = stage.start()
    await stage.connect(account, issueTokens(1))
    await stage.connect(account, issueTokens(2), 'bob')
    await accounts.endAll('alice')
    expect(await account.look('alice')).toBeUndefined()
    expect(numberOf(await account.tokens.find('bob'))).toBe('2')
    await accounts.close()
    expect(stage.saas.at('/revoke').map(({ form }) => numberOf(form.get('token') ?? ''))).toEqual(['1'])
    expect(stage.events).toContainEqual(
      expect.objectContaining({ kind: 'account_ended', subject: 'alice', detail: `revoked at ${stage.saas.origin}` }),
    )
  })

  it('loses them also where they are not revoked there', async () => {
    const { account, accounts } = stage.start()
    await stage.connect(account, issueTokens(1))
    stage.saas.script('/revoke', (_, response) => response.writeHead(503).end())
    await accounts.endAll('alice')
    expect(await account.look('alice')).toBeUndefined()
    await accounts.close()
    expect(stage.events).toContainEqual(
      expect.objectContaining({ kind: 'account_ended', detail: `not revoked at ${stage.saas.origin}` }),
    )
  })
})

it('50 users who call in any order get their own tokens, each time', async () => {
  const { account } = stage.start()
  const users = Array.from({ length: 50 }, (_, index) => `user-${index}`)
  for (const [index, user] of users.entries()) await stage.connect(account, issueTokens(index, { expires_in: 0 }), user)
  stage.saas.script('/token', ({ form }) => issueTokens(Number(numberOf(form.get('refresh_token') ?? '')), { expires_in: 0 }))
  const calls = Array.from({ length: 1000 }, (_, index) => (index * 37 + Math.floor(index / 50)) % 50)
  const found = await Promise.all(calls.map((user) => account.tokens.find(`user-${user}`)))
  expect(found.map(numberOf)).toEqual(calls.map(String))
})

import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type AccountProcesses, numberOf, openAccountProcesses } from '../../../test/support/account-processes.ts'
import { issueTokens, sendJson } from '../../../test/support/scripted-account.ts'
import type { UpstreamAccount } from './upstream-accounts.ts'

let stage: AccountProcesses
beforeEach(async () => {
  stage = await openAccountProcesses()
})
afterEach(() => stage.close())

describe('tokens that were issued while the store is away', () => {
  /** Refreshes while nothing can be stored. @returns the call that waits, and how the store comes back */
  const refreshUnstored = async (account: UpstreamAccount) => {
    await stage.connect(account, issueTokens(1, { expires_in: 300 }))
    stage.clock.advance(301_000)
    stage.saas.script('/token', () => issueTokens(2))
    const { replace } = stage.store
    const tried = Promise.withResolvers<void>()
    stage.store.replace = () => {
      tried.resolve()
      return Promise.reject(new Error('the store is away'))
    }
    const call = account.tokens.find('alice')
    await tried.promise
    stage.saas.script('/token', (_, response) => sendJson(response, 400, { error: 'invalid_grant' }))
    return {
      call,
      comeBack: () => {
        stage.store.replace = replace
      },
    }
  }
  /** The same for longer than another process waits. */
  const lose = async (account: UpstreamAccount) => {
    const { call, comeBack } = await refreshUnstored(account)
    await expect(stage.passTime(call)).rejects.toMatchObject({ code: 'upstream_token_unavailable' })
    stage.clock.advance(25_000)
    await expect.poll(() => stage.store.count('AccountRefreshLock')).toBe(0)
    comeBack()
  }

  it('are stored by this process before another one refreshes, where that is soon', async () => {
    const { call, comeBack } = await refreshUnstored(stage.start().account)
    const other = stage.start().account.tokens.find('alice')
    stage.clock.advance(5_000)
    comeBack()
    expect((await stage.passTime(Promise.all([call, other]))).map(numberOf)).toEqual(['2', '2'])
    expect(stage.listRefreshes()).toHaveLength(1)
  })

  it('are not revoked where the store did what it did not confirm', async () => {
    const { account } = stage.start()
    const { replace } = stage.store
    const { call, comeBack } = await refreshUnstored(account)
    stage.store.replace = async (...all) => {
      await replace(...all)
      comeBack()
      throw new Error('no answer')
    }
    expect(numberOf(await stage.passTime(call))).toBe('2')
    expect([numberOf(await account.tokens.find('alice')), stage.saas.at('/revoke')]).toEqual(['2', []])
  })

  it('are kept by this process, and stored when it is there again', async () => {
    const { account } = stage.start()
    await lose(account)
    expect(numberOf(await account.tokens.find('alice'))).toBe('2')
    expect((await account.look('alice'))?.tokens.accessToken).toContain('number-2')
    expect(stage.listRefreshes()).toHaveLength(1)
  })

  it('are stored although the MCP server refuses the token before meanwhile', async () => {
    const { account } = stage.start()
    await lose(account)
    const before = await account.look('alice')
    await account.tokens.noteRefusal('alice', before?.tokens.accessToken ?? '')
    expect(numberOf(await account.tokens.find('alice'))).toBe('2')
    expect(stage.listRefreshes()).toHaveLength(1)
  })

  it('are refreshed with their own refresh token where they are over by then', async () => {
    const { account } = stage.start()
    await lose(account)
    stage.clock.advance(3_600_000)
    stage.saas.script('/token', () => issueTokens(3))
    expect(numberOf(await account.tokens.find('alice'))).toBe('3')
    expect(stage.listRefreshes().map(({ form }) => numberOf(form.get('refresh_token') ?? ''))).toEqual(['1', '2'])
  })

  it('are lost where this process ends before that: then the user is asked again', async () => {
    await lose(stage.start().account)
    expect(await stage.start().account.tokens.find('alice')).toBeUndefined()
    expect(stage.events).toContainEqual(expect.objectContaining({ kind: 'account_ended', subject: 'alice' }))
  })
})

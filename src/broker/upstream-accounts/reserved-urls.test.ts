import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type AccountProcesses, numberOf, openAccountProcesses } from '../../../test/support/account-processes.ts'
import { issueTokens } from '../../../test/support/scripted-account.ts'

let stage: AccountProcesses
let listEndpoints: () => Promise<readonly string[]>
beforeEach(async () => {
  listEndpoints = () => Promise.resolve([])
  stage = await openAccountProcesses(() => listEndpoints())
})
afterEach(() => stage.close())

/** Has the identity provider not answer any more. */
function hang(): { readonly asked: Promise<void> } {
  const asked = Promise.withResolvers<void>()
  listEndpoints = () => {
    asked.resolve()
    return new Promise(() => {})
  }
  return { asked: asked.promise }
}

const fail = () => {
  listEndpoints = () => Promise.reject(new Error('no answer'))
}

describe('a token that is over, while the identity provider does not tell its endpoints,', () => {
  it.each<[string, () => unknown]>([
    ['does not answer', hang],
    ['fails', fail],
  ])('is refreshed by a process that has asked before when it %s', async (_title, leave) => {
    const { account } = stage.start()
    await stage.connect(account, issueTokens(1, { expires_in: 0 }))
    leave()
    stage.saas.script('/token', () => issueTokens(2))
    expect(numberOf(await account.tokens.find('alice'))).toBe('2')
  })

  it('is refreshed by a process that was started when it did not answer, after a second', async () => {
    await stage.connect(stage.start().account, issueTokens(1, { expires_in: 0 }))
    const { asked } = hang()
    stage.saas.script('/token', () => issueTokens(2))
    const call = stage.start().account.tokens.find('alice')
    await asked
    stage.clock.advance(1_000)
    expect(numberOf(await call)).toBe('2')
  })

  it('is refreshed by a process that was started when it failed', async () => {
    await stage.connect(stage.start().account, issueTokens(1, { expires_in: 0 }))
    fail()
    stage.saas.script('/token', () => issueTokens(2))
    expect(numberOf(await stage.start().account.tokens.find('alice'))).toBe('2')
  })
})

describe('a token of an authorization server at an endpoint of the identity provider', () => {
  const refusal = { code: 'upstream_token_misconfigured' }
  const reserve = () => {
    listEndpoints = () => Promise.resolve([`${stage.saas.origin}/token`])
  }

  it('is not refreshed by a process that has just been started', async () => {
    await stage.connect(stage.start().account, issueTokens(1, { expires_in: 0 }))
    reserve()
    await expect(stage.start().account.tokens.find('alice')).rejects.toMatchObject(refusal)
    expect(stage.listRefreshes()).toEqual([])
  })

  it('is not refreshed either while the identity provider does not answer, once it has told that', async () => {
    await stage.connect(stage.start().account, issueTokens(1, { expires_in: 0 }))
    const { account } = stage.start()
    reserve()
    await expect(account.begin([])).rejects.toMatchObject({ kind: 'unusable' })
    hang()
    await expect(account.tokens.find('alice')).rejects.toMatchObject(refusal)
    expect(stage.listRefreshes()).toEqual([])
  })

  it('is refreshed no more once the identity provider has moved there, and the process has refreshed a token since', async () => {
    const { account } = stage.start()
    await stage.connect(account, issueTokens(1, { expires_in: 0 }))
    reserve()
    expect(numberOf(await account.tokens.find('alice'))).toBe('1')
    await expect(account.tokens.find('alice')).rejects.toMatchObject(refusal)
    expect(stage.listRefreshes()).toHaveLength(1)
  })
})

it('has no account connected while the identity provider has never told its endpoints', async () => {
  fail()
  await expect(stage.start().account.begin([])).rejects.toMatchObject({ kind: 'unavailable' })
})

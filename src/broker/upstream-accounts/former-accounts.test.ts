// Accounts at MCP servers that the configuration has no more, or has at another place.
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type AccountProcesses, openAccountProcesses } from '../../../test/support/account-processes.ts'
import {
  describeServer,
  issueTokens,
  RESOURCE_METADATA,
  SERVER_METADATA,
  sendJson,
  startScriptedAccount,
} from '../../../test/support/scripted-account.ts'

let stage: AccountProcesses
beforeEach(async () => {
  stage = await openAccountProcesses()
})
afterEach(() => stage.close())

const listRevoked = () => stage.saas.at('/revoke').map(({ form }) => form.get('token'))
const countStored = () => stage.store.count('UpstreamAccount')

describe('a user who is shut out', () => {
  it('has revoked what they connected at an MCP server that is not configured any more', async () => {
    const { account } = stage.start()
    await stage.connect(account, issueTokens(1))
    await stage.connect(account, issueTokens(2), 'bob')
    const without = stage.startWithout()
    await without.endAll('alice')
    await without.close()
    expect(listRevoked()).toEqual(['refresh-token-number-1-of-the-account'])
    expect(await countStored()).toBe(1)
    expect(stage.events).toContainEqual(expect.objectContaining({ kind: 'account_ended', subject: 'alice', server: 'saas' }))
  })

  it('has revoked what they connected at the same MCP server when it was at another URL', async () => {
    const { account } = stage.start()
    await stage.connect(account, issueTokens(1))
    const { accounts } = stage.start({ upstreamUrl: `${stage.saas.origin}/moved` })
    await accounts.endAll('alice')
    await accounts.close()
    expect(listRevoked()).toEqual(['refresh-token-number-1-of-the-account'])
    expect(await countStored()).toBe(0)
  })

  it('has it revoked there as the client that it was connected with', async () => {
    const methods = { token_endpoint_auth_methods_supported: ['client_secret_basic'] }
    stage.saas.script(SERVER_METADATA, () => describeServer(stage.saas.origin, methods))
    stage.saas.script('/register', (_, response) => sendJson(response, 201, { client_id: 'one', client_secret: 'of-the-one' }))
    await stage.connect(stage.start().account, issueTokens(1))
    const without = stage.startWithout()
    await without.endAll('alice')
    await without.close()
    expect(stage.saas.at('/revoke')[0]?.headers.authorization).toBe(`Basic ${Buffer.from('one:of-the-one').toString('base64')}`)
  })

  it.each([
    ['does not reach it', (saas: AccountProcesses['saas']) => saas.script('/revoke', (_, response) => response.destroy())],
    ['is refused', (saas: AccountProcesses['saas']) => saas.script('/revoke', (_, response) => sendJson(response, 503, {}))],
    [
      'finds that it has become another one',
      (saas: AccountProcesses['saas']) => saas.script(SERVER_METADATA, () => describeServer('https://other.example')),
    ],
  ])('loses it here all the same where the proxy %s, which is logged', async (_, breakIt) => {
    await stage.connect(stage.start().account, issueTokens(1))
    breakIt(stage.saas)
    const without = stage.startWithout()
    await without.endAll('alice')
    await without.close()
    expect(await countStored()).toBe(0)
    expect(stage.issues).toEqual([expect.stringContaining('an account at saas was disconnected, but not revoked there')])
    expect(stage.issues.join()).not.toContain('token-number')
  })

  it('does not wait for it, however many accounts there are and however slow it is', async () => {
    const { account } = stage.start()
    const users = Array.from({ length: 70 }, (_, index) => `user-${index}`)
    for (const user of users) await stage.connect(account, issueTokens(1), user)
    const released = Promise.withResolvers<void>()
    stage.saas.script('/revoke', () => released.promise.then(() => ({})))
    const without = stage.startWithout()
    for (const user of users) await without.endAll(user)
    expect(await countStored()).toBe(0)
    expect(stage.issues).toHaveLength(38)
    expect(stage.issues[0]).toContain('too many others are being revoked')
    released.resolve()
    await without.close()
    expect(listRevoked()).toHaveLength(32)
  })

  it('has nothing sent into a private network for an MCP server that is not configured any more', async () => {
    await stage.connect(stage.start().account, issueTokens(1))
    const asked = stage.saas.asked.length
    const without = stage.startWithout({ allowPrivateNetwork: false })
    await without.endAll('alice')
    await without.close()
    expect(stage.saas.asked).toHaveLength(asked)
    expect(await countStored()).toBe(0)
    expect(stage.issues).toHaveLength(1)
  })
})

describe('what a user connected at the same MCP server when it was at another URL', () => {
  it('has nothing sent into a private network, where the MCP server is by its URL of now', async () => {
    await stage.connect(stage.start().account, issueTokens(1))
    const asked = stage.saas.asked.length
    const { accounts } = stage.start({ upstreamUrl: `${stage.saas.origin}/moved` }, { allowPrivateNetwork: false })
    await accounts.endAll('alice')
    await accounts.close()
    expect(stage.saas.asked).toHaveLength(asked)
    expect(await countStored()).toBe(0)
    expect(stage.issues).toEqual([expect.stringContaining('not revoked there')])
  })

  it('is revoked in a private network at the issuer that the configuration names now', async () => {
    await stage.connect(stage.start().account, issueTokens(1))
    const moved = { upstreamUrl: `${stage.saas.origin}/moved`, issuer: stage.saas.origin }
    const { accounts } = stage.start(moved, { allowPrivateNetwork: false })
    await accounts.endAll('alice')
    await accounts.close()
    expect(listRevoked()).toEqual(['refresh-token-number-1-of-the-account'])
  })
})

describe('an account at an authorization server that users trust for something else since', () => {
  const reserve = () => stage.start({ reservedOrigins: [stage.saas.origin] })

  it('is not refreshed there, and stays until the configuration permits that', async () => {
    await stage.connect(stage.start().account, issueTokens(1, { expires_in: 0 }))
    await expect(reserve().account.tokens.find('alice')).rejects.toMatchObject({ code: 'upstream_token_misconfigured' })
    expect(stage.listRefreshes()).toEqual([])
    expect(await stage.start({ issuer: stage.saas.origin }).account.tokens.find('alice')).toContain('access-token')
  })

  it('is not finished by a user who was sent there before', async () => {
    const { pending } = await stage.start().account.begin([])
    const answer = new URLSearchParams({ code: 'a-code', state: pending.state })
    await expect(reserve().account.finish('alice', pending, answer)).rejects.toMatchObject({ kind: 'unusable' })
    expect(stage.saas.at('/token')).toEqual([])
  })

  it('is revoked there when the user disconnects it', async () => {
    await stage.connect(stage.start().account, issueTokens(1))
    await reserve().account.disconnect('alice')
    expect(listRevoked()).toEqual(['refresh-token-number-1-of-the-account'])
  })
})

describe('an account that is connected anew', () => {
  it('at another authorization server is revoked at the one before', async () => {
    const other = await startScriptedAccount()
    try {
      const { account, accounts } = stage.start({ allowPrivateNetwork: true })
      await stage.connect(account, issueTokens(1))
      stage.saas.script(RESOURCE_METADATA, () => ({ resource: stage.saas.url, authorization_servers: [other.origin] }))
      await stage.connect(account, issueTokens(2))
      await accounts.close()
      expect(listRevoked()).toEqual(['refresh-token-number-1-of-the-account'])
      expect(other.at('/revoke')).toEqual([])
    } finally {
      await other.close()
    }
  })

  it('with the same client is not revoked: many authorization servers would revoke the new tokens as well', async () => {
    const { account, accounts } = stage.start()
    await stage.connect(account, issueTokens(1))
    await stage.connect(account, issueTokens(2))
    await accounts.close()
    expect(listRevoked()).toEqual([])
  })
})

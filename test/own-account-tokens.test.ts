import { afterEach, describe, expect, it } from 'vitest'
import { SAMPLE_USERS, type User } from '../src/sandbox/users.ts'
import type { AccountStage, AccountStageOptions } from './support/account-stage.ts'
import { obtainTokens } from './support/broker-client.ts'
import { createToolCall, type Message, readAnswer, sendMcp, textOf } from './support/mcp-requests.ts'
import { issueTokens, type Script, type ScriptedAccount, sendJson } from './support/scripted-account.ts'
import { startScriptedStage } from './support/scripted-stage.ts'

const [alice] = SAMPLE_USERS as readonly [User, User]

let saas: ScriptedAccount
let stage: AccountStage
afterEach(() => stage.close())

/** Signs in with tokens as the script issues them; what is asked for later is answered by the second script. */
async function signIn(first: object, later?: Script, options?: AccountStageOptions): Promise<string> {
  ;({ saas, stage } = await startScriptedStage(options))
  saas.script('/token', () => issueTokens(1, first))
  const { access_token: token } = await obtainTokens(stage.proxy.origin, stage.client, alice)
  if (later !== undefined) saas.script('/token', later)
  return token
}

const call = async (token: string): Promise<Message> =>
  readAnswer(sendMcp(stage.url, { user: token, body: createToolCall('whoami') }))
const listRefreshes = () => saas.at('/token').filter(({ form }) => form.get('grant_type') === 'refresh_token')
const refuse =
  (error: string, status = 400): Script =>
  (_, response) =>
    sendJson(response, status, { error })

/** Answers calls with 401, as long as they show one of these tokens. */
function refuseTokens(...numbers: readonly number[]): void {
  saas.script('/mcp', ({ headers, body }, response) => {
    const number = Number(/number-(\d+)/.exec(headers.authorization ?? '')?.[1] ?? 0)
    if (number === 0 || numbers.includes(number)) return response.writeHead(401, { 'www-authenticate': 'Bearer' }).end()
    return {
      jsonrpc: '2.0',
      id: (JSON.parse(body) as { id: number }).id,
      result: { content: [{ type: 'text', text: `issue ${number}` }] },
    }
  })
}

describe('the token for a connected account', () => {
  it('is refreshed when it is over, with the refresh token and the resource (RFC 8707 §2)', async () => {
    const token = await signIn({ expires_in: 0 }, () => issueTokens(2))
    expect(textOf(await call(token))).toBe('issue 2')
    await call(token)
    expect(listRefreshes().map(({ form }) => Object.fromEntries(form))).toEqual([
      {
        grant_type: 'refresh_token',
        refresh_token: 'refresh-token-number-1-of-the-account',
        resource: saas.url,
        client_id: 'registered',
      },
    ])
  })

  it('is refreshed once for all calls that need it at the same time', async () => {
    const token = await signIn({ expires_in: 0 }, () => issueTokens(2))
    const answers = await Promise.all([1, 2, 3, 4, 5].map(() => call(token)))
    expect(answers.map(textOf)).toEqual(Array(5).fill('issue 2'))
    expect(listRefreshes()).toHaveLength(1)
  })

  it('is refreshed with the refresh token that came last, and with the one before where an answer has none', async () => {
    let number = 1
    const token = await signIn({ expires_in: 0 }, () => {
      number += 1
      return issueTokens(number, { expires_in: 0, ...(number === 3 && { refresh_token: undefined }) })
    })
    for (let i = 0; i < 3; i += 1) await call(token)
    expect(listRefreshes().map(({ form }) => /number-(\d)/.exec(form.get('refresh_token') ?? '')?.[1])).toEqual(['1', '2', '2'])
  })

  it('is used to its end where there is no refresh token, and then the user is asked', async () => {
    const token = await signIn({ refresh_token: undefined, expires_in: 0 })
    const { error } = await call(token)
    expect(error.data.error).toBe('account_required')
    expect(listRefreshes()).toEqual([])
  })

  it.each(['invalid_grant', 'invalid_client'])(
    'is gone when a refresh is answered with %s, and the user is asked',
    async (error) => {
      const token = await signIn({ expires_in: 0 }, refuse(error))
      expect((await call(token)).error.data.error).toBe('account_required')
      await call(token)
      expect(listRefreshes()).toHaveLength(1)
      expect(stage.proxy.events).toContainEqual(
        expect.objectContaining({ kind: 'account_ended', subject: 'alice', server: 'saas' }),
      )
    },
  )

  it.each([
    ['does not answer', (_, response) => response.destroy()],
    ['has an error', (_, response) => response.writeHead(500).end()],
    ['asks for patience', refuse('slow_down', 429)],
    ['answers with a page', (_, response) => response.writeHead(200, { 'content-type': 'text/html' }).end('<h1>Hello</h1>')],
    ['answers without a token', () => ({ token_type: 'Bearer' })],
    ['answers with a token that no header can carry', () => ({ access_token: 'a\nb', token_type: 'Bearer' })],
    ['answers with a token of another type', () => ({ access_token: 'a', token_type: 'DPoP' })],
    ['answers with more than anyone reads', () => ({ access_token: 'a', more: 'x'.repeat(600_000) })],
  ] as readonly [string, Script][])('is still good for a retry when the authorization server %s', async (_, script) => {
    const token = await signIn({ expires_in: 0 }, script)
    const response = await sendMcp(stage.url, { user: token, body: createToolCall('whoami') })
    expect([response.status, response.headers.get('retry-after')]).toEqual([503, '5'])
    expect((await readAnswer(response)).error.data.error).toBe('upstream_token_unavailable')
    saas.script('/token', () => issueTokens(2))
    expect(textOf(await call(token))).toBe('issue 2')
  })
})

describe('an MCP server that answers 401 to the token of a connected account', () => {
  it('gets a refreshed one with the next call', async () => {
    const token = await signIn({}, () => issueTokens(2))
    refuseTokens(1)
    const response = await sendMcp(stage.url, { user: token, body: createToolCall('whoami') })
    expect([response.status, response.headers.get('www-authenticate')]).toEqual([502, null])
    expect(textOf(await call(token))).toBe('issue 2')
  })

  it('has the user asked to connect it anew where it does not take the refreshed one either', async () => {
    const token = await signIn({}, () => issueTokens(2))
    refuseTokens(1, 2)
    const codes = [await call(token), await call(token), await call(token)].map(({ error }) => error.data.error)
    expect(codes).toEqual(['upstream_refused_credential', 'upstream_refused_credential', 'account_required'])
    expect(listRefreshes()).toHaveLength(1)
  })

  it('has the user asked to connect it anew where there is no refresh token', async () => {
    const token = await signIn({ refresh_token: undefined })
    refuseTokens(1)
    const codes = [await call(token), await call(token)].map(({ error }) => error.data.error)
    expect(codes).toEqual(['upstream_refused_credential', 'account_required'])
  })
})

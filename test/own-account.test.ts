import { afterEach, describe, expect, it } from 'vitest'
import type { AuthorizationServerOptions } from '../src/sandbox/authorization-server.ts'
import { SAMPLE_USERS, type User } from '../src/sandbox/users.ts'
import { type AccountServer, startAccountServer } from './support/account-server.ts'
import { type AccountStage, type AccountStageOptions, startAccountStage } from './support/account-stage.ts'
import { createBrowser, obtainTokens, readRefresh } from './support/broker-client.ts'
import { createRequest, createToolCall, openSession, readAnswer, sendMcp, sendModern, textOf } from './support/mcp-requests.ts'
import { openLink, sendForm, signInVisitor } from './support/visitor.ts'

const [alice, bob] = SAMPLE_USERS as readonly [User, User]

let saas: AccountServer
let stage: AccountStage
afterEach(async () => {
  await stage.close()
  await saas.close()
})

async function start(options: AccountStageOptions & { readonly account?: AuthorizationServerOptions } = {}) {
  saas = await startAccountServer(options.account)
  stage = await startAccountStage(saas.url, options)
  const { client, proxy, url } = stage
  const signIn = async (user = alice) => (await obtainTokens(proxy.origin, client, user)).access_token
  const call = (user: string) => readAnswer(sendMcp(url, { user, body: createToolCall('whoami') }))
  return { signIn, call }
}

/** Signs in, and takes the account away again. */
async function disconnect(user: User): Promise<void> {
  const browser = await signInVisitor(stage.proxy.origin, user)
  await sendForm(browser, `${stage.proxy.origin}/connections`, { action: 'disconnect', server: 'saas' })
}

describe('an MCP server with `credential: own_account`', () => {
  it('gets a token of its own authorization server, for the account that the user connected in the same sign-in', async () => {
    const { signIn, call } = await start()
    const token = await signIn()
    expect(textOf(await call(token))).toBe('alice may mcp:tools')
    expect(saas.shown.join()).not.toContain(token)
  })

  it('gets of each user the token of that very user', async () => {
    const { signIn, call } = await start()
    const tokens = [await signIn(alice), await signIn(bob)]
    const answers = await Promise.all([0, 1, 0, 1, 1, 0].map(async (which) => textOf(await call(tokens[which] ?? ''))))
    expect(answers.map((answer) => answer.split(' ')[0])).toEqual(['alice', 'bob', 'alice', 'bob', 'bob', 'alice'])
  })

  it('asks once: the next sign-in finds the account connected', async () => {
    const { signIn } = await start()
    await signIn()
    await signIn()
    expect(stage.proxy.events.filter(({ kind }) => kind === 'account_connected')).toEqual([
      expect.objectContaining({ outcome: 'success', subject: 'alice', server: 'saas', scopes: ['mcp:tools'] }),
    ])
  })

  it('is reached by a client that the configuration has at its authorization server', async () => {
    const clients = [
      {
        client_id: 'known-there',
        client_secret: 'a-secret-that-the-authorization-server-knows',
        token_endpoint_auth_method: 'client_secret_basic' as const,
        redirect_uris: ['http://localhost/connections/callback/any'],
      },
    ]
    saas = await startAccountServer({ clients })
    const credential = {
      client_id: 'known-there',
      client_secret: { env: 'SAAS_SECRET' },
      issuer: saas.authorizationServer.issuer,
    }
    stage = await startAccountStage(saas.url, { credential, env: { SAAS_SECRET: clients[0]?.client_secret ?? '' } })
    const browser = await signInVisitor(stage.proxy.origin, alice)
    const page = await sendForm(browser, `${stage.proxy.origin}/connections`, { action: 'connect', server: 'saas' })
    const request = new URL(readRefresh(await page.text()))
    expect(request.origin).toBe(saas.authorizationServer.issuer)
    expect(request.searchParams.get('client_id')).toBe('known-there')
    expect(request.searchParams.get('resource')).toBe(saas.url)
    expect(request.searchParams.get('code_challenge_method')).toBe('S256')
  })
})

describe('a user without a connected account', () => {
  const URL_ELICITATION = { elicitation: { url: {} } }
  const links = (text: string) => /http:\/\/localhost:\d+\/connections\/link\/[\w-]+/.exec(text)?.[0] ?? ''

  it('is asked by an input request of a client of 2026-07-28 that can open links (basic/patterns/mrtr)', async () => {
    const { signIn } = await start()
    const token = await signIn()
    await disconnect(alice)
    const params = { name: 'whoami', arguments: {} }
    const { result } = await readAnswer(
      sendModern(stage.proxy.origin, 'tools/call', params, { user: token, capabilities: URL_ELICITATION }),
    )
    expect(result).toEqual({
      resultType: 'input_required',
      inputRequests: {
        omap_account: {
          method: 'elicitation/create',
          params: {
            mode: 'url',
            message: 'Connect your account at the MCP server “saas” first.',
            url: expect.stringMatching(/^http:\/\/localhost:\d+\/connections\/link\/[\w-]+$/),
          },
        },
      },
    })
    const link = result.inputRequests.omap_account.params.url
    await openLink(await signInVisitor(stage.proxy.origin, alice), link, alice)
    const retry = { ...params, inputResponses: { omap_account: { action: 'accept' } } }
    const answer = await readAnswer(
      sendModern(stage.proxy.origin, 'tools/call', retry, { user: token, capabilities: URL_ELICITATION }),
    )
    expect(textOf(answer)).toBe('alice may mcp:tools')
    expect(JSON.stringify(saas.calls)).not.toContain('omap_account')
  })

  it('who declines is told in words, and not asked the same again', async () => {
    const { signIn } = await start()
    const token = await signIn()
    await disconnect(alice)
    const retry = { name: 'whoami', arguments: {}, inputResponses: { omap_account: { action: 'decline' } } }
    const { error } = await readAnswer(
      sendModern(stage.proxy.origin, 'tools/call', retry, { user: token, capabilities: URL_ELICITATION }),
    )
    expect(links(error.message)).not.toBe('')
  })

  it.each([
    ['cannot open links', 'tools/call', { name: 'whoami', arguments: {} }, {}],
    ['can only show forms', 'tools/call', { name: 'whoami', arguments: {} }, { elicitation: {} }],
    ['asks for what may need no input', 'tools/list', {}, URL_ELICITATION],
  ])('gets the link in the text of an error from a client of 2026-07-28 that %s', async (_, method, params, capabilities) => {
    const { signIn } = await start()
    const token = await signIn()
    await disconnect(alice)
    const response = await sendModern(stage.proxy.origin, method, params, { user: token, capabilities })
    expect(response.status).toBe(200)
    const { error } = await readAnswer(response)
    expect(error).toEqual({
      code: -31403,
      message: expect.stringContaining('Open this link: http'),
      data: { error: 'account_required', url: links(error.message), request_id: expect.any(String) },
    })
  })

  it('is asked by the error -32042 in a session of 2025-11-25 whose client declared that it can open links', async () => {
    const { signIn } = await start()
    const token = await signIn()
    const session = await openSession(stage.proxy.origin, { user: token, capabilities: URL_ELICITATION })
    await disconnect(alice)
    const { error } = await readAnswer(session.post(createToolCall('whoami')))
    expect(error).toEqual({
      code: -32042,
      message: 'Connect your account at the MCP server “saas” first.',
      data: {
        elicitations: [
          {
            mode: 'url',
            elicitationId: expect.any(String),
            url: expect.stringMatching(/\/connections\/link\/[\w-]+$/),
            message: 'Connect your account at the MCP server “saas” first.',
          },
        ],
      },
    })
  })

  it('gets the link in the text of an error in a session whose client declared nothing of the kind', async () => {
    const { signIn } = await start()
    const token = await signIn()
    const session = await openSession(stage.proxy.origin, { user: token })
    await disconnect(alice)
    const { error } = await readAnswer(session.post(createToolCall('whoami')))
    expect(error.code).toBe(-31403)
    expect(links(error.message)).not.toBe('')
  })

  it('gets the link with the answer to `initialize`, whatever the client declares in it', async () => {
    const { signIn } = await start()
    const token = await signIn()
    await disconnect(alice)
    const params = { protocolVersion: '2025-11-25', capabilities: URL_ELICITATION, clientInfo: { name: 'test', version: '1' } }
    const { error } = await readAnswer(sendMcp(stage.url, { user: token, body: createRequest('initialize', params) }))
    expect(links(error.message)).not.toBe('')
  })

  it('is refused with 403 where there is no request to answer', async () => {
    const { signIn } = await start()
    const token = await signIn()
    await disconnect(alice)
    const body = { jsonrpc: '2.0', method: 'notifications/initialized' }
    expect((await sendMcp(stage.url, { user: token, body })).status).toBe(403)
    expect(saas.calls).toEqual([])
  })

  it('connects it by the link, which names the client that called and where the account is', async () => {
    const { signIn, call } = await start()
    const token = await signIn()
    await disconnect(alice)
    const link = links((await call(token)).error.message)
    const browser = await signInVisitor(stage.proxy.origin, alice)
    const page = await (await browser.open(link)).text()
    expect(page).toContain(stage.clientName)
    expect(page).toContain(new URL(saas.authorizationServer.issuer).host)
    await openLink(browser, link, alice)
    expect(textOf(await call(token))).toBe('alice may mcp:tools')
  })
})

describe('an MCP server that wants more scopes', () => {
  it('has the user asked to connect the account with them', async () => {
    const { signIn, call } = await start()
    const token = await signIn()
    const challenge = 'Bearer error="insufficient_scope", scope="mcp:tools mcp:admin"'
    saas.behavior.refusal = { status: 403, headers: { 'www-authenticate': challenge } }
    const { error } = await call(token)
    saas.behavior.refusal = undefined
    const browser = await signInVisitor(stage.proxy.origin, alice)
    const connected = await openLink(browser, error.data.url, alice)
    expect(connected.request.searchParams.get('scope')?.split(' ').toSorted()).toEqual(
      expect.arrayContaining(['mcp:admin', 'mcp:tools']),
    )
  })

  it('that refuses a call for another reason has its own answer passed on', async () => {
    const { signIn } = await start()
    const token = await signIn()
    saas.behavior.refusal = { status: 403, headers: {} }
    expect((await sendMcp(stage.url, { user: token, body: createToolCall('whoami') })).status).toBe(403)
  })
})

describe('the page of a user’s accounts', () => {
  it('shows what is connected where, and disconnects it: the token is revoked there, and no longer used', async () => {
    const { signIn, call } = await start()
    const token = await signIn()
    await call(token)
    const browser = await signInVisitor(stage.proxy.origin, alice)
    const list = `${stage.proxy.origin}/connections`
    const before = await (await browser.open(list)).text()
    expect(before).toContain(`Connected to your account at <strong>${new URL(saas.authorizationServer.issuer).host}</strong>`)
    await sendForm(browser, list, { action: 'disconnect', server: 'saas' })
    expect(await (await browser.open(list)).text()).toContain('Not connected')
    expect((await call(token)).error.data.error).toBe('account_required')
    expect(stage.proxy.events.filter(({ kind }) => kind === 'account_ended')).toEqual([
      expect.objectContaining({ subject: 'alice', server: 'saas', detail: `revoked at ${saas.authorizationServer.issuer}` }),
    ])
  })

  it('is shown only to users who have signed in with the identity provider', async () => {
    await start()
    const page = await createBrowser().open(`${stage.proxy.origin}/connections`)
    const html = await page.text()
    expect(html).not.toContain('saas')
    expect(new URL(readRefresh(html)).origin).toBe(stage.identityProvider.issuer)
  })

  it('cannot be framed, runs no script, and is kept by no cache', async () => {
    await start()
    const browser = await signInVisitor(stage.proxy.origin, alice)
    const { headers } = await browser.open(`${stage.proxy.origin}/connections`)
    expect(headers.get('content-security-policy')).toContain("default-src 'none'")
    expect(headers.get('x-frame-options')).toBe('DENY')
    expect(headers.get('cache-control')).toBe('no-store')
  })
})

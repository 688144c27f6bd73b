// Accounts at MCP servers with an authorization server of its own: links and responses that are stolen, replayed or mixed up.

import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { readHidden } from '../../demo/browser.ts'
import { SAMPLE_USERS, type User } from '../../src/sandbox/users.ts'
import { type AccountStage, type AccountStageOptions, startAccountStage } from '../support/account-stage.ts'
import { comeBack } from '../support/broker-browser.ts'
import {
  createBrowser,
  createRawClient,
  createRequest,
  obtainTokens,
  openConsentPage,
  readRefresh,
} from '../support/broker-client.ts'
import { changeCharacter } from '../support/forge.ts'
import { createToolCall, readAnswer, sendMcp, textOf } from '../support/mcp-requests.ts'
import {
  describeServer,
  issueTokens,
  RESOURCE_METADATA,
  type ScriptedAccount,
  SERVER_METADATA,
  sendBack,
  startScriptedAccount,
} from '../support/scripted-account.ts'
import { sendForm, signInVisitor, visit } from '../support/visitor.ts'

const [alice, bob] = SAMPLE_USERS as readonly [User, User]

let saas: ScriptedAccount
let stage: AccountStage
beforeEach(async () => {
  saas = await startScriptedAccount()
})
afterEach(async () => {
  await stage.close()
  await saas.close()
})

async function start(options?: AccountStageOptions): Promise<void> {
  stage = await startAccountStage(saas.url, options)
}

const list = () => `${stage.proxy.origin}/connections`
const call = (user: string) => readAnswer(sendMcp(stage.url, { user, body: createToolCall('whoami') }))
const obtain = async (user: User) => (await obtainTokens(stage.proxy.origin, stage.client, user)).access_token
const listConnected = () =>
  stage.proxy.events
    .filter(({ kind, outcome }) => kind === 'account_connected' && outcome === 'success')
    .map(({ subject }) => subject)

/** A link that was made for a user, who has no account connected. */
async function makeLink(user: User): Promise<string> {
  const token = await obtain(user)
  await sendForm(await signInVisitor(stage.proxy.origin, user), list(), { action: 'disconnect', server: 'saas' })
  return (await call(token)).error.data.url
}

/** A user begins to connect an account. @returns the answer of the authorization server, which no browser has opened yet */
async function begin(user: User) {
  const browser = await signInVisitor(stage.proxy.origin, user)
  const page = await sendForm(browser, list(), { action: 'connect', server: 'saas' })
  const answer = await fetch(readRefresh(await page.text()), { redirect: 'manual' })
  return { browser, answer: answer.headers.get('location') ?? '' }
}

describe('a link to connect an account', () => {
  it('connects nothing when another user opens it, and says so', async () => {
    await start()
    const link = await makeLink(alice)
    const before = listConnected()
    const browser = await signInVisitor(stage.proxy.origin, bob)
    const page = await browser.open(link)
    expect(page.status).toBe(403)
    expect(await page.text()).toContain('Nothing was connected')
    const form = new URLSearchParams({ action: 'connect', form_token: 'x' })
    expect((await browser.open(link, { method: 'POST', body: form })).status).toBe(403)
    expect(listConnected()).toEqual(before)
  })

  it('has a browser sign in first, and is no proof of who its user is', async () => {
    await start()
    const link = await makeLink(alice)
    const browser = createBrowser()
    expect(new URL(readRefresh(await (await browser.open(link)).text())).origin).toBe(stage.identityProvider.issuer)
    expect((await visit(browser, link, bob)).status).toBe(403)
  })

  it.each([
    ['changed', (link: string) => changeCharacter(link, -2)],
    ['made up', () => `${stage.proxy.origin}/connections/link/AAAA`],
  ])('that was %s leads nowhere', async (_, change) => {
    await start()
    const link = await makeLink(alice)
    const browser = await signInVisitor(stage.proxy.origin, alice)
    expect((await browser.open(change(link))).status).toBe(400)
  })

  it('names no user in a form that its finder could read', async () => {
    await start()
    const link = await makeLink(alice)
    const reference = link.slice(link.lastIndexOf('/') + 1)
    expect(`${link} ${Buffer.from(reference, 'base64url').toString('latin1')}`).not.toMatch(/alice|saas|mcp:/)
  })

  it('leads to the host that its page has named, or asks again', async () => {
    await start()
    const link = await makeLink(alice)
    const browser = await signInVisitor(stage.proxy.origin, alice)
    const other = await startScriptedAccount()
    try {
      const shown = await (await browser.open(link)).text()
      expect(shown).toContain(new URL(saas.origin).host)
      saas.script(RESOURCE_METADATA, () => ({ resource: saas.url, authorization_servers: [other.origin] }))
      const form = new URLSearchParams({ ...readHidden(shown), action: 'connect' })
      const page = await (await browser.open(link, { method: 'POST', body: form })).text()
      expect(page).toContain(`Continue to ${new URL(other.origin).host}`)
      expect(page).toContain('<form method="post">')
    } finally {
      await other.close()
    }
  })

  it('leads nowhere by GET alone: no page that a user opens sends them to connect an account', async () => {
    await start()
    const link = await makeLink(alice)
    const browser = await signInVisitor(stage.proxy.origin, alice)
    const asked = saas.at('/authorize').length
    for (const url of [link, list()]) expect(readRefresh(await (await browser.open(url)).text())).toBe('')
    expect(saas.at('/authorize')).toHaveLength(asked)
  })
})

describe('a form of the pages for accounts', () => {
  const fields = { action: 'disconnect', server: 'saas' }

  it('is not taken from another site', async () => {
    await start()
    await obtain(alice)
    const browser = await signInVisitor(stage.proxy.origin, alice)
    for (const headers of [
      { origin: 'https://evil.example' },
      { 'sec-fetch-site': 'cross-site' },
      { 'sec-fetch-site': 'same-site' },
    ])
      expect((await sendForm(browser, list(), fields, headers)).status).toBe(403)
    expect(await (await browser.open(list())).text()).toContain('Connected')
  })

  it.each([
    ['without a token', undefined],
    ['with the token of another user', bob],
  ])('is not taken %s', async (_, other) => {
    await start()
    await obtain(alice)
    const browser = await signInVisitor(stage.proxy.origin, alice)
    const theirs =
      other &&
      /name="form_token" value="([^"]*)"/.exec(
        await (await (await signInVisitor(stage.proxy.origin, other)).open(list())).text(),
      )?.[1]
    const body = new URLSearchParams({ ...fields, ...(theirs !== undefined && { form_token: theirs }) })
    expect((await browser.open(list(), { method: 'POST', body })).status).toBe(403)
    expect(await (await browser.open(list())).text()).toContain('Connected')
  })
})

describe('the response of an authorization server', () => {
  it('counts in the browser in which the user was sent away, and in no other', async () => {
    await start()
    const { answer, browser } = await begin(alice)
    const victim = await signInVisitor(stage.proxy.origin, bob)
    expect((await victim.open(answer)).status).toBe(403)
    expect((await createBrowser().open(answer)).status).toBe(403)
    expect(saas.at('/token')).toEqual([])
    // What the thief did has used nothing up.
    expect((await browser.open(answer)).status).toBe(303)
    expect(listConnected()).toEqual(['alice'])
  })

  it('in the course of a sign-in counts in the browser of that sign-in, and in no other', async () => {
    await start()
    const browser = createBrowser()
    const request = createRequest(stage.proxy.origin, stage.client).url
    const page = await browser.open(await comeBack(browser, request, alice))
    const sent = await fetch(readRefresh(await page.text()), { redirect: 'manual' })
    const answer = sent.headers.get('location') ?? ''
    const victim = await signInVisitor(stage.proxy.origin, alice)
    expect((await victim.open(answer)).status).toBe(403)
    expect((await createBrowser().open(answer)).status).toBe(403)
    expect(saas.at('/token')).toEqual([])
    const end = await browser.open(readRefresh(await (await browser.open(answer)).text()))
    expect(end.headers.get('location')).toContain('code=')
  })

  it('counts once', async () => {
    await start()
    const { answer, browser } = await begin(alice)
    expect((await browser.open(answer)).status).toBe(303)
    expect((await browser.open(answer)).status).toBe(400)
    expect(saas.at('/token')).toHaveLength(1)
  })

  it('does not count for another user who has signed in in that browser since', async () => {
    await start()
    const { answer, browser } = await begin(alice)
    await visit(browser, `${list()}?as=another`, bob)
    expect(await (await browser.open(list())).text()).toContain('Signed in as Bob')
    expect((await browser.open(answer)).status).toBe(403)
    expect(saas.at('/token')).toEqual([])
    expect(listConnected()).toEqual([])
  })

  it.each([
    ['names another issuer', { iss: 'https://evil.example' }],
    ['has an error as well as a code', { error: 'access_denied' }],
  ])('is refused when it %s', async (_, more) => {
    saas.script('/authorize', ({ query }, response) => sendBack(query, response, { code: 'a-code', ...more }))
    await start()
    const { answer, browser } = await begin(alice)
    expect((await browser.open(answer)).status).toBeGreaterThanOrEqual(400)
    expect(saas.at('/token')).toEqual([])
  })

  it('is refused when it does not name the issuer although the metadata says that it does (RFC 9207 §2.4)', async () => {
    saas.script(SERVER_METADATA, () => describeServer(saas.origin, { authorization_response_iss_parameter_supported: true }))
    await start()
    const { answer, browser } = await begin(alice)
    expect((await browser.open(answer)).status).toBe(400)
    expect(saas.at('/token')).toEqual([])
  })

  it('is refused when a parameter comes twice', async () => {
    await start()
    const { answer, browser } = await begin(alice)
    expect((await browser.open(`${answer}&code=another`)).status).toBe(400)
    expect(saas.at('/token')).toEqual([])
  })

  it('of one authorization server never gets to another one, whose user the browser is (mix-up, RFC 9700 §4.4)', async () => {
    const honest = await startScriptedAccount()
    try {
      const servers = () => [
        { name: 'evil', path: '/mcp', upstream: saas.url, credential: 'own_account' as const, scopes: ['mcp:tools'] },
        { name: 'honest', path: '/honest', upstream: honest.url, credential: 'own_account' as const, scopes: ['mcp:tools'] },
      ]
      await start({ servers })
      const browser = await signInVisitor(stage.proxy.origin, alice)
      const send = async (server: string) =>
        new URL(readRefresh(await (await sendForm(browser, list(), { action: 'connect', server })).text()))
      const toHonest = await send('honest')
      const toEvil = await send('evil')
      // The evil one sends the browser on to the honest one, with its own state in the honest one's request.
      toHonest.searchParams.set('state', toEvil.searchParams.get('state') ?? '')
      toHonest.searchParams.set('code_challenge', toEvil.searchParams.get('code_challenge') ?? '')
      const answer = await fetch(toHonest, { redirect: 'manual' })
      expect((await browser.open(answer.headers.get('location') ?? '')).status).toBe(403)
      expect([...saas.at('/token'), ...honest.at('/token')]).toEqual([])
    } finally {
      await honest.close()
    }
  })
})

describe('a hostile MCP server', () => {
  it.each([
    ['the identity provider of the company', () => stage.identityProvider.issuer],
    ['the proxy itself', () => stage.proxy.origin],
  ])('that names %s as its authorization server gets no token of it', async (_, name) => {
    await start()
    const browser = await signInVisitor(stage.proxy.origin, alice)
    saas.script(RESOURCE_METADATA, () => ({ resource: saas.url, authorization_servers: [name()], scopes_supported: [] }))
    const page = await sendForm(browser, list(), { action: 'connect', server: 'saas' })
    expect(page.status).toBeGreaterThanOrEqual(400)
    expect(readRefresh(await page.text())).toBe('')
    expect(stage.proxy.log.text()).toContain('trust for something else')
  })

  it.each([
    ['authorization_endpoint', 'the identity provider of the company', () => stage.identityProvider.issuer],
    ['authorization_endpoint', 'the proxy itself', () => stage.proxy.origin],
    ['token_endpoint', 'the identity provider of the company', () => stage.identityProvider.issuer],
  ])('whose authorization server has its %s at %s sends no user there', async (endpoint, _, name) => {
    await start()
    const link = await makeLink(alice)
    // What is known of an authorization server is known for minutes: this one is a new one.
    const evil = await startScriptedAccount()
    try {
      evil.script(SERVER_METADATA, () => describeServer(evil.origin, { [endpoint]: `${name()}/authorize` }))
      saas.script(RESOURCE_METADATA, () => ({ resource: saas.url, authorization_servers: [evil.origin], scopes_supported: [] }))
      const browser = await signInVisitor(stage.proxy.origin, alice)
      const page = await sendForm(browser, list(), { action: 'connect', server: 'saas' })
      expect(page.status).toBeGreaterThanOrEqual(400)
      expect(readRefresh(await page.text())).toBe('')
      expect((await browser.open(link)).status).toBeGreaterThanOrEqual(400)
      expect(evil.at('/register')).toEqual([])
      expect(stage.proxy.log.text()).toContain('trust for something else')
    } finally {
      await evil.close()
    }
  })
})

describe('a client of a stranger', () => {
  it('gets no code without the consent of the user, however many accounts are connected (confused deputy)', async () => {
    await start()
    await obtain(alice)
    const stranger = await createRawClient(stage.proxy.origin, {
      client_name: 'Stranger',
      redirectUri: 'https://stranger.example/cb',
    })
    const browser = createBrowser()
    await comeBack(browser, createRequest(stage.proxy.origin, stage.client).url, alice)
    const asked = saas.at('/authorize').length
    const page = await openConsentPage(browser, createRequest(stage.proxy.origin, stranger).url)
    expect(page.html).toContain('Stranger')
    expect(saas.at('/authorize')).toHaveLength(asked)
  })
})

describe('a user who denies access to the account in the course of a sign-in', () => {
  it('gets an error page, and the client no code', async () => {
    saas.script('/authorize', ({ query }, response) => sendBack(query, response, { error: 'access_denied' }))
    await start()
    await expect(obtain(alice)).rejects.toThrow(/403: Your account was not connected/)
    expect(stage.proxy.events.filter(({ kind }) => kind === 'consent' || kind === 'authorization')).toEqual([])
    expect(stage.proxy.events).toContainEqual(
      expect.objectContaining({ kind: 'account_connected', outcome: 'sign_in_failed', subject: 'alice' }),
    )
  })
})

const OPERATOR = 'token-of-the-operator-0123456789'

function revoke(subject: string, isBlock = false): Promise<Response> {
  const headers = { authorization: `Bearer ${OPERATOR}`, 'content-type': 'application/json' }
  const body = JSON.stringify({ subject, ...(isBlock && { block: true }) })
  return fetch(`${stage.proxy.adminUrl}/users/revoke`, { method: 'POST', headers, body })
}

describe('a user whom an operator shuts out', () => {
  const startOperated = () =>
    start({ config: { admin: { port: 0, token: { env: 'ADMIN_TOKEN' } } }, env: { ADMIN_TOKEN: OPERATOR } })

  it('connects no account that they have begun to connect', async () => {
    await startOperated()
    await obtain(alice)
    const { answer, browser } = await begin(alice)
    const before = saas.at('/token').length
    expect((await revoke('alice', true)).status).toBe(200)
    expect((await browser.open(answer)).status).toBeGreaterThanOrEqual(400)
    expect(saas.at('/token')).toHaveLength(before)
    expect(listConnected()).toEqual(['alice'])
  })

  it('connects none in the course of a sign-in either', async () => {
    await startOperated()
    const browser = createBrowser()
    const page = await browser.open(await comeBack(browser, createRequest(stage.proxy.origin, stage.client).url, alice))
    const sent = await fetch(readRefresh(await page.text()), { redirect: 'manual' })
    expect((await revoke('alice', true)).status).toBe(200)
    expect((await browser.open(sent.headers.get('location') ?? '')).status).toBeGreaterThanOrEqual(400)
    expect(saas.at('/token')).toEqual([])
  })

  it('has revoked there what is issued at that very moment', async () => {
    await startOperated()
    await obtain(alice)
    const { answer, browser } = await begin(alice)
    saas.script('/token', async () => {
      await revoke('alice', true)
      return issueTokens(7)
    })
    expect((await browser.open(answer)).status).toBeGreaterThanOrEqual(400)
    expect(saas.at('/revoke').map(({ form }) => form.get('token'))).toContain('refresh-token-number-7-of-the-account')
  })

  it('is no user of our pages any more, in any browser, when they have signed in anew elsewhere', async () => {
    await startOperated()
    const browser = await signInVisitor(stage.proxy.origin, alice)
    expect(await (await browser.open(list())).text()).toContain('Signed in as')
    expect((await revoke('alice')).status).toBe(200)
    await signInVisitor(stage.proxy.origin, alice)
    expect(await (await browser.open(list())).text()).not.toContain('Signed in as')
  })

  it('has no account connected any more: the tokens are deleted here and revoked there', async () => {
    await startOperated()
    await obtain(alice)
    const revoked = new Promise((resolve) => saas.script('/revoke', ({ form }) => resolve(form.get('token'))))
    expect((await revoke('alice')).status).toBe(200)
    expect(await revoked).toBe('refresh-token-number-1-of-the-account')
  })
})

describe('an MCP server that is taken out of the configuration, and the last one with accounts,', () => {
  const servers = (changes: object) => [{ name: 'saas', path: '/mcp', upstream: saas.url, scopes: ['mcp:tools'], ...changes }]

  it('leaves no account behind for its users who are shut out then, and gets nothing sent into a private network', async () => {
    await start({ config: { admin: { port: 0, token: { env: 'ADMIN_TOKEN' } } }, env: { ADMIN_TOKEN: OPERATOR } })
    await obtain(alice)
    const asked = saas.asked.length
    expect(await stage.proxy.reloadWith({ servers: servers({}) })).toMatchObject({ outcome: 'reloaded' })
    expect((await revoke('alice')).status).toBe(200)
    expect(saas.asked).toHaveLength(asked)
    await stage.proxy.reloadWith({ servers: servers({ credential: 'own_account' }) })
    const browser = await signInVisitor(stage.proxy.origin, alice)
    expect(await (await browser.open(list())).text()).not.toContain('Connected')
  })
})

describe('a session with the identity provider that is over', () => {
  it('leaves the account connected, and gives nothing of it to a caller who has no valid token', async () => {
    await start()
    await obtain(alice)
    stage.identityProvider.forget()
    await obtain(alice)
    expect(listConnected()).toEqual(['alice'])
  })
})

describe('a token for a connected account', () => {
  it('gets to no other MCP server under the same name', async () => {
    await start()
    const token = await obtain(alice)
    await call(token)
    const other = await startScriptedAccount()
    try {
      const servers = [
        { name: 'saas', path: '/mcp', upstream: other.url, credential: 'own_account' as const, scopes: ['mcp:tools'] },
      ]
      expect(await stage.proxy.reloadWith({ servers })).toMatchObject({ outcome: 'reloaded' })
      expect((await call(token)).error.data.error).toBe('account_required')
      expect(other.at('/mcp')).toEqual([])
    } finally {
      await other.close()
    }
  })

  it('is not what the proxy shows for a machine, or for an access key', async () => {
    await start({
      broker: { clients: [{ client_id: 'm', client_secret: { env: 'MACHINE' }, grants: ['client_credentials'] }] },
      env: { MACHINE: 'secret-of-the-machine-0123456789' },
    })
    await obtain(alice)
    const body = new URLSearchParams({ grant_type: 'client_credentials', resource: stage.url, scope: 'mcp:tools' })
    const authorization = `Basic ${Buffer.from('m:secret-of-the-machine-0123456789').toString('base64')}`
    const answer = await fetch(`${stage.proxy.origin}/token`, { method: 'POST', body, headers: { authorization } })
    const { access_token: token } = (await answer.json()) as { access_token: string }
    expect((await sendMcp(stage.url, { user: token, body: createToolCall('whoami') })).status).toBe(401)
    expect(saas.at('/mcp')).toEqual([])
  })

  it('is in no answer, and the caller’s own token is shown to no MCP server', async () => {
    await start()
    const token = await obtain(alice)
    expect(textOf(await call(token))).toBe('issue 1')
    expect(JSON.stringify(saas.asked)).not.toContain(token)
  })
})

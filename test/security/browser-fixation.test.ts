// Cookies that an attacker has read from a browser that others use after them, and that were good before its user signed in (session
// fixation, OWASP; RFC 9700 §4.7).
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { signIn } from '../../demo/browser.ts'
import { SAMPLE_USERS, type User } from '../../src/sandbox/users.ts'
import type { AccountStage } from '../support/account-stage.ts'
import { comeBack } from '../support/broker-browser.ts'
import {
  type Browser,
  createBrowser,
  createRawClient,
  createRequest,
  openConsentPage,
  readRefresh,
  sendConsent,
} from '../support/broker-client.ts'
import type { ScriptedAccount } from '../support/scripted-account.ts'
import { startScriptedStage } from '../support/scripted-stage.ts'
import { sendForm, signInVisitor, visit } from '../support/visitor.ts'

const [alice, bob] = SAMPLE_USERS as readonly [User, User]

let saas: ScriptedAccount
let stage: AccountStage
beforeEach(async () => {
  ;({ saas, stage } = await startScriptedStage())
})
afterEach(() => stage.close())

const list = () => `${stage.proxy.origin}/connections`
const request = (changes = {}) => createRequest(stage.proxy.origin, stage.client, changes).url
const isSignedOut = async (browser: Browser) => {
  const page = await (await browser.open(list())).text()
  return new URL(readRefresh(page)).origin === stage.identityProvider.issuer && !page.includes('Signed in as')
}

/** Another browser with all cookies that this one has now. */
function copy({ cookies }: Browser): Browser {
  const thief = createBrowser()
  for (const [name, value] of cookies) thief.cookies.set(name, value)
  return thief
}

describe('a copy of the cookies of a browser, made before its user signs in at the page of accounts,', () => {
  it('is the browser of no user then', async () => {
    const shared = createBrowser()
    const page = await shared.open(list())
    const thief = copy(shared)
    expect(thief.cookies.size).toBeGreaterThan(0)
    await shared.open(await finishAtProvider(page, alice))
    expect(await (await shared.open(list())).text()).toContain('Signed in as Alice')
    expect(await isSignedOut(thief)).toBe(true)
  })

  it('is the browser of no user when the thief was signed in there before', async () => {
    const shared = await signInVisitor(stage.proxy.origin, bob)
    const thief = copy(shared)
    await visit(shared, `${list()}?as=another`, alice)
    expect(await (await shared.open(list())).text()).toContain('Signed in as Alice')
    expect(await isSignedOut(thief)).toBe(true)
  })

  it('is the browser of no user when they sign in for a client', async () => {
    const shared = createBrowser()
    await openConsentPage(shared, request())
    const thief = copy(shared)
    await shared.open(await comeBack(shared, request(), alice))
    expect(await isSignedOut(thief)).toBe(true)
  })
})

describe('an attacker who knows the cookies that the browser of a user has had', () => {
  /** What is left in a browser that the attacker was at before its user. */
  async function prepare(): Promise<{ readonly victim: Browser; readonly attacker: Browser }> {
    const victim = createBrowser()
    await openConsentPage(victim, request())
    return { victim, attacker: copy(victim) }
  }

  it('has no user finish a sign-in that the attacker has begun, with a client of their own', async () => {
    const { victim, attacker } = await prepare()
    const client = await createRawClient(stage.proxy.origin, { client_name: 'Of the attacker' })
    const answer = await comeBack(attacker, createRequest(stage.proxy.origin, client).url, alice)
    expect((await victim.open(answer)).status).toBe(403)
  })

  it('has no user finish a visit that the attacker has begun', async () => {
    const { victim, attacker } = await prepare()
    const page = await attacker.open(list())
    expect((await victim.open(await finishAtProvider(page, alice))).status).toBe(403)
  })

  it('has no user connect an account for the attacker, in the course of a sign-in', async () => {
    const { victim, attacker } = await prepare()
    const page = await attacker.open(await comeBack(attacker, request(), bob))
    const sent = await fetch(readRefresh(await page.text()), { redirect: 'manual' })
    expect((await victim.open(sent.headers.get('location') ?? '')).status).toBe(403)
    expect(saas.at('/token')).toEqual([])
  })

  it('has no user connect an account for the attacker whom the browser knows already', async () => {
    const { victim, attacker } = await prepare()
    await signInFor(attacker, bob)
    await disconnect(bob)
    for (const [name, value] of attacker.cookies) victim.cookies.set(name, value)
    const asked = await openConsentPage(attacker, request())
    const page = await sendConsent(attacker, asked)
    const sent = await fetch(readRefresh(await page.text()), { redirect: 'manual' })
    const tokens = saas.at('/token').length
    expect((await victim.open(sent.headers.get('location') ?? '')).status).toBe(403)
    expect(saas.at('/token')).toHaveLength(tokens)
  })

  it('does not go on to a client with the sign-in of the user', async () => {
    const shared = createBrowser()
    const asked = await openConsentPage(shared, request())
    const away = await sendConsent(shared, asked)
    const thief = copy(shared)
    const connect = await shared.open(await finishAtProvider(away, alice))
    const sent = await fetch(readRefresh(await connect.text()), { redirect: 'manual' })
    const resume = readRefresh(await (await shared.open(sent.headers.get('location') ?? '')).text())
    const stolen = await thief.open(resume)
    expect([stolen.status, stolen.headers.get('location')]).toEqual([403, null])
    expect((await shared.open(resume)).headers.get('location')).toContain('code=')
    expect(thief.cookies.get('mcp-session')).toBeUndefined()
  })
})

describe('a user who has begun to connect an account in a browser that another one signs in to after them', () => {
  /** @returns the request to the authorization server of the MCP server, which its user has copied */
  async function leave(shared: Browser, user: User): Promise<string> {
    const page = await shared.open(await comeBack(shared, request(), user))
    return readRefresh(await page.text())
  }
  const consent = async (url: string) => (await fetch(url, { redirect: 'manual' })).headers.get('location') ?? ''

  it.each([
    ['for a client', async (shared: Browser) => void (await shared.open(await comeBack(shared, request(), alice)))],
    [
      'for a client, with an account',
      async (shared: Browser) => {
        await signInFor(createBrowser(), alice)
        await shared.open(await comeBack(shared, request(), alice))
      },
    ],
    ['at the page of accounts', async (shared: Browser) => void (await signInVisitor(stage.proxy.origin, alice, shared))],
    [
      'in a tab that was left for that',
      async (shared: Browser, left: Response) => void (await shared.open(await finishAtProvider(left, alice))),
    ],
  ])('has no account of that one connected, who signs in %s', async (_, signInThere) => {
    const shared = createBrowser()
    const left = await sendConsent(shared, await openConsentPage(shared, request()))
    const url = await leave(shared, bob)
    await signInThere(shared, left)
    const tokens = saas.at('/token').length
    expect((await shared.open(await consent(url))).status).toBe(403)
    expect(saas.at('/token')).toHaveLength(tokens)
  })

  it('connects their own if the other tabs are theirs, too', async () => {
    const shared = createBrowser()
    const url = await leave(shared, bob)
    await leave(shared, bob)
    await signInVisitor(stage.proxy.origin, bob, shared)
    await shared.open(`${list()}?as=another`)
    expect((await shared.open(await consent(url))).status).toBe(200)
    expect(saas.at('/token')).toHaveLength(1)
  })
})

describe('the visit of a user at the page of accounts', () => {
  it('is over when another user signs in in that browser, for a client', async () => {
    const shared = await signInVisitor(stage.proxy.origin, bob)
    await shared.open(await comeBack(shared, request(), alice))
    expect(await isSignedOut(shared)).toBe(true)
  })

  it.each<[string, (name: string, value: string) => readonly [string, string]]>([
    ['has another time', (name, value) => [name, `${(Date.now() + 60_000).toString(36).padStart(9, '0')}${value.slice(9)}`]],
    ['has another name', (name, value) => [`${name.slice(0, -8)}AAAAAAAA`, value]],
  ])('is over when its cookie was edited and %s', async (_, edit) => {
    const browser = await signInVisitor(stage.proxy.origin, bob)
    const [name, value] = findVisit(browser)
    browser.cookies.delete(name)
    browser.cookies.set(...edit(name, value))
    expect(await isSignedOut(browser)).toBe(true)
  })

  it('is over when another user signs in, also while its cookie is hidden behind another of its name', async () => {
    const shared = await signInVisitor(stage.proxy.origin, bob)
    const [name, value] = findVisit(shared)
    shared.cookies.set(name, `${value}; ${name}=x`)
    await shared.open(await comeBack(shared, request(), alice))
    shared.cookies.set(name, value)
    expect(await isSignedOut(shared)).toBe(true)
  })

  it('goes on when the same user signs in for a client', async () => {
    const browser = await signInVisitor(stage.proxy.origin, bob)
    await browser.open(await comeBack(browser, request(), bob))
    expect(await (await browser.open(list())).text()).toContain('Signed in as Bob')
  })
})

describe('the session of a browser with the authorization server', () => {
  it('is a new one with each user who signs in, and that of the user before is over', async () => {
    const shared = createBrowser()
    await signInFor(shared, bob)
    const thief = copy(shared)
    await signInFor(shared, alice, { prompt: 'select_account' })
    expect(shared.cookies.get('mcp-session')).not.toBe(thief.cookies.get('mcp-session'))
    expect((await openConsentPage(shared, request({ prompt: 'consent' }))).html).toContain('Signed in as Alice')
    const { html } = await openConsentPage(thief, request({ prompt: 'consent' }))
    expect(html).toContain('Allow')
    expect(html).not.toContain('Signed in as')
  })
})

describe('a browser with several sign-ins in tabs', () => {
  it('finishes them in any order', async () => {
    const browser = await signInVisitor(stage.proxy.origin, alice)
    const away = [await browser.open(`${list()}?as=another`)]
    for (let tab = 0; tab < 3; tab++) away.push(await sendConsent(browser, await openConsentPage(browser, request())))
    const answers = []
    for (const page of away) answers.push(await finishAtProvider(page, alice))
    const statuses = []
    for (const answer of answers.toReversed()) statuses.push((await browser.open(answer)).status)
    expect(statuses).toEqual([200, 200, 200, 303])
  })
})

function findVisit({ cookies }: Browser): [string, string] {
  return [...cookies].find(([name]) => name.startsWith('mcp-visit-')) ?? ['', '']
}

/** What the user does at the identity provider, to which a page leads. @returns where it sends the browser then */
async function finishAtProvider(page: Response, user: User): Promise<URL> {
  return signIn(readRefresh(await page.text()), user)
}

/** A sign-in for a client, to its end. */
async function signInFor(browser: Browser, user: User, changes = {}): Promise<void> {
  const away = await sendConsent(browser, await openConsentPage(browser, request(changes)))
  const connect = await (await browser.open(await finishAtProvider(away, user))).text()
  const sent = await fetch(readRefresh(connect), { redirect: 'manual' })
  const back = await browser.open(sent.headers.get('location') ?? '')
  const end = await browser.open(readRefresh(await back.text()))
  expect(end.headers.get('location')).toContain('code=')
}

async function disconnect(user: User): Promise<void> {
  const browser = await signInVisitor(stage.proxy.origin, user)
  await sendForm(browser, list(), { action: 'disconnect', server: 'saas' })
}

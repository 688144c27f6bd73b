// Sign-ins that go on at the same time in one browser, as when an editor connects several MCP servers at once: each request leaves before
// the cookies of the others' answers have come.
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { readHidden, signIn } from '../../demo/browser.ts'
import { SAMPLE_USERS, type User } from '../../src/sandbox/users.ts'
import type { AccountStage } from '../support/account-stage.ts'
import { createTab } from '../support/broker-browser.ts'
import {
  type Browser,
  createRequest,
  openConsentPage,
  type RawRequest,
  readRefresh,
  redeem,
  sendConsent,
} from '../support/broker-client.ts'
import type { ScriptedAccount } from '../support/scripted-account.ts'
import { startScriptedStage } from '../support/scripted-stage.ts'

const [alice, bob] = SAMPLE_USERS as readonly [User, User]

let saas: ScriptedAccount
let stage: AccountStage
beforeEach(async () => {
  ;({ saas, stage } = await startScriptedStage({ broker: { authorizations_per_minute: 1000 } }))
})
afterEach(() => stage.close())

interface Page {
  readonly status: number
  /** Where it is, or leads. */
  readonly url: string
  readonly html: string
}

async function readPage(url: string | URL, response: Response): Promise<Page> {
  const location = response.headers.get('location')
  const html = await response.text()
  const target = location ?? (readRefresh(html) || url)
  return { status: response.status, url: new URL(target, url).href, html }
}

type Step = (tab: Browser, page: Page, index: number) => Promise<Page>

/** Does a step in all tabs at once: no request has a cookie of the answer to another one. */
function together(tabs: readonly Browser[], pages: readonly Page[], step: Step): Promise<Page[]> {
  return Promise.all(tabs.map((tab, index) => step(tab, pages[index] ?? BLANK, index)))
}

const BLANK: Page = { status: 0, url: '', html: '' }
const open: Step = async (tab, { url }) => readPage(url, await tab.open(url))
const openAt = (urls: readonly (string | URL)[]): Step => {
  return async (tab, _page, index) => readPage(urls[index] ?? '', await tab.open(urls[index] ?? ''))
}
const send = (fields: Readonly<Record<string, string>>): Step => {
  return async (tab, { url, html }) => {
    const body = new URLSearchParams({ ...readHidden(html), ...fields })
    return readPage(url, await tab.open(url, { method: 'POST', body }))
  }
}

/** What the user does at another server, to which pages lead. */
const goAlong = (pages: readonly Page[]) => Promise.all(pages.map(({ url }) => signIn(url, alice)))
const repeat = <T>(count: number, make: () => T): T[] => Array.from({ length: count }, make)
const list = () => `${stage.proxy.origin}/connections`
const request = () => createRequest(stage.proxy.origin, stage.client, { prompt: 'consent' })

async function redeemAll(requests: readonly RawRequest[], ends: readonly Page[]): Promise<number[]> {
  const codes = ends.map(({ url }) => new URL(url).searchParams.get('code') ?? '')
  const answers = requests.map((one, index) =>
    redeem(stage.proxy.origin, stage.client, { ...one, code: codes[index] ?? '', redirect: one.url }),
  )
  return (await Promise.all(answers)).map(({ status }) => status)
}

const createTabs = (count: number, shared = new Map<string, string>()) => repeat(count, () => createTab(shared))

describe('clients that are connected at the same time in one browser', () => {
  it.each([2, 5])('all get their tokens, with an account that is connected on the way: %i of them', async (count) => {
    const tabs = createTabs(count)
    const requests = repeat(count, request)
    const sent = await together(tabs, [], openAt(requests.map(({ url }) => url)))
    const asked = await together(tabs, sent, open)
    const away = await together(tabs, asked, send({ action: 'allow' }))
    const connect = await together(tabs, [], openAt(await goAlong(away)))
    const back = await together(tabs, [], openAt(await goAlong(connect)))
    const ends = await together(tabs, back, open)
    expect(await redeemAll(requests, ends)).toEqual(repeat(count, () => 200))
  })
})

describe('pages of accounts that are opened at the same time in one browser', () => {
  const connecting = { action: 'connect', server: 'saas' }

  it('all connect an account', async () => {
    const tabs = createTabs(3)
    const away = await together(tabs, [], openAt(repeat(3, list)))
    const back = await together(tabs, [], openAt(await goAlong(away)))
    const pages = await together(tabs, back, open)
    const connect = await together(tabs, pages, send(connecting))
    const ends = await together(tabs, [], openAt(await goAlong(connect)))
    expect(ends.map(({ status }) => status)).toEqual(repeat(3, () => 303))
    expect(saas.at('/token')).toHaveLength(3)
  })

  it('go on when the user signs in again in another tab', async () => {
    const [tab, other] = createTabs(2) as [Browser, Browser]
    const away = await together([tab, other], [], openAt([list(), list()]))
    const [answer, later] = (await goAlong(away)) as [URL, URL]
    const pages = await together([tab], await together([tab], [], openAt([answer])), open)
    await other.open(later)
    const connect = await together([tab], pages, send(connecting))
    expect(connect.map(({ url }) => new URL(url).origin)).toEqual([saas.origin])
  })

  it('are those of no user where two have signed in at once', async () => {
    const tabs = createTabs(2)
    const away = await together(tabs, [], openAt([list(), list()]))
    const answers = [await signIn(away[0]?.url ?? '', alice), await signIn(away[1]?.url ?? '', bob)]
    await together(tabs, [], openAt(answers))
    const again = await together(tabs.slice(0, 1), [], openAt([list()]))
    expect(again.map(({ url }) => new URL(url).origin)).toEqual([stage.identityProvider.issuer])
    const [answer] = await goAlong(again)
    await together(tabs.slice(0, 1), [], openAt([answer ?? '']))
    const [after] = await together(tabs.slice(0, 1), [], openAt([list()]))
    expect(after?.html).toContain('Signed in as Alice')
  })
})

describe('a browser in which many sign-ins begin', () => {
  it('keeps so many cookies that its requests are still read, and finishes the latest sign-ins', async () => {
    const shared = new Map<string, string>()
    const visitors = createTabs(18, shared)
    const visits = await together(visitors, [], openAt(repeat(18, list)))
    await together(visitors, [], openAt(await goAlong(visits)))
    const tabs = createTabs(18, shared)
    const away = []
    for (const tab of tabs) away.push(await beginSignIn(tab))
    const own = [...shared].filter(([name]) => /^mcp-(?:page|browser|visit)-/.test(name))
    expect(own.map((pair) => pair.join('=')).join('; ').length).toBeLessThan(5 * 1024)
    const connect = await together(tabs.slice(-4), [], openAt(await goAlong(away.slice(-4))))
    expect(connect.map(({ status }) => status)).toEqual(repeat(4, () => 200))
  })
})

async function beginSignIn(tab: Browser): Promise<Page> {
  const page = await sendConsent(tab, await openConsentPage(tab, request().url))
  return readPage(page.url, page)
}

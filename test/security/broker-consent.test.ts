import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { readHidden, signIn } from '../../demo/browser.ts'
import { SAMPLE_USERS } from '../../src/sandbox/users.ts'
import * as broker from '../support/broker-browser.ts'
import { createTab } from '../support/broker-browser.ts'
import {
  type Browser,
  createBrowser,
  createRawClient,
  createRequest,
  openConsentPage,
  type RawClient,
  readRefresh,
  sendConsent,
} from '../support/broker-client.ts'
import { type BrokerStage, startBrokerStage } from '../support/broker-stage.ts'
import { sendRaw } from '../support/raw-client.ts'
import { findVectors } from '../support/vectors.ts'

const [alice, bob] = SAMPLE_USERS

let stage: BrokerStage
let origin: string
let web: RawClient

beforeAll(async () => {
  stage = await startBrokerStage({ broker: { registration: { per_minute: 10_000 } } })
  origin = stage.proxy.origin
  web = await createRawClient(origin, { client_name: 'Web client' })
})
afterAll(() => stage?.close())

/** The one cookie whose name begins so. */
function findCookie({ cookies }: Browser, prefix: string): readonly [name: string, value: string] {
  const [found, ...more] = [...cookies].filter(([name]) => name.startsWith(prefix))
  if (found === undefined || more.length > 0) throw new Error(`not one cookie ${prefix}`)
  return found
}

const comeBack = (browser: Browser, client = web, user = alice) =>
  broker.comeBack(browser, createRequest(origin, client).url, user)
const signInBrowser = (client = web, user = alice) => broker.signInBrowser(createRequest(origin, client).url, user)

describe('the consent page', () => {
  it('comes before the identity provider, for a client that has never been seen, also in a browser that is signed in (confused deputy; RFC 6749 §10.2)', async () => {
    const fresh = createBrowser()
    const page = await openConsentPage(fresh, createRequest(origin, web).url)
    expect(page.html).toContain('Allow Web client to act on your behalf?')
    const browser = await signInBrowser()
    const stranger = await createRawClient(origin, { client_name: 'Stranger', redirectUri: 'https://stranger.example/cb' })
    const asked = await openConsentPage(browser, createRequest(origin, stranger).url)
    expect(asked.html).toContain('Allow Stranger to act on your behalf?')
    expect(asked.html).toContain('Signed in as Alice')
    expect(asked.html).toContain('stranger.example')
  })

  it('says what is asked for: server, scopes in plain words, where the user is sent back to', async () => {
    const { html } = await openConsentPage(createBrowser(), createRequest(origin, web, { scope: 'mcp:tools mcp:admin' }).url)
    for (const text of ['example', stage.url, 'Use the tools of the server for you', 'Administer the server', 'client.example'])
      expect(html).toContain(text)
  })

  it('warns of clients on the user’s own computer, which any application could be', async () => {
    for (const redirectUri of ['http://127.0.0.1:4000/cb', 'cursor://x/cb']) {
      const client = await createRawClient(origin, { redirectUri })
      const { html } = await openConsentPage(createBrowser(), createRequest(origin, client).url)
      expect(html).toContain('runs on your computer')
    }
    expect((await openConsentPage(createBrowser(), createRequest(origin, web).url)).html).not.toContain('runs on your computer')
  })

  it('gives names no way to draw over other lines', async () => {
    const clients = await Promise.all(
      [`Z${'\u0351\u036f\u0335'.repeat(300)}algo`, `A\u20dd\u0488${'\u20e3'.repeat(5)}B`, `e${'\u0301'.repeat(90)}`].map((name) =>
        createRawClient(origin, { client_name: name }),
      ),
    )
    for (const client of clients) {
      const { html } = await openConsentPage(createBrowser(), createRequest(origin, client).url)
      expect(html).not.toMatch(/\p{Mn}{3}|\p{Me}/u)
      expect(html).toContain('overflow: clip')
    }
    for (const name of ['Việt Nam', 'हिन्दी ऐप', 'แอปที่น่ารัก', 'עִבְרִית', 'é'.normalize('NFD')]) {
      const client = await createRawClient(origin, { client_name: name })
      const { html } = await openConsentPage(createBrowser(), createRequest(origin, client).url)
      expect(html).toContain(`Allow ${name.normalize('NFC')} to act`)
    }
  })

  it('stands in no frame, runs no script, and takes nothing from elsewhere (clickjacking, RFC 6749 §10.13, RFC 9700 §4.16)', async () => {
    const { headers, html } = await openConsentPage(createBrowser(), createRequest(origin, web).url)
    const policy = headers.get('content-security-policy') ?? ''
    expect(policy).toContain("default-src 'none'")
    expect(policy).toContain("frame-ancestors 'none'")
    expect(policy).toContain("base-uri 'none'")
    // The form goes to us, and by our redirect to the client: nowhere else, whatever was written into the page.
    expect(policy.split('; ')).toContain("form-action 'self' https://client.example")
    expect(policy).not.toMatch(/unsafe|script-src/)
    expect(headers.get('x-frame-options')).toBe('DENY')
    expect(headers.get('cache-control')).toBe('no-store')
    expect(headers.get('x-content-type-options')).toBe('nosniff')
    expect(policy.split('; ')).toContain('img-src data:')
    expect(html).not.toMatch(
      /<script|<img|<link(?! rel="icon" href="data:image\/svg\+xml;base64,[\w+/=]+">)|<iframe|style="|\son\w+=/i,
    )
  })

  it('shows names as text, whatever they are, and fetches no logo', async () => {
    const names = ['<script>alert(1)</script>', '"><img src=x onerror=alert(1)>', `a${'x'.repeat(900)}`, '\u202Eevil\u0000\u2066']
    const uris = {
      logo_uri: 'https://logo.invalid/x.svg',
      policy_uri: 'https://logo.invalid/"><b>',
      tos_uri: 'https://logo.invalid/',
    }
    const vectors = findVectors('blns.json')
    const naughty: string[] = vectors === undefined ? [] : JSON.parse(readFileSync(vectors, 'utf8'))
    for (const name of [...names, ...naughty.filter((text) => text.length <= 1000 && text !== '')]) {
      const client = await createRawClient(origin, { client_name: name, ...uris, client_uri: 'https://logo.invalid/' })
      const { html } = await openConsentPage(createBrowser(), createRequest(origin, client).url)
      const heading = /<h1>([\s\S]*?)<\/h1>/.exec(html)?.[1] ?? ''
      expect(heading).not.toMatch(/[<>\u202A-\u202E\u2066-\u2069\u0000]/)
      expect(heading.replace(/&#\d+;/g, 'x').length).toBeLessThan(150)
      expect(html).not.toContain('logo.invalid')
    }
  }, 60_000)

  it.each([
    ['of nothing that can be seen', '\u3164\u115F\u1160\uFFA0\u2800\u034F'],
    ['of blanks', ' \u00A0\u2003 '],
    ['of marks without a letter', '\u0301\u0301\uFE0F'],
  ])('says that an application has no name when its name is one %s', async (_name, name) => {
    const client = await createRawClient(origin, { client_name: name })
    const { html } = await openConsentPage(createBrowser(), createRequest(origin, client).url)
    expect(/<h1>([\s\S]*?)<\/h1>/.exec(html)?.[1]).toBe('Allow An application with no name to act on your behalf?')
  })

  it('shows where answers go as browsers write it, so that look-alike letters are seen (UTS #39)', async () => {
    const redirectUri = 'https://xn--pple-43d.example/cb'
    const client = await createRawClient(origin, { redirectUri, client_name: 'Apple' })
    const { html } = await openConsentPage(createBrowser(), createRequest(origin, client).url)
    expect(html).toContain('redirected to <strong>xn--pple-43d.example</strong>')
  })

  it('remembers what a user allowed to a web client, with those scopes and that redirect URI', async () => {
    const browser = await signInBrowser()
    const again = await browser.open(createRequest(origin, web).url)
    expect(new URL(again.headers.get('location') ?? '').searchParams.get('code')).not.toBeNull()
    const more = await browser.open(createRequest(origin, web, { scope: 'mcp:tools mcp:admin' }).url)
    expect(more.headers.get('location')).toContain('/sign-in/')
    const two = await createRawClient(origin, { redirect_uris: ['https://client.example/cb', 'https://client.example/other'] })
    const signedIn = await signInBrowser(two)
    const elsewhere = await signedIn.open(createRequest(origin, two, { redirect_uri: 'https://client.example/other' }).url)
    expect(elsewhere.headers.get('location')).toContain('/sign-in/')
  })

  it.each(['http://127.0.0.1:4000/cb', 'https://app.localhost/cb', 'https://localhost./cb', 'https://127.8.8.8/cb'])(
    'asks each time for clients on the user’s own computer, and says so: %s (RFC 8252 §8.6)',
    async (redirectUri) => {
      const native = await createRawClient(origin, { redirectUri })
      const { html } = await openConsentPage(createBrowser(), createRequest(origin, native).url)
      expect(html).toContain('runs on your computer')
      const browser = await signInBrowser(native)
      const again = await browser.open(createRequest(origin, native).url)
      expect(again.headers.get('location')).toContain('/sign-in/')
    },
  )

  it('remembers nothing for another client, though it has the same name and the same redirect URI (RFC 6749 §10.2)', async () => {
    const browser = await signInBrowser()
    const twin = await createRawClient(origin, { client_name: 'Web client' })
    expect(twin.redirectUri).toBe(web.redirectUri)
    const asked = await browser.open(createRequest(origin, twin).url)
    expect(asked.headers.get('location')).toContain('/sign-in/')
  })

  it('remembers nothing for another user', async () => {
    const client = await createRawClient(origin)
    await signInBrowser(client, alice)
    const browser = await signInBrowser(web, bob)
    const asked = await browser.open(createRequest(origin, client).url)
    expect(asked.headers.get('location')).toContain('/sign-in/')
  })

  it('gives a client no answer without a page before the user has allowed it (OpenID Connect Core §3.1.2.6)', async () => {
    const browser = await signInBrowser()
    const client = await createRawClient(origin)
    const answer = await browser.open(createRequest(origin, client, { prompt: 'none' }).url, { headers: { accept: '*/*' } })
    const { searchParams } = new URL(answer.headers.get('location') ?? '')
    expect([searchParams.get('error'), searchParams.get('code')]).toEqual(['consent_required', null])
  })
})

describe('the form of the consent page', () => {
  it.each([
    ['without its token', { form_token: undefined }, {}],
    ['with an empty token', { form_token: '' }, {}],
    ['with a forged token', { form_token: 'A'.repeat(43) }, {}],
    ['from another site', {}, { 'sec-fetch-site': 'cross-site' }],
    ['from a sibling site', {}, { 'sec-fetch-site': 'same-site' }],
    ['with another origin', {}, { origin: 'https://evil.example' }],
    ['with no origin to speak of', {}, { origin: 'null' }],
  ])('is refused %s (cross-site request forgery, RFC 6749 §10.12)', async (_name, changes, headers) => {
    const browser = createBrowser()
    const page = await openConsentPage(browser, createRequest(origin, web).url)
    const response = await sendConsent(browser, page, changes, headers as Record<string, string>)
    expect(response.status).toBe(403)
    expect(readRefresh(await response.text())).toBe('')
  })

  it('is refused in a browser that was not shown the page', async () => {
    const mine = createBrowser()
    const page = await openConsentPage(mine, createRequest(origin, web).url)
    const response = await sendConsent(createBrowser(), page)
    expect(response.status).toBe(400)
    const interaction = [...mine.cookies].filter(([name]) => name.startsWith('mcp-interaction'))
    const half = createBrowser()
    for (const [name, value] of interaction) half.cookies.set(name, value)
    expect((await sendConsent(half, page)).status).toBe(403)
  })

  it('is refused with the token of another page: of another tab, or of another browser', async () => {
    const mine = createBrowser()
    const [first, second] = [
      await openConsentPage(mine, createRequest(origin, web).url),
      await openConsentPage(mine, createRequest(origin, web).url),
    ]
    const { form_token: foreign } = readHidden(first.html)
    expect((await sendConsent(mine, second, { form_token: foreign })).status).toBe(403)
    // Somebody who plants their own sign-in in another browser knows its token, but not the secret of that browser.
    const victim = createBrowser()
    await openConsentPage(victim, createRequest(origin, web).url)
    for (const [name, value] of mine.cookies) if (!name.startsWith('mcp-page-')) victim.cookies.set(name, value)
    expect(findCookie(victim, 'mcp-page-')).not.toEqual(findCookie(mine, 'mcp-page-'))
    expect((await sendConsent(victim, second)).status).toBe(403)
    expect((await sendConsent(mine, second)).status).toBe(200)
  })

  it('is refused where the browser shows two secrets: one of them may be planted', async () => {
    const browser = createBrowser()
    const page = await openConsentPage(browser, createRequest(origin, web).url)
    const [name, secret] = findCookie(browser, 'mcp-page-')
    browser.cookies.set(name, `${secret}; ${name}=${'A'.repeat(52)}`)
    expect((await sendConsent(browser, page)).status).toBe(403)
  })

  it.each([
    ['as JSON', 'application/json'],
    ['as text, as a form of another site can', 'text/plain'],
    ['in parts', 'multipart/form-data; boundary=x'],
  ])('is not read when it comes %s', async (_name, type) => {
    const browser = createBrowser()
    const page = await openConsentPage(browser, createRequest(origin, web).url)
    const body = new URLSearchParams({ ...readHidden(page.html), action: 'allow' }).toString()
    const response = await browser.open(page.url, { method: 'POST', headers: { 'content-type': type }, body })
    expect(response.status).toBe(400)
    expect(readRefresh(await response.text())).toBe('')
    expect((await sendConsent(browser, page)).status).toBe(200)
  })

  it('is a page that says so, and no fault of ours, where the form is too long, has no type, or says nothing that we know', async () => {
    const browser = createBrowser()
    const page = await openConsentPage(browser, createRequest(origin, web).url)
    const form = 'application/x-www-form-urlencoded'
    const sent: [string | Buffer, Record<string, string>, number][] = [
      [`a=${'x'.repeat(100_000)}`, { 'content-type': form }, 400],
      [Buffer.from('form_token=x&action=allow'), {}, 400],
      [Buffer.from([0xff, 0xfe, 0x25, 0x25, 0x3d, 0x26]), { 'content-type': form }, 403],
      ['%', { 'content-type': `${form}; charset=utf-16` }, 403],
    ]
    for (const [body, headers, status] of sent) {
      const response = await browser.open(page.url, { method: 'POST', headers, body })
      expect([response.status, response.headers.get('content-type')]).toEqual([status, 'text/html; charset=utf-8'])
      expect(await response.text()).toContain('This form cannot be')
    }
    expect(stage.proxy.log.records().filter(({ code }) => code === 'internal_error')).toEqual([])
    expect((await sendConsent(browser, page)).status).toBe(200)
  })

  it('tells the client when the user denies, with its state and our issuer (RFC 6749 §4.1.2.1, RFC 9207 §2)', async () => {
    const browser = createBrowser()
    const page = await openConsentPage(browser, createRequest(origin, web).url)
    const resume = readRefresh(await (await sendConsent(browser, page, { action: 'cancel' })).text())
    const location = new URL((await browser.open(resume)).headers.get('location') ?? '')
    expect(location.origin).toBe('https://client.example')
    expect(Object.fromEntries(location.searchParams)).toMatchObject({ error: 'access_denied', state: 'a state', iss: origin })
  })
})

describe('the way back from the identity provider', () => {
  it('is closed to every browser but the one that the sign-in began in (session fixation, RFC 9700 §4.7)', async () => {
    const mine = createBrowser()
    const answer = await comeBack(mine)
    const victim = createBrowser()
    const stolen = await victim.open(answer)
    expect(stolen.status).toBe(403)
    expect(await stolen.text()).toContain('not started here')
    // Nor could the stranger end it: it goes on where it began.
    const resume = readRefresh(await (await mine.open(answer)).text())
    expect((await mine.open(resume)).headers.get('location')).toContain('code=')
  })

  it('is good for one use, and for a state of ours only (RFC 6749 §10.12)', async () => {
    const browser = createBrowser()
    const answer = await comeBack(browser)
    const resume = readRefresh(await (await browser.open(answer)).text())
    const again = await browser.open(answer)
    expect([again.status, await again.text()]).toEqual([400, expect.stringContaining('This sign-in has expired')])
    // Nor does the second use spoil the first.
    expect((await browser.open(resume)).headers.get('location')).toContain('code=')
    for (const query of ['', '?code=x', '?state=&code=x', '?state=foreign&code=x'])
      expect((await browser.open(`${origin}/oauth/callback${query}`)).status).toBe(400)
  })

  it.each([
    ['state', 'again'],
    ['code', 'again'],
    ['iss', 'https://evil.example'],
  ])('is closed to an answer with two of %s: which one counts must be plain (RFC 6749 §3.1)', async (name, value) => {
    const browser = createBrowser()
    const answer = await comeBack(browser)
    answer.searchParams.append(name, value)
    const response = await browser.open(answer)
    expect(response.status).toBe(400)
    expect(readRefresh(await response.text())).toBe('')
  })

  it.each(['POST', 'PUT', 'HEAD'])('is closed to %s: an answer comes by following a link', async (method) => {
    const browser = createBrowser()
    const answer = await comeBack(browser)
    expect((await browser.open(answer, { method })).status).toBe(405)
    expect((await browser.open(answer)).status).toBe(200)
  })

  it('is closed when the answer does not say who it is from, though the identity provider always does (RFC 9207 §2.4)', async () => {
    const browser = createBrowser()
    const answer = await comeBack(browser)
    expect(answer.searchParams.get('iss')).toBe(stage.identityProvider.issuer)
    answer.searchParams.delete('iss')
    const response = await browser.open(answer)
    expect([response.status, await response.text()]).toEqual([400, expect.stringContaining('could not be verified')])
  })

  it('goes on in that browser alone, too: planted cookies cannot sign a user in as another user (login CSRF)', async () => {
    const mine = createBrowser()
    const resume = readRefresh(await (await mine.open(await comeBack(mine))).text())
    const victim = createBrowser()
    await openConsentPage(victim, createRequest(origin, web).url)
    await sendConsent(victim, await openConsentPage(victim, createRequest(origin, web).url))
    const [, ownSecret] = findCookie(victim, 'mcp-browser-')
    const [name, foreignSecret] = findCookie(mine, 'mcp-browser-')
    for (const secret of [ownSecret, undefined, `${ownSecret}; ${name}=${foreignSecret}`]) {
      const planted = createBrowser()
      for (const [name, value] of mine.cookies) planted.cookies.set(name, value)
      if (secret === undefined) planted.cookies.delete(name)
      else planted.cookies.set(name, secret)
      const refused = await planted.open(resume)
      expect([refused.status, refused.headers.get('location')]).toEqual([403, null])
      expect(await refused.text()).toContain('not started here')
      expect(refused.headers.getSetCookie().join()).not.toContain('mcp-session=')
      // Cookies are planted for any path, or two of them.
      for (const path of ['/authorize/another', new URL(resume, origin).pathname]) {
        const uid = planted.cookies.get('mcp-resume') ?? ''
        if (path === new URL(resume, origin).pathname) planted.cookies.set('mcp-resume', `another; mcp-resume=${uid}`)
        expect((await planted.open(`${origin}${path}`)).headers.get('location')).toBeNull()
        expect(planted.cookies.has('mcp-session')).toBe(false)
      }
    }
    expect((await mine.open(resume)).headers.get('location')).toContain('code=')
  })

  it('leads to a session that was unknown before, and to another one for another user (session fixation)', async () => {
    const browser = createBrowser()
    const request = () => createRequest(origin, web).url
    const before = new Set<string | undefined>()
    const note = () => before.add(browser.cookies.get('mcp-session'))
    await openConsentPage(browser, request())
    note()
    const answer = await comeBack(browser)
    note()
    await browser.open(readRefresh(await (await browser.open(answer)).text()))
    const session = browser.cookies.get('mcp-session')
    expect(session).toMatch(/^[\w-]{20,}$/)
    expect(before).not.toContain(session)
    // The same browser, somebody else: what the first could do ends with the first.
    const page = await openConsentPage(browser, createRequest(origin, web, { scope: 'mcp:tools mcp:admin' }).url)
    const onwards = readRefresh(await (await sendConsent(browser, page, { action: 'switch' })).text())
    const back = await signIn(onwards, bob)
    await browser.open(readRefresh(await (await browser.open(back)).text()))
    expect(browser.cookies.get('mcp-session')).not.toBe(session)
    const old = createBrowser()
    for (const [name, value] of [...browser.cookies, ['mcp-session', session ?? '']] as [string, string][])
      old.cookies.set(name, value)
    expect((await old.open(request())).headers.get('location')).toContain('/sign-in/')
  })

  it.each(['nobody', 'alice', 'bob'])(
    'ends in the account that was chosen last, also in a second tab, and never on a page of the library: begun with %s signed in',
    async (who) => {
      const shared = new Map<string, string>()
      const request = createRequest(origin, web, { prompt: 'consent' }).url
      const signInTab = async (user: typeof alice | typeof bob) => {
        const tab = createTab(shared)
        const page = await openConsentPage(tab, request)
        const begun = { tab, page }
        return async () => {
          const onwards = readRefresh(await (await sendConsent(begun.tab, begun.page, { action: 'switch' })).text())
          const resume = readRefresh(await (await begun.tab.open(await signIn(onwards, user))).text())
          return () => begun.tab.open(resume)
        }
      }
      const before = who === 'nobody' ? undefined : await signInTab(who === 'bob' ? bob : alice)
      if (before !== undefined) await (await before())()
      const tabs = [await signInTab(alice), await signInTab(bob)]
      // Both come back before either goes on.
      const ends = [await tabs[0]?.(), await tabs[1]?.()]
      for (const end of ends) {
        const response = await end?.()
        expect(response?.headers.get('location')).toMatch(/^https:\/\/client\.example\/cb\?code=/)
      }
      const { html } = await openConsentPage(createTab(shared), request)
      expect(html).toContain('Signed in as Bob')
    },
  )

  it('says what the user does not have, where that was asked for, and nothing of it otherwise', async () => {
    const other = await startBrokerStage({
      provider: { grant: [{ scopes: ['mcp:tools'] }, { claim: 'groups', values: ['admins'], scopes: ['mcp:admin'] }] },
    })
    try {
      const client = await createRawClient(other.proxy.origin)
      for (const [user, scope, isTold] of [
        [alice, 'mcp:tools mcp:admin', true],
        [alice, 'mcp:tools', false],
        [bob, 'mcp:tools mcp:admin', false],
      ] as const) {
        const browser = createBrowser()
        const request = createRequest(other.proxy.origin, client, { scope }).url
        const html = await (await browser.open(await broker.comeBack(browser, request, user))).text()
        expect(html.includes('were not granted')).toBe(isTold)
        expect(html.includes('mcp:admin')).toBe(isTold)
        expect((await browser.open(readRefresh(html))).headers.get('location')).toContain('code=')
      }
    } finally {
      await other.close()
    }
  })

  it('ends after a quarter of an hour', async () => {
    const browser = createBrowser()
    const answer = await comeBack(browser)
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 16 * 60_000 })
    try {
      expect((await browser.open(answer)).status).toBe(400)
    } finally {
      vi.useRealTimers()
    }
  })

  it('is closed when the answer names another issuer (mix-up, RFC 9207 §2.4)', async () => {
    const browser = createBrowser()
    const answer = await comeBack(browser)
    answer.searchParams.set('iss', 'https://evil.example')
    const response = await browser.open(answer)
    expect(response.status).toBe(400)
    expect(await response.text()).toContain('could not be verified')
  })

  it('shows nothing of what came with an error (cross-site scripting)', async () => {
    const browser = createBrowser()
    const answer = await comeBack(browser)
    answer.searchParams.delete('code')
    answer.searchParams.set('error', '<script>alert(1)</script>')
    answer.searchParams.set('error_description', '<img src=x onerror=alert(1)>')
    const html = await (await browser.open(answer)).text()
    expect(html).not.toMatch(/script|onerror/)
    expect(html).toContain('request id')
  })

  it('keeps two tabs of a browser apart', async () => {
    const browser = createBrowser()
    const first = await comeBack(browser)
    const second = await comeBack(browser)
    for (const answer of [second, first]) {
      const page = await (await browser.open(answer)).text()
      expect(readRefresh(page)).toMatch(/\/authorize\//)
    }
  })
})

describe('every page', () => {
  it('stands in no frame, runs no script, tells no other site where the user was, and is kept nowhere', async () => {
    const browser = createBrowser()
    const consent = await openConsentPage(browser, createRequest(origin, web).url)
    const away = await sendConsent(browser, consent)
    const back = await browser.open(await signIn(readRefresh(await away.clone().text()), alice))
    const pages: [string, Response][] = [
      ['on to the identity provider', away],
      ['back to the application', back],
      [
        'an unknown client',
        await fetch(createRequest(origin, { ...web, id: 'unknown' }).url, { headers: { accept: 'text/html' } }),
      ],
      ['a foreign redirect URI', await fetch(createRequest(origin, web, { redirect_uri: 'https://evil.example/' }).url)],
      ['no sign-in', await fetch(`${origin}/sign-in/unknown`)],
      ['no answer', await fetch(`${origin}/oauth/callback?state=x`)],
      ['a forged form', await sendConsent(createBrowser(), consent)],
      ['the end of a sign-in that is over', await fetch(`${origin}/authorize/unknown`, { headers: { accept: 'text/html' } })],
    ]
    for (const [name, { headers }] of pages) {
      const policy = headers.get('content-security-policy') ?? ''
      expect([name, headers.get('content-type')]).toEqual([name, 'text/html; charset=utf-8'])
      for (const part of ["default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'"])
        expect([name, policy]).toEqual([name, expect.stringContaining(part)])
      expect([name, policy]).toEqual([name, expect.not.stringMatching(/unsafe|script-src/)])
      expect([name, headers.get('x-frame-options')]).toEqual([name, 'DENY'])
      expect([name, headers.get('referrer-policy')]).toEqual([name, 'same-origin'])
      expect([name, headers.get('cache-control')]).toEqual([name, expect.stringContaining('no-store')])
    }
  })
})

describe('our own names', () => {
  it('come from the configuration, whatever X-Forwarded-* say (host header poisoning, RFC 8414 §3.3)', async () => {
    const headers = { 'x-forwarded-host': 'evil.example', 'x-forwarded-proto': 'https', forwarded: 'host=evil.example' }
    for (const path of ['/.well-known/oauth-authorization-server', '/.well-known/openid-configuration/mcp']) {
      const text = await (await fetch(`${origin}${path}`, { headers })).text()
      expect(text).not.toContain('evil')
      expect(JSON.parse(text)).toMatchObject({ issuer: origin, token_endpoint: `${origin}/token` })
    }
  })

  it('do not follow the Host of the request, where more than one is accepted (RFC 8414 §3.3)', async () => {
    const { port } = stage.proxy
    const get = (path: string, host: string) =>
      sendRaw(port, `GET ${path} HTTP/1.1\r\nHost: ${host}\r\nX-Forwarded-Host: evil.example\r\n\r\n`)
    const metadata = await get('/.well-known/oauth-authorization-server', `127.0.0.1:${port}`)
    expect(metadata.status).toBe(200)
    expect(metadata.body.toString()).not.toMatch(/127\.0\.0\.1|evil/)
    const { pathname, search } = createRequest(origin, web, { code_challenge: undefined }).url
    const refused = new URL((await get(`${pathname}${search}`, `127.0.0.1:${port}`)).header('location') ?? '')
    expect([refused.searchParams.get('error'), refused.searchParams.get('iss')]).toEqual(['invalid_request', origin])
    for (const host of ['evil.example', 'localhost:1'])
      expect((await get('/.well-known/oauth-authorization-server', host)).status).toBe(403)
  })

  it('are the same at every path at which clients look, with what they need to see', async () => {
    const names = ['oauth-authorization-server', 'openid-configuration']
    const paths = names.flatMap((name) => [`/.well-known/${name}`, `/.well-known/${name}/mcp`, `/mcp/.well-known/${name}`])
    const documents = await Promise.all(paths.map(async (path) => (await fetch(`${origin}${path}`)).json()))
    for (const document of documents) expect(document).toEqual(documents[0])
    expect(documents[0]).toMatchObject({
      issuer: origin,
      response_types_supported: ['code'],
      code_challenge_methods_supported: ['S256'],
      client_id_metadata_document_supported: true,
      token_endpoint_auth_methods_supported: expect.arrayContaining(['none', 'client_secret_basic', 'private_key_jwt']),
      authorization_response_iss_parameter_supported: true,
      scopes_supported: ['mcp:tools', 'mcp:admin'],
      revocation_endpoint_auth_methods_supported: expect.arrayContaining(['none', 'client_secret_basic']),
      registration_endpoint: `${origin}/register`,
      revocation_endpoint: `${origin}/revoke`,
      introspection_endpoint: `${origin}/introspect`,
      grant_types_supported: expect.arrayContaining(['authorization_code', 'refresh_token']),
      jwks_uri: `${origin}/jwks`,
      subject_types_supported: ['public'],
      id_token_signing_alg_values_supported: ['ES256'],
    })
    expect((documents[0] as { authorization_endpoint: string }).authorization_endpoint).not.toContain('?')
  })

  it('can be read by pages of any origin, wherever they look, and with whatever header they ask (CORS, RFC 8414 §3)', async () => {
    const names = ['oauth-authorization-server', 'openid-configuration']
    const paths = names.flatMap((name) => [`/.well-known/${name}`, `/.well-known/${name}/mcp`, `/mcp/.well-known/${name}`])
    const page = { origin: 'https://inspector.example' }
    const preflight = {
      ...page,
      'access-control-request-method': 'GET',
      'access-control-request-headers': 'mcp-protocol-version',
    }
    for (const path of [...paths, '/jwks']) {
      const answer = await fetch(`${origin}${path}`, { headers: { ...page, 'mcp-protocol-version': '2025-11-25' } })
      expect([path, answer.status]).toEqual([path, 200])
      expect(['*', page.origin]).toContain(answer.headers.get('access-control-allow-origin'))
      expect(answer.headers.get('access-control-allow-credentials')).toBeNull()
      const asked = await fetch(`${origin}${path}`, { method: 'OPTIONS', headers: preflight })
      expect([path, asked.status]).toEqual([path, 204])
      expect(['*', page.origin]).toContain(asked.headers.get('access-control-allow-origin'))
      expect(asked.headers.get('access-control-allow-headers')).toContain('mcp-protocol-version')
    }
  })

  it('are named by the protected resource metadata, so that clients find them', async () => {
    const metadata = await (await fetch(`${origin}/.well-known/oauth-protected-resource/mcp`)).json()
    expect(metadata).toMatchObject({ resource: stage.url, authorization_servers: [origin], scopes_supported: ['mcp:tools'] })
  })
})

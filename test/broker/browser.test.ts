import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { SAMPLE_USERS } from '../../src/sandbox/users.ts'
import { createRawClient, createRequest, type RawClient, redeem } from '../support/broker-client.ts'
import { type BrokerStage, startBrokerStage } from '../support/broker-stage.ts'
import { hasChromium, type Looks, type OpenBrowser, openChromium } from '../support/chromium.ts'
import { type Application, press, readHeading, signInAtProvider, startApplication } from '../support/person.ts'

const [alice, bob] = SAMPLE_USERS
/** Where screenshots go that the documentation shows; nowhere unless asked for. */
const SCREENSHOTS = process.env.SCREENSHOTS

let stage: BrokerStage
let origin: string
let client: RawClient
let application: Application
let browser: OpenBrowser | undefined

describe.skipIf(!hasChromium())('a person in a real browser', { timeout: 60_000 }, () => {
  beforeAll(async () => {
    stage = await startBrokerStage({
      broker: { registration: { per_minute: 1000 } },
      provider: { grant: [{ scopes: ['mcp:tools'] }, { claim: 'groups', values: ['admins'], scopes: ['mcp:admin'] }] },
    })
    origin = stage.proxy.origin
    application = await startApplication()
    client = await createRawClient(origin, {
      redirectUri: application.redirectUri,
      client_name: 'Example application',
    })
  })
  afterEach(async () => {
    await browser?.close()
    browser = undefined
  })
  afterAll(async () => {
    await stage?.close()
    await application?.close()
  })

  async function openPage(looks?: Looks): Promise<Page> {
    browser = await openChromium(looks)
    const page = browser.context.pages()[0] ?? (await browser.context.newPage())
    const consoleErrors: string[] = []
    page.on('console', (message) => message.type() === 'error' && consoleErrors.push(message.text()))
    return page
  }

  async function shoot(page: Page, name: string): Promise<void> {
    if (SCREENSHOTS !== undefined) await page.screenshot({ path: join(SCREENSHOTS, `${name}.png`) })
  }

  /** Waits until the browser is back at the application, and gives what it brought. */
  async function comeBack(page: Page): Promise<URLSearchParams> {
    await page.waitForURL((url) => url.pathname === '/callback' && url.origin === new URL(client.redirectUri).origin)
    expect(await readHeading(page)).toBe('The application')
    return new URL(page.url()).searchParams
  }

  it('agrees, signs in at the identity provider, and is back at the application with a code that works', async () => {
    const page = await openPage()
    const request = createRequest(origin, client, { scope: 'mcp:tools mcp:admin' })
    await page.goto(request.url.href)
    expect(await readHeading(page)).toBe('Allow Example application to act on your behalf?')
    await shoot(page, 'consent')
    await press(page, /Allow and sign in with Example ID/)
    await page.waitForURL((url) => url.origin === stage.identityProvider.issuer)
    await signInAtProvider(page, alice)
    const answer = await comeBack(page)
    expect(answer.get('iss')).toBe(origin)
    expect((await redeem(origin, client, { ...request, code: answer.get('code') ?? '', redirect: request.url })).status).toBe(200)
  })

  it('who is signed in is asked again for an application on their computer, sees what they may not give, and can use another account', async () => {
    const page = await openPage()
    await page.goto(createRequest(origin, client).url.href)
    await press(page, /Allow and sign in/)
    await signInAtProvider(page, alice)
    await comeBack(page)
    await page.goto(createRequest(origin, client, { scope: 'mcp:tools mcp:admin' }).url.href)
    expect(await page.locator('main').textContent()).toMatch(/Signed in as Alice/)
    expect(await page.locator('main').textContent()).toMatch(/your account does not have/)
    await shoot(page, 'consent-signed-in')
    await press(page, /Use another account/)
    await page.waitForURL((url) => url.origin === stage.identityProvider.issuer)
    await signInAtProvider(page, bob)
    expect((await comeBack(page)).get('code')).not.toBeNull()
  })

  it('denies, and the application is told', async () => {
    const page = await openPage()
    await page.goto(createRequest(origin, client).url.href)
    await press(page, /^Deny$/)
    expect((await comeBack(page)).get('error')).toBe('access_denied')
  })

  it('cancels at the identity provider, is told so, and goes back', async () => {
    const page = await openPage()
    await page.goto(createRequest(origin, client).url.href)
    await press(page, /Allow and sign in/)
    await press(page, /^Cancel$/)
    await page.waitForURL((url) => url.pathname === '/oauth/callback')
    expect(await readHeading(page)).toBe('You are not signed in')
    await shoot(page, 'not-signed-in')
    await page.getByRole('link', { name: 'Go back to the application' }).click()
    expect((await comeBack(page)).get('error')).toBe('access_denied')
  })

  it('goes back in the browser after it all, and is told that this sign-in is over', async () => {
    const page = await openPage()
    const { url } = createRequest(origin, client)
    await page.goto(url.href)
    const consent = page.url()
    await press(page, /Allow and sign in/)
    await signInAtProvider(page, alice)
    await comeBack(page)
    await page.goto(consent)
    expect(await readHeading(page)).toBe('This sign-in has expired')
    expect(await page.locator('main').textContent()).toContain('request id')
  })

  it('goes back to the consent page while it lasts, and can go on from there', async () => {
    const page = await openPage()
    await page.goto(createRequest(origin, client).url.href)
    const consent = page.url()
    await press(page, /Allow and sign in/)
    await page.waitForURL((url) => url.origin === stage.identityProvider.issuer)
    await page.goto(consent)
    await press(page, /Allow and sign in/)
    await signInAtProvider(page, alice)
    expect((await comeBack(page)).get('code')).not.toBeNull()
  })

  it('signs in from two tabs at the same time', async () => {
    const first = await openPage()
    const second = await (browser as OpenBrowser).context.newPage()
    for (const page of [first, second]) {
      await page.goto(createRequest(origin, client).url.href)
      await press(page, /Allow and sign in/)
      await page.waitForURL((url) => url.origin === stage.identityProvider.issuer)
    }
    await signInAtProvider(first, alice)
    expect((await comeBack(first)).get('code')).not.toBeNull()
    await second.reload()
    if (await second.getByLabel('Name').isVisible()) await signInAtProvider(second, alice)
    else await press(second, /^Allow$/)
    expect((await comeBack(second)).get('code')).not.toBeNull()
  })

  const screens: [string, Looks, string][] = [
    ['a phone', { width: 360, height: 740 }, 'consent-phone'],
    ['a small phone in the dark', { width: 320, height: 560, dark: true }, 'consent-phone-dark'],
    ['the dark', { dark: true }, 'consent-dark'],
  ]
  it.each(screens)(
    'reads the page on %s: nothing is cut off, everything can be pressed, colours have contrast',
    async (_name, looks, shot) => {
      const page = await openPage(looks)
      await page.goto(createRequest(origin, client, { scope: 'mcp:tools mcp:admin' }).url.href)
      const overflow = await page.evaluate('document.documentElement.scrollWidth - document.documentElement.clientWidth')
      expect(overflow).toBe(0)
      for (const button of await page.getByRole('button').all()) {
        await button.scrollIntoViewIfNeeded()
        const box = await button.boundingBox()
        expect(box?.height).toBeGreaterThan(30)
        expect((box?.x ?? 0) + (box?.width ?? 0)).toBeLessThanOrEqual(looks.width ?? 900)
      }
      expect(await page.evaluate(MIN_CONTRAST)).toBeGreaterThanOrEqual(4.5)
      await page.evaluate('window.scrollTo(0, 0)')
      await shoot(page, shot)
    },
  )

  it('needs no script for any of it, and no page reports a violation of its policy', async () => {
    const page = await openPage()
    const violations: string[] = []
    page.on('console', (message) => /Content Security Policy/.test(message.text()) && violations.push(message.text()))
    await page.route(/./, (route) => route.continue())
    await page.goto(createRequest(origin, client).url.href)
    expect(await page.locator('script').count()).toBe(0)
    await press(page, /Allow and sign in/)
    await signInAtProvider(page, alice)
    await comeBack(page)
    expect(violations).toEqual([])
  })
})

/** The least contrast of a text on its ground (WCAG 2.2, 1.4.3), computed in the page. */
const MIN_CONTRAST = `(() => {
  const parse = (color) => color.match(/[\\d.]+/g).map(Number)
  const luminance = ([r, g, b]) => [r, g, b].map((c) => c / 255).map((c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0)
  const groundOf = (element) => {
    for (let e = element; e; e = e.parentElement) {
      const color = parse(getComputedStyle(e).backgroundColor)
      if (color.length === 3 || color[3] > 0) return color
    }
    return [255, 255, 255]
  }
  return Math.min(...[...document.querySelectorAll('h1, p, li, button, strong, code')].map((element) => {
    const [one, other] = [luminance(parse(getComputedStyle(element).color)), luminance(groundOf(element))]
    return (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05)
  }))
})()`

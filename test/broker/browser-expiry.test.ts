// A person who takes longer over a page than it lasts, or whose browser forgets its cookies meanwhile. The records are ended where the
// broker keeps them: waiting takes too long, and a clock that is turned would be that of the test and not of the browser.
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { SAMPLE_USERS } from '../../src/sandbox/users.ts'
import { createRawClient, createRequest, type RawClient, redeem } from '../support/broker-client.ts'
import { type BrokerStage, startBrokerStage } from '../support/broker-stage.ts'
import { hasChromium, type OpenBrowser, openChromium } from '../support/chromium.ts'
import { type Application, press, readHeading, signInAtProvider, startApplication } from '../support/person.ts'

const [alice] = SAMPLE_USERS
/** Where screenshots go that the documentation shows; nowhere unless asked for. */
const SCREENSHOTS = process.env.SCREENSHOTS

describe.skipIf(!hasChromium())('a person who takes too long', { timeout: 60_000 }, () => {
  let folder: string
  let stage: BrokerStage
  let origin: string
  let application: Application
  let client: RawClient
  let browser: OpenBrowser
  let page: Page

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'expiry-'))
    application = await startApplication()
    stage = await startBrokerStage({
      broker: { store: { kind: 'sqlite', path: join(folder, 'broker.db') }, encryption_keys: [{ env: 'KEY' }] },
      env: { KEY: randomBytes(32).toString('base64') },
    })
    origin = stage.proxy.origin
    browser = await openChromium()
    client = await createRawClient(origin, { redirectUri: application.redirectUri, client_name: 'Example application' })
  })
  beforeEach(async () => {
    application.answers.splice(0)
    await browser.context.clearCookies()
    page = await browser.context.newPage()
  })
  afterEach(() => page.close())
  afterAll(async () => {
    await browser?.close()
    await stage?.close()
    await application?.close()
    rmSync(folder, { recursive: true, force: true })
  })

  /** Lets the time of every record of a kind be over, as it would be by itself. */
  function endRecords(kind: string): void {
    const database = new DatabaseSync(join(folder, 'broker.db'))
    const { changes } = database.prepare('UPDATE entries SET expires_at = 1 WHERE kind = ?').run(kind)
    database.close()
    expect(changes).toBeGreaterThan(0)
  }
  /** What a browser does with a cookie whose time is over. */
  async function endCookies(...names: string[]): Promise<void> {
    for (const name of names) {
      const pattern = new RegExp(`^${name}`)
      expect((await browser.context.cookies()).map((cookie) => cookie.name)).toContainEqual(expect.stringMatching(pattern))
      await browser.context.clearCookies({ name: pattern })
    }
  }

  async function openConsent(): Promise<void> {
    await page.goto(createRequest(origin, client).url.href)
    expect(await readHeading(page)).toBe('Allow Example application to act on your behalf?')
  }
  async function goToProvider(): Promise<void> {
    await openConsent()
    await press(page, /Allow and sign in/)
    await page.waitForURL((url) => url.origin === stage.identityProvider.issuer)
  }
  async function signIn(): Promise<void> {
    await goToProvider()
    await signInAtProvider(page, alice)
    await page.waitForURL((url) => url.href.startsWith(application.redirectUri))
  }

  /** The page says what happened and what to do, the log why, the application hears nothing, and nothing goes on by itself. */
  async function expectOver(title: string, says: RegExp, at: string): Promise<void> {
    await page.getByText('request id').waitFor()
    expect(await readHeading(page)).toBe(title)
    const text = (await page.locator('main').textContent()) ?? ''
    expect(text).toMatch(says)
    expect(text).toContain('Go back to the application and start again.')
    const requestId = await page.locator('code').textContent()
    const line = await stage.proxy.log.waitFor(({ request_id: id }) => id === requestId)
    expect(line).toMatchObject({ path: expect.stringContaining(at), cause: expect.stringMatching(/./) })
    expect(await page.locator('meta[http-equiv="refresh"]').count()).toBe(0)
    expect(new URL(page.url()).origin).toBe(origin)
    expect(application.answers).toEqual([])
    await expectFreshStart()
  }
  /** From the application once more, in the same browser, with whatever cookies it has left. */
  async function expectFreshStart(): Promise<void> {
    const request = createRequest(origin, client)
    await page.goto(request.url.href)
    if ((await page.getByText('Signed in as').count()) === 0) {
      await press(page, /Allow and sign in/)
      await page.waitForURL((url) => url.origin === stage.identityProvider.issuer)
    }
    if ((await page.getByLabel('Name').count()) > 0) await signInAtProvider(page, alice)
    else await press(page, /^Allow$/)
    await page.waitForURL((url) => url.href.startsWith(application.redirectUri))
    const code = new URL(page.url()).searchParams.get('code') ?? ''
    expect((await redeem(origin, client, { ...request, code, redirect: request.url })).status).toBe(200)
  }

  /** What became of a page while it was open. */
  const LEFT_OPEN: Readonly<Record<string, () => Promise<void>>> = {
    'its time is over': async () => {
      endRecords('Interaction')
      await endCookies('mcp-interaction')
    },
    'its time is over, and the clock of their browser is slow': async () => endRecords('Interaction'),
    'all cookies are gone': () => browser.context.clearCookies(),
  }
  const OVER = /within 15 minutes\. This one took longer, was already completed, or was started in another browser/
  const LOST = /cookies/

  it.each(Object.entries(LEFT_OPEN))('is told so when they agree on the consent page: %s', async (_name, leave) => {
    await openConsent()
    await leave()
    await press(page, /Allow and sign in/)
    await page.getByText('request id').waitFor()
    if (SCREENSHOTS !== undefined) await page.screenshot({ path: join(SCREENSHOTS, 'expired.png') })
    await expectOver('This sign-in has expired', OVER, '/sign-in/')
  })

  it('is told so when they deny, too, and when they reload the page', async () => {
    await openConsent()
    endRecords('Interaction')
    await page.reload()
    await expectOver('This sign-in has expired', OVER, '/sign-in/')
    await openConsent()
    application.answers.splice(0)
    endRecords('Interaction')
    await press(page, /^Deny$/)
    await expectOver('This sign-in has expired', OVER, '/sign-in/')
  })

  it('is told when the browser has lost what shows that the form is its own', async () => {
    await openConsent()
    await endCookies('mcp-page-')
    await press(page, /Allow and sign in/)
    await expectOver('This form cannot be accepted', LOST, '/sign-in/')
  })

  const AWAY: [name: string, leave: () => Promise<void>, title: string, says: RegExp, at: string][] = [
    [
      'the time of the sign-in is over',
      async () => endRecords('Interaction'),
      'This sign-in has expired',
      OVER,
      '/oauth/callback',
    ],
    ['nobody waits for them any more', async () => endRecords('AwayUser'), 'This sign-in has expired', OVER, '/oauth/callback'],
    ['its cookies are gone', () => endCookies('mcp-browser-'), 'This sign-in was not started here', LOST, '/oauth/callback'],
    ['its cookies are over', () => endCookies('mcp-interaction', 'mcp-resume'), 'This sign-in has expired', OVER, '/authorize/'],
  ]
  it.each(AWAY)('is told so when they come from the identity provider: %s', async (_name, leave, title, says, at) => {
    await goToProvider()
    await leave()
    await signInAtProvider(page, alice)
    await expectOver(title, says, at)
  })

  const SESSIONS: [name: string, leave: () => Promise<void>, at: string][] = [
    ['its record is gone', async () => endRecords('Session'), '/sign-in/'],
    ['its cookie is gone', () => endCookies('mcp-session'), '/authorize/'],
  ]
  it.each(SESSIONS)('is not taken for who was signed in when the page was opened: %s', async (_name, leave, at) => {
    await signIn()
    application.answers.splice(0)
    await page.goto(createRequest(origin, client).url.href)
    expect(await page.locator('main').textContent()).toContain('Signed in as Alice')
    await leave()
    await press(page, /^Allow$/)
    await expectOver('This sign-in has expired', OVER, at)
  })
})

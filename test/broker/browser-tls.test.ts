// A real browser over https: the cookies that keep a sign-in in the browser where it began, and attempts to plant others.
import { createHash } from 'node:crypto'
import { createServer, type Server } from 'node:http'
import { request } from 'node:https'
import type { Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { type ExampleMcpServer, startMcpServer } from '../../demo/mcp-server.ts'
import { closeServer, listenOnLoopback } from '../../src/sandbox/listen.ts'
import { SAMPLE_USERS, type User } from '../../src/sandbox/users.ts'
import { hasChromium, type OpenBrowser, openChromium } from '../support/chromium.ts'
import { prepareTlsBroker, type TlsBroker } from '../support/tls-broker.ts'

const [alice] = SAMPLE_USERS

describe.skipIf(!hasChromium())('a person in a real browser, over https', { timeout: 60_000 }, () => {
  const verifier = 'v'.repeat(43)
  let broker: TlsBroker
  let origin: string
  let mcpServer: ExampleMcpServer
  let application: Server
  let redirectUri: string
  let browser: OpenBrowser | undefined

  beforeAll(async () => {
    ;[broker, mcpServer] = await Promise.all([prepareTlsBroker(), startMcpServer()])
    origin = broker.origin
    application = createServer((_request, response) =>
      response.writeHead(200, { 'content-type': 'text/html' }).end('<h1>The application</h1>'),
    )
    redirectUri = `http://localhost:${await listenOnLoopback(application, 0)}/callback`
    await broker.start({
      name: 'Example ID',
      clients: [{ client_id: 'application', name: 'Example application', redirect_uris: [redirectUri] }],
      servers: [{ name: 'example', path: '/mcp', upstream: mcpServer.streamableHttpUrl, scopes: ['mcp:tools'] }],
    })
  })
  afterEach(async () => {
    await browser?.close()
    browser = undefined
  })
  afterAll(async () => {
    await Promise.all([broker?.close(), mcpServer?.close()])
    if (application) await closeServer(application)
  })

  async function openPage(): Promise<Page> {
    browser = await openChromium({ anyCertificate: true })
    return browser.context.pages()[0] ?? browser.context.newPage()
  }

  function createAuthorizationUrl(): string {
    const url = new URL('/authorize', origin)
    const parameters = {
      response_type: 'code',
      client_id: 'application',
      redirect_uri: redirectUri,
      resource: `${origin}/mcp`,
      state: 'a state',
      code_challenge: createHash('sha256').update(verifier).digest('base64url'),
      code_challenge_method: 'S256',
    }
    for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value)
    return url.href
  }

  async function signInAtProvider(page: Page, user: User): Promise<void> {
    await page.getByRole('button', { name: /Allow and sign in/ }).click()
    await page.getByLabel('Name').fill(user.name)
    await page.getByLabel('Password').fill(user.password)
    await page.getByRole('button', { name: /^Sign in$/ }).click()
    await page.getByRole('button', { name: /^Allow$/ }).click()
  }

  const comeBack = (page: Page) => page.waitForURL((url) => url.href.startsWith(redirectUri))
  /** Cookies know no ports: those of the identity provider lie beside ours. */
  const ownCookies = async () => ((await browser?.context.cookies()) ?? []).filter(({ name }) => name.includes('mcp-'))

  /** Exchanges a code, whatever the certificate. */
  function redeem(code: string): Promise<number> {
    const form = {
      grant_type: 'authorization_code',
      client_id: 'application',
      redirect_uri: redirectUri,
      code,
      code_verifier: verifier,
    }
    return new Promise((resolve, reject) => {
      const headers = { 'content-type': 'application/x-www-form-urlencoded' }
      const sent = request(`${origin}/token`, { method: 'POST', ca: broker.ca, headers }, (answer) => {
        answer.resume().on('end', () => resolve(answer.statusCode ?? 0))
      })
      sent.on('error', reject).end(new URLSearchParams(form).toString())
    })
  }

  it('signs in with cookies that only this very host over https can set and read, and no script (RFC 6265bis §4.1.3)', async () => {
    const page = await openPage()
    await page.goto(createAuthorizationUrl())
    const during = await ownCookies()
    expect(during.map(({ name }) => name)).toEqual(
      expect.arrayContaining([expect.stringMatching(/^__Host-mcp-page-/), '__Secure-mcp-interaction']),
    )
    await signInAtProvider(page, alice)
    await comeBack(page)
    const after = await ownCookies()
    expect(after.map(({ name }) => name)).toEqual(
      expect.arrayContaining([expect.stringMatching(/^__Host-mcp-browser-/), '__Host-mcp-session']),
    )
    for (const cookie of [...during, ...after]) {
      expect(cookie).toMatchObject({ secure: true, httpOnly: true, sameSite: 'Lax', domain: 'localhost' })
      expect(cookie.name).toMatch(/^__(Host|Secure)-mcp-/)
      if (cookie.name.startsWith('__Host-')) expect(cookie.path).toBe('/')
    }
    expect(await redeem(new URL(page.url()).searchParams.get('code') ?? '')).toBe(200)
  })

  it('goes to the identity provider in two tabs that were opened at once: each form is that of this browser', async () => {
    const first = await openPage()
    const second = (await browser?.context.newPage()) ?? first
    const together = (act: (page: Page) => Promise<unknown>) => Promise.all([first, second].map(act))
    await together((page) => page.goto(createAuthorizationUrl()))
    await together((page) => page.getByRole('button', { name: /Allow and sign in/ }).click())
    await together((page) => page.waitForURL((url) => url.origin === broker.identityProvider.issuer))
    expect([first, second].map((page) => new URL(page.url()).origin)).toEqual([
      broker.identityProvider.issuer,
      broker.identityProvider.issuer,
    ])
  })

  it('is not fooled by cookies without the prefix, as a neighbour on the domain could plant them (cookie tossing)', async () => {
    const page = await openPage()
    const planted = ['mcp-page-AAAAAAAA', 'mcp-browser-AAAAAAAA', 'mcp-session', 'mcp-interaction'].map((name) => ({
      name,
      value: 'a'.repeat(52),
      url: origin,
    }))
    await browser?.context.addCookies(planted)
    await page.goto(createAuthorizationUrl())
    await signInAtProvider(page, alice)
    await comeBack(page)
    expect(new URL(page.url()).searchParams.get('code')).not.toBeNull()
    const own = (await ownCookies()).filter(({ name }) => /^__Host-mcp-(?:page|browser)-/.test(name))
    expect(own).toHaveLength(2)
    expect(own.map(({ value }) => value)).not.toContain('a'.repeat(52))
  })

  it('cannot plant a cookie of that name from http or from script: the browser itself refuses (RFC 6265bis §5.7)', async () => {
    const page = await openPage()
    await page.goto(createAuthorizationUrl())
    const findPageCookies = async () => (await ownCookies()).filter(({ name }) => name.startsWith('__Host-mcp-page-'))
    const before = await findPageCookies()
    expect(before).toHaveLength(1)
    // Cookies don't know ports: the application on http is as near as a neighbour can get.
    await page.goto(redirectUri)
    await page.evaluate((known) => {
      const plant = (cookie: string) => Object.assign((globalThis as unknown as { document: object }).document, { cookie })
      for (const rest of ['Path=/', 'Path=/; Secure', 'Path=/; Domain=localhost; Secure', 'Path=/oauth'])
        plant(`${known}=${'b'.repeat(52)}; ${rest}`)
      // Of this very host the browser takes one of another name over http, since the host is the machine itself.
      for (const rest of ['Path=/', 'Path=/; Domain=localhost; Secure', 'Path=/oauth; Secure'])
        for (const name of ['page', 'browser']) plant(`__Host-mcp-${name}-AAAAAAAA=${'b'.repeat(52)}; ${rest}`)
    }, before[0]?.name ?? '')
    expect(await findPageCookies()).toEqual(before)
    expect((await ownCookies()).map(({ name }) => name)).not.toContain('__Host-mcp-browser-AAAAAAAA')
  })

  it('cannot finish in this browser what began in another (session fixation, RFC 9700 §4.7)', async () => {
    const page = await openPage()
    await page.goto(createAuthorizationUrl())
    await page.getByRole('button', { name: /Allow and sign in/ }).click()
    await page.waitForURL((url) => url.origin === broker.identityProvider.issuer)
    // The attacker keeps the answer of the identity provider for somebody else, unused.
    await browser?.context.clearCookies({ name: /^__Host-mcp-browser-/ })
    await page.getByLabel('Name').fill(alice.name)
    await page.getByLabel('Password').fill(alice.password)
    await page.getByRole('button', { name: /^Sign in$/ }).click()
    await page.getByRole('button', { name: /^Allow$/ }).click()
    await page.waitForURL((url) => url.pathname === '/oauth/callback')
    const callback = page.url()
    await browser?.close()
    const victim = await openPage()
    await victim.goto(createAuthorizationUrl())
    const response = await victim.goto(callback)
    expect(response?.status()).toBe(403)
    expect(await victim.locator('h1').textContent()).toBe('This sign-in was not started here')
    expect((await ownCookies()).map(({ name }) => name)).not.toContain('__Host-mcp-session')
  })
})

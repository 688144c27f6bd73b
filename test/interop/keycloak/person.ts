// Somebody at a real browser, before the pages of the proxy and of Keycloak.
import { createServer } from 'node:http'
import type { Page } from 'playwright-core'
import { createOAuthClient, type OAuthClient } from '../../../demo/oauth-client.ts'
import { closeServer, listenOnLoopback } from '../../../src/sandbox/listen.ts'
import { openChromium } from '../../support/chromium.ts'

export interface Account {
  readonly name: string
  readonly password: string
}

export interface Person {
  readonly page: Page
  /** Where applications wait for their users to come back. */
  readonly redirectUri: string
  /** A client whose user sits at this browser and walks through these pages. */
  createClient(walk: Walk): OAuthClient
  /** Makes it the browser of somebody who was nowhere yet. */
  forget(): Promise<void>
  close(): Promise<void>
}

/** Leads through the pages from an authorization request back to the application. */
export type Walk = (page: Page, account: Account) => Promise<void>

/** Opens a browser and an application for it to come back to. */
export async function openPerson(): Promise<Person> {
  const application = createServer((_request, response) =>
    response.writeHead(200, { 'content-type': 'text/html' }).end('<h1>The application</h1>'),
  )
  const redirectUri = `http://localhost:${await listenOnLoopback(application, 0)}/callback`
  const browser = await openChromium()
  const page = browser.context.pages()[0] ?? (await browser.context.newPage())
  return {
    page,
    redirectUri,
    createClient: (walk) => createBrowserClient(page, redirectUri, walk),
    forget: () => browser.context.clearCookies(),
    async close() {
      await browser.close()
      await closeServer(application)
    },
  }
}

function createBrowserClient(page: Page, redirectUri: string, walk: Walk): OAuthClient {
  const client = createOAuthClient({ name: 'Test client', redirectUri })
  return {
    ...client,
    async signInAs(account) {
      const request = client.waitingFor()
      if (request === undefined) throw new Error('no authorization request is waiting')
      await page.goto(request.href)
      await walk(page, account)
      const redirect = await comeBack(page, redirectUri)
      if (redirect.searchParams.get('state') !== request.searchParams.get('state')) throw new Error('the state is not ours')
      return redirect
    },
  }
}

/** Waits until the browser is back at the application. */
export async function comeBack(page: Page, redirectUri: string): Promise<URL> {
  await page.waitForURL((url) => url.href.startsWith(redirectUri))
  return new URL(page.url())
}

/** Keycloak's own form. */
export async function signInAtKeycloak(page: Page, { name, password }: Account): Promise<void> {
  await page.locator('#username').fill(name)
  await page.locator('#password').fill(password)
  await page.locator('#kc-login').click()
}

/** Keycloak's form, and its question about an application that registered itself. */
export const walkKeycloak: Walk = async (page, account) => {
  await signInAtKeycloak(page, account)
  await page.getByRole('button', { name: 'Yes' }).click()
}

/** The proxy's question, and Keycloak's form. */
export const walkBroker: Walk = async (page, account) => {
  await page.getByRole('button', { name: 'Allow and sign in with Keycloak' }).click()
  await signInAtKeycloak(page, account)
}

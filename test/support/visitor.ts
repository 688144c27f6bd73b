import { readHidden, signIn } from '../../demo/browser.ts'
import type { User } from '../../src/sandbox/users.ts'
import { type Browser, createBrowser, readRefresh } from './broker-client.ts'

/** Signs a user in at the proxy's own pages, by way of the identity provider. */
export async function signInVisitor(origin: string, user: User, browser = createBrowser()): Promise<Browser> {
  await visit(browser, `${origin}/connections`, user)
  return browser
}

/** Opens a page of the proxy for which the user signs in first. @returns the page behind the sign-in */
export async function visit(browser: Browser, url: string, user: User): Promise<Response> {
  const page = await browser.open(url)
  const answer = await signIn(readRefresh(await page.text()), user)
  const back = await browser.open(answer)
  const location = back.headers.get('location')
  return location === null ? back : browser.open(new URL(location, url))
}

/** Sends the form of a page that a user sees. */
export async function sendForm(
  browser: Browser,
  url: string,
  fields: Readonly<Record<string, string>>,
  headers: Readonly<Record<string, string>> = {},
): Promise<Response> {
  const html = await (await browser.open(url)).text()
  return browser.open(url, { method: 'POST', body: new URLSearchParams({ ...readHidden(html), ...fields }), headers })
}

/** Follows a link to connect an account, to its end. @returns the request to the authorization server, and the last answer */
export async function openLink(
  browser: Browser,
  link: string,
  user: User,
): Promise<{ readonly request: URL; readonly end: Response }> {
  const page = await sendForm(browser, link, { action: 'connect' })
  const request = new URL(readRefresh(await page.text()))
  return { request, end: await browser.open(await signIn(request, user)) }
}

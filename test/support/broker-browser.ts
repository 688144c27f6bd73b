import { expect } from 'vitest'
import { signIn } from '../../demo/browser.ts'
import type { User } from '../../src/sandbox/users.ts'
import { type Browser, createBrowser, openConsentPage, readRefresh, sendConsent } from './broker-client.ts'

/**
 * Allows on the consent page and signs in at the identity provider.
 *
 * @returns the answer that leads back to us, not opened yet
 */
export async function comeBack(browser: Browser, request: URL, user: User): Promise<URL> {
  const page = await openConsentPage(browser, request)
  return signIn(readRefresh(await (await sendConsent(browser, page)).text()), user)
}

/** Signs a user in, in a browser of their own. */
export async function signInBrowser(request: URL, user: User): Promise<Browser> {
  const browser = createBrowser()
  const resume = readRefresh(await (await browser.open(await comeBack(browser, request, user))).text())
  const end = await browser.open(resume)
  expect(end.headers.get('location')).toContain('code=')
  return browser
}

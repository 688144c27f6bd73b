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

const OF_ALL_PATHS = /^([^=]+)=([^;]*).*; path=\/(?:;|$)/i

/**
 * A tab of a browser. Cookies with a path of their own, as each sign-in has, stay in the tab.
 *
 * @param shared - cookies of all tabs
 */
export function createTab(shared: Map<string, string>): Browser {
  const tab = createBrowser()
  return {
    ...tab,
    async open(...given) {
      for (const [name, value] of shared) tab.cookies.set(name, value)
      const response = await tab.open(...given)
      for (const cookie of response.headers.getSetCookie()) {
        const [, name, value] = OF_ALL_PATHS.exec(cookie) ?? []
        if (name === undefined) continue
        tab.cookies.delete(name)
        if (value === '' || value === undefined) shared.delete(name)
        else shared.set(name, value)
      }
      for (const name of shared.keys()) tab.cookies.delete(name)
      return response
    },
  }
}

// A user at a browser without scripts, before the forms of Django and of django-oauth-toolkit.
import { type Browser, createBrowser } from '../../support/broker-client.ts'

/** More pages than any sign-in has. */
const MAX_PAGES = 12

/** A browser whose user fills in what an origin asks, until it leads elsewhere. The name is also part of the password. */
export function openBrowserOf(name: string, origin: string): Browser {
  const browser = createBrowser()
  const stay = async (url: string, init?: RequestInit): Promise<Response> => {
    let [response, at] = [await browser.open(url, init), url]
    for (let page = 0; page < MAX_PAGES; page++) {
      const location = response.headers.get('location')
      if (location === null) {
        response = await sendForm(browser, at, await response.text(), name)
        continue
      }
      const target = new URL(location, at)
      if (target.origin !== origin) return response
      at = target.href
      response = await browser.open(at)
    }
    throw new Error(`no end of pages at ${origin}`)
  }
  return {
    cookies: browser.cookies,
    open: (url, init) => (new URL(url).origin === origin ? stay(String(url), init) : browser.open(url, init)),
  }
}

function sendForm(browser: Browser, url: string, html: string, name: string): Promise<Response> {
  const body = new URLSearchParams()
  for (const [tag] of html.matchAll(/<input[^>]*>/g)) {
    const field = readAttribute(tag, 'name')
    if (field !== '') body.append(field, chooseValue(tag, field, name))
  }
  if (body.size === 0) throw new Error(`no form at ${url}: ${html.replace(/<[^>]+>/g, ' ').slice(0, 500)}`)
  return browser.open(url, { method: 'POST', body, headers: { referer: url } })
}

function chooseValue(tag: string, field: string, name: string): string {
  if (field === 'username') return name
  return field === 'password' ? `password of ${name}` : readAttribute(tag, 'value')
}

function readAttribute(tag: string, name: string): string {
  const [, value = ''] = new RegExp(` ${name}="([^"]*)"`).exec(tag) ?? []
  return value.replace(/&#x([0-9a-f]+);/gi, (_, code) => String.fromCodePoint(Number.parseInt(code, 16))).replaceAll('&amp;', '&')
}

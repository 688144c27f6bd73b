import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { createBrowser, createRawClient, createRequest, openConsentPage } from '../support/broker-client.ts'
import { type BrokerStage, startBrokerStage } from '../support/broker-stage.ts'
import { hasChromium, openChromium } from '../support/chromium.ts'

const SVG =
  '<svg xmlns="http://www.w3.org/2000/svg" width="37" height="9"><script>alert(1)</script><rect width="9" height="9"/></svg>'
const folder = mkdtempSync(join(tmpdir(), 'brand-'))
let stage: BrokerStage

beforeAll(async () => {
  const logo = join(folder, 'logo.svg')
  writeFileSync(logo, SVG)
  stage = await startBrokerStage({ broker: { company: 'Example & Sons', logo, favicon: logo, authorizations_per_minute: 3 } })
})
afterAll(async () => {
  await stage?.close()
  rmSync(folder, { recursive: true })
})

/** As a browser does whose user enters it; `fetch` has a `Sec-Fetch-Mode` of its own. */
async function openAddress(url: string): Promise<string> {
  const [answer] = await once(request(url, { headers: { accept: 'text/html,*/*;q=0.8' }, agent: false }).end(), 'response')
  return text(answer)
}

it('shows the company on the consent page, on what goes wrong and to those who open an address, whichever part finds it', async () => {
  const { origin } = stage.proxy
  const client = await createRawClient(origin, {})
  const seen = new Map<string, string>()
  const see = async (name: string, url: string | URL) => {
    const response = await fetch(url, { headers: { accept: 'text/html' }, redirect: 'manual' })
    seen.set(name, await response.text())
  }
  seen.set('consent', (await openConsentPage(createBrowser(), createRequest(origin, client).url)).html)
  await see('unknown client', `${origin}/authorize?client_id=nobody`)
  const invalid = createRequest(origin, client).url
  invalid.searchParams.set('response_type', 'token')
  await see('mistaken request', invalid)
  await see('too many', createRequest(origin, client).url)
  await see('callback without sign-in', `${origin}/oauth/callback?state=x`)
  await see('sign-in that is over', `${origin}/sign-in/x`)
  seen.set('the root', await openAddress(`${origin}/`))
  seen.set('an MCP server', await openAddress(stage.url))
  const image = `<img src="data:image/svg+xml;base64,${btoa(SVG)}" alt="">`
  for (const [name, html] of seen) {
    expect([name, html]).toEqual([name, expect.stringContaining(`${image}<span>Example &#38; Sons</span>`)])
    expect(html).toContain(`<link rel="icon" href="data:image/svg+xml;base64,${btoa(SVG)}">`)
    expect(html).not.toContain('<script')
  }
})

it.skipIf(!hasChromium())(
  'is drawn by a browser, which runs nothing of it and asks for no other icon',
  { timeout: 60_000 },
  async () => {
    const { context, close } = await openChromium()
    try {
      const page = context.pages()[0] ?? (await context.newPage())
      const asked: string[] = []
      const refused: string[] = []
      const dialogs: string[] = []
      page.on('request', (request) => asked.push(request.url().slice(0, 100)))
      page.on('console', (message) => refused.push(message.text()))
      page.on('dialog', (dialog) => dialogs.push(dialog.message()) && dialog.dismiss())
      const { origin } = stage.proxy
      const urls = [`${origin}/oauth/callback?state=x`, `${origin}/`, stage.url]
      for (const url of urls) {
        await page.goto(url, { waitUntil: 'load' })
        // In the browser: what is drawn of a picture that was refused is 0 wide.
        expect(await page.evaluate('document.querySelector(".brand img").naturalWidth')).toBe(37)
        expect(await page.evaluate('getComputedStyle(document.querySelector(".brand")).display')).toBe('flex')
      }
      expect(asked.filter((address) => !address.startsWith('data:'))).toEqual(urls)
      expect(refused.filter((text) => text.includes('Content Security Policy'))).toEqual([])
      expect(dialogs).toEqual([])
    } finally {
      await close()
    }
  },
)

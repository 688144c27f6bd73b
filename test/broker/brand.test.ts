import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { createBrowser, createRawClient, createRequest, openConsentPage } from '../support/broker-client.ts'
import { type BrokerStage, startBrokerStage } from '../support/broker-stage.ts'

const SVG = '<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
const folder = mkdtempSync(join(tmpdir(), 'brand-'))
let stage: BrokerStage

beforeAll(async () => {
  const logo = join(folder, 'logo.svg')
  writeFileSync(logo, SVG)
  stage = await startBrokerStage({ broker: { company: 'Example & Sons', logo, authorizations_per_minute: 3 } })
})
afterAll(async () => {
  await stage?.close()
  rmSync(folder, { recursive: true })
})

it('shows the company on the consent page and on what goes wrong, whichever part finds it', async () => {
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
  const image = `<img src="data:image/svg+xml;base64,${btoa(SVG)}" alt="">`
  for (const [name, html] of seen) {
    expect([name, html]).toEqual([name, expect.stringContaining(`${image}<span>Example &#38; Sons</span>`)])
    expect(html).not.toContain('<script')
  }
})

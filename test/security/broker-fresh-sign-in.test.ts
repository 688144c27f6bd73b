// Clients that want a user to sign in anew, or with another account: what is asked of the identity provider, and what counts of its word.
import { decodeJwt } from 'jose'
import { afterEach, describe, expect, it, vi } from 'vitest'
import {
  createBrowser,
  createRequest,
  openConsentPage,
  readJson,
  readRefresh,
  redeem,
  sendConsent,
} from '../support/broker-client.ts'
import type { Vendor } from '../support/identity-profiles/vendor.ts'
import { GITHUB } from '../support/identity-profiles/vendors.ts'
import { returnFromVendor, signInAtVendor } from '../support/vendor-sign-in.ts'
import { OIDC_VENDOR, startVendorStage, type VendorStage, type VendorStageOptions } from '../support/vendor-stage.ts'

let stage: VendorStage | undefined
afterEach(async () => {
  vi.useRealTimers()
  await stage?.close()
  stage = undefined
})

async function start(options: VendorStageOptions = {}): Promise<VendorStage> {
  stage = await startVendorStage(options)
  return stage
}

const now = () => Math.floor(Date.now() / 1000)
const OPENID = { scope: 'openid mcp:tools' }
/** A provider whose user authenticated so many seconds ago, and who is not asked again. */
const createVendor = (secondsAgo: number | undefined): Vendor => ({
  ...OIDC_VENDOR,
  idToken: () => (secondsAgo === undefined ? {} : { auth_time: now() - secondsAgo }),
})

describe('a client that wants a fresh sign-in', () => {
  it('has the identity provider asked for it, for prompt=login and max_age alike (OpenID Connect Core §3.1.2.1)', async () => {
    const { origin, client } = await start({ vendor: createVendor(0) })
    const login = await returnFromVendor(origin, client, { changes: { ...OPENID, prompt: 'login' } })
    expect([login.sent.searchParams.get('prompt'), login.sent.searchParams.get('max_age')]).toEqual(['login', '1'])
    expect(login.answer.status).toBe(200)
    const young = await returnFromVendor(origin, client, { changes: { ...OPENID, max_age: '600' } })
    expect([young.sent.searchParams.get('prompt'), young.sent.searchParams.get('max_age')]).toEqual([null, '600'])
    expect(young.answer.status).toBe(200)
    const any = await returnFromVendor(origin, client, { changes: OPENID })
    expect([any.sent.searchParams.get('prompt'), any.sent.searchParams.get('max_age')]).toEqual([null, null])
  })

  it.each([
    ['the client', { prompt: 'login' }, {}],
    ['the client, in seconds', { max_age: '0' }, {}],
    ['the configuration', {}, { authorization_parameters: { max_age: '0' } }],
  ])('gets it from a provider that takes no max_age=0 (Glewlwyd), asked for by %s', async (_who, changes, provider) => {
    const { origin, client, profile } = await start({ vendor: createVendor(0), provider: () => provider })
    const refuse = (url: URL) => {
      if (url.searchParams.get('max_age') !== '0') return
      profile.interfere(OIDC_VENDOR.paths.authorize, (response) => {
        const query = new URLSearchParams({ error: 'invalid_request', state: url.searchParams.get('state') ?? '' })
        response.writeHead(302, { location: `${url.searchParams.get('redirect_uri')}?${query}` }).end()
      })
    }
    const { sent, answer } = await returnFromVendor(origin, client, { changes: { ...OPENID, ...changes }, edit: refuse })
    expect([answer.status, sent.searchParams.get('prompt')]).toEqual([200, 'login'])
  })

  it.each([
    ['prompt=login', { prompt: 'login' }, 3600],
    ['max_age=0', { max_age: '0' }, 3600],
    ['max_age', { max_age: '600' }, 700],
    ['prompt=login, and no word on it', { prompt: 'login' }, undefined],
    ['max_age, and no word on it', { max_age: '600' }, undefined],
  ])(
    'gets nothing when the user took that out of the address, or the provider did not do it: %s',
    async (_name, changes, ago) => {
      const { origin, client } = await start({ vendor: createVendor(ago) })
      const edit = (url: URL) => {
        url.searchParams.delete('prompt')
        url.searchParams.delete('max_age')
      }
      const { answer } = await returnFromVendor(origin, client, { changes: { ...OPENID, ...changes }, edit })
      expect([answer.status, await answer.text()]).toEqual([403, expect.stringContaining('A fresh sign-in is required')])
    },
  )

  it('is told when that cannot be found out, without OpenID Connect', async () => {
    const { origin, client } = await start({
      vendor: GITHUB,
      provider: (profile) => ({ kind: 'github', base_url: profile.origin }),
    })
    const browser = createBrowser()
    const page = await openConsentPage(browser, createRequest(origin, client, { ...OPENID, prompt: 'login' }).url)
    const answer = await sendConsent(browser, page)
    const html = await answer.text()
    expect([answer.status, html]).toEqual([403, expect.stringContaining('A fresh sign-in is required')])
    const back =
      /<a href="([^"]+)">Go back/.exec(html)?.[1]?.replace(/&#(\d+);/g, (_match, code) => String.fromCharCode(code)) ?? ''
    expect((await browser.open(back)).headers.get('location')).toContain('error=login_required')
  })

  it('is not served from a browser that is signed in, when it is not known when its user authenticated', async () => {
    const { origin, client } = await start({ vendor: createVendor(undefined) })
    const { browser } = await signInAtVendor(origin, client, { changes: OPENID })
    const page = await openConsentPage(browser, createRequest(origin, client, { ...OPENID, max_age: '86400' }).url)
    expect(page.html).toContain('Allow and sign in')
  })

  it('is not served from a browser that is signed in, whatever was allowed there before', async () => {
    const { origin, client } = await start({ vendor: createVendor(0) })
    const { browser } = await signInAtVendor(origin, client, { changes: OPENID })
    const again = await browser.open(createRequest(origin, client, OPENID).url)
    expect(again.headers.get('location')).toContain('code=')
    const page = await openConsentPage(browser, createRequest(origin, client, { ...OPENID, prompt: 'login' }).url)
    expect(page.html).toContain('Allow and sign in')
  })

  it('reads in our ID token when the user authenticated at the provider', async () => {
    const { origin, client } = await start({ vendor: createVendor(500) })
    const before = now() - 500
    const tokens = await signInAtVendor(origin, client, { changes: { ...OPENID, max_age: '600' } })
    const { auth_time: authenticatedAt } = decodeJwt(tokens.id_token ?? '')
    expect(authenticatedAt).toBeGreaterThanOrEqual(before)
    expect(authenticatedAt).toBeLessThanOrEqual(now() - 500)
  })

  it('holds a max_age of the configuration against the answer, too', async () => {
    const { origin, client } = await start({
      vendor: createVendor(700),
      provider: () => ({ authorization_parameters: { max_age: '600' } }),
    })
    expect((await returnFromVendor(origin, client)).answer.status).toBe(403)
  })
})

describe('a client that wants the user to choose an account', () => {
  it('has the identity provider let them, in a browser that is signed in, too', async () => {
    const { origin, client } = await start()
    const { browser } = await signInAtVendor(origin, client)
    const { sent, answer, request } = await returnFromVendor(origin, client, { browser, changes: { prompt: 'select_account' } })
    expect(sent.searchParams.get('prompt')).toBe('login')
    expect(answer.status).toBe(200)
    const end = await browser.open(readRefresh(await answer.text()))
    const redirect = new URL(end.headers.get('location') ?? '')
    const tokens = await redeem(origin, client, { ...request, redirect, code: redirect.searchParams.get('code') ?? '' })
    expect((await readJson(tokens)).scope).toBe('mcp:tools')
  })
})

describe('parameters of OpenID Connect from a client that asks for no `openid`', () => {
  it.each([
    ['nonce', { nonce: 'n' }],
    ['acr_values', { acr_values: 'mfa' }],
    ['id_token_hint', { id_token_hint: 'x.y.z' }],
    ['claims', { claims: '{}' }],
  ])('change nothing: %s', async (_name, changes) => {
    const { origin, client } = await start()
    expect((await signInAtVendor(origin, client, { changes })).scope).toBe('mcp:tools')
  })

  it('has max_age count all the same', async () => {
    const { origin, client } = await start({ vendor: createVendor(700) })
    const { sent, answer } = await returnFromVendor(origin, client, { changes: { max_age: '600' } })
    expect(sent.searchParams.get('max_age')).toBe('600')
    expect(answer.status).toBe(403)
  })
})

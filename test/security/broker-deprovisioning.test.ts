// Users who should be out: whatever the identity provider says of a user holds for everything that the user has here, and nothing that
// the user's browser carries can keep the provider from being asked.
import type { ServerResponse } from 'node:http'
import { decodeJwt } from 'jose'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { callMcp, createRequest, openConsentPage, type RawClient, readJson, refresh } from '../support/broker-client.ts'
import { type Claims, SUBJECT, sendJson, type Vendor } from '../support/identity-profiles/vendor.ts'
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

const later = (seconds: number) => vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + seconds * 1000 })
const cutOffline = (url: URL) => url.searchParams.set('scope', 'openid profile')
const BOTH = { scope: 'mcp:tools mcp:admin' }
const OVER = [400, { error: 'invalid_grant' }]

async function tryRefresh({ origin }: VendorStage, client: RawClient, token: string): Promise<[number, Record<string, unknown>]> {
  const answer = await refresh(origin, client, token)
  return [answer.status, await readJson(answer)]
}

/** A provider whose user has groups that a test can change, and whose token answers it can, too. */
function createVendor(change: (answer: Claims) => Claims = (answer) => answer, more: Partial<Vendor> = {}) {
  const user = { groups: ['staff', 'admins'], isGone: false }
  const vendor: Vendor = {
    ...OIDC_VENDOR,
    idToken: () => ({ groups: user.groups }),
    users: (_path, _request, grant) => (grant === undefined || user.isGone ? undefined : { sub: SUBJECT, groups: user.groups }),
    sendTokens: (_request, response, status, answer) => sendJson(response, status, status === 200 ? change(answer) : answer),
    ...more,
  }
  return { vendor, user }
}
const without =
  (...names: string[]) =>
  (answer: Claims): Claims =>
    Object.fromEntries(Object.entries(answer).filter(([name]) => !names.includes(name)))

describe('a sign-in that the provider’s answer does not permit', () => {
  it('ends everything that this user was given before, in every browser', async () => {
    const { vendor, user } = createVendor()
    const stage = await start({ vendor, provider: () => ({ allow: [{ claim: 'groups', values: ['staff'] }] }) })
    const { origin, client, url } = stage
    const tokens = await signInAtVendor(origin, client, { changes: BOTH })
    expect(await callMcp(url, tokens.access_token)).toBe(200)
    user.groups = ['visitors']
    expect((await returnFromVendor(origin, client)).answer.status).toBe(403)
    expect(stage.proxy.events.slice(-2)).toMatchObject([
      { kind: 'sign_in_ended', outcome: 'success', subject: SUBJECT, requestId: expect.any(String) },
      { kind: 'sign_in', outcome: 'sign_in_denied', subject: SUBJECT, clientId: client.id },
    ])
    expect(await callMcp(url, tokens.access_token)).toBe(401)
    expect(await tryRefresh(stage, client, tokens.refresh_token)).toMatchObject(OVER)
    // The first browser had been signed in, and its user had allowed this before.
    const page = await openConsentPage(tokens.browser, createRequest(origin, client).url)
    expect(page.html).toContain('Allow and sign in')
  })

  it('takes away scopes for good where it is those that the user may no longer have', async () => {
    const { vendor, user } = createVendor()
    const grant = [
      { claim: 'groups', values: ['staff'], scopes: ['mcp:tools'] },
      { claim: 'groups', values: ['admins'], scopes: ['mcp:admin'] },
    ]
    const stage = await start({ vendor, provider: () => ({ grant }) })
    const { origin, client, url } = stage
    const tokens = await signInAtVendor(origin, client, { changes: BOTH })
    const narrow = await signInAtVendor(origin, client)
    expect(tokens.scope).toBe('mcp:tools mcp:admin')
    expect(await callMcp(url, tokens.access_token)).toBe(200)
    user.groups = ['staff']
    expect((await returnFromVendor(origin, client, { changes: { scope: 'mcp:admin' } })).answer.status).toBe(403)
    // At once, and only what holds more than that.
    expect(await callMcp(url, tokens.access_token)).toBe(401)
    expect(await callMcp(url, narrow.access_token)).toBe(200)
    const [status, fresh] = await tryRefresh(stage, client, tokens.refresh_token)
    expect([status, fresh.scope]).toEqual([200, 'mcp:tools'])
    expect(await callMcp(url, String(fresh.access_token))).toBe(200)
  })

  it('takes them away from other clients, too, when the refresh of one shows it', async () => {
    const { vendor, user } = createVendor()
    const grant = [{ scopes: ['mcp:tools'] }, { claim: 'groups', values: ['admins'], scopes: ['mcp:admin'] }]
    const stage = await start({ vendor, provider: () => ({ grant }), broker: { access_token_seconds: 86_400 } })
    const { origin, client, url } = stage
    const first = await signInAtVendor(origin, client, { changes: BOTH })
    const other = await signInAtVendor(origin, client, { changes: BOTH })
    expect(await callMcp(url, other.access_token)).toBe(200)
    user.groups = ['staff']
    later(3700)
    expect((await tryRefresh(stage, client, first.refresh_token))[0]).toBe(200)
    expect(await callMcp(url, other.access_token)).toBe(401)
  })
})

describe('a request to the provider that the user edited so that there is no refresh token', () => {
  it('has the provider asked at its userinfo endpoint whenever a client refreshes', async () => {
    const { vendor, user } = createVendor()
    const stage = await start({ vendor })
    const { origin, client, url } = stage
    const tokens = await signInAtVendor(origin, client, { edit: cutOffline })
    const [status, fresh] = await tryRefresh(stage, client, tokens.refresh_token)
    expect(status).toBe(200)
    user.isGone = true
    expect(await tryRefresh(stage, client, String(fresh.refresh_token))).toMatchObject(OVER)
    expect(await callMcp(url, String(fresh.access_token))).toBe(401)
  })

  it('gets what the userinfo endpoint says now, also where the provider names no expires_in', async () => {
    const { vendor, user } = createVendor(without('expires_in'))
    const stage = await start({ vendor, provider: () => ({ allow: [{ claim: 'groups', values: ['staff'] }] }) })
    const tokens = await signInAtVendor(stage.origin, stage.client, { edit: cutOffline })
    user.groups = ['visitors']
    expect(await tryRefresh(stage, stage.client, tokens.refresh_token)).toMatchObject(OVER)
  })

  it('ends after `unrefreshed_seconds` when the provider’s access token is over', async () => {
    const { vendor } = createVendor()
    const stage = await start({ vendor })
    const { origin, client } = stage
    const tokens = await signInAtVendor(origin, client, { edit: cutOffline })
    later(3700)
    const [status, fresh] = await tryRefresh(stage, client, tokens.refresh_token)
    expect(status).toBe(200)
    later(28_800 - 3700 + 60)
    expect(await tryRefresh(stage, client, String(fresh.refresh_token))).toMatchObject(OVER)
  })

  it('ends so where there is no userinfo endpoint to ask', async () => {
    const { vendor } = createVendor()
    const stage = await start({ vendor, provider: () => ({ userinfo: false, unrefreshed_seconds: 600 }) })
    const tokens = await signInAtVendor(stage.origin, stage.client, { edit: cutOffline })
    later(300)
    const [status, fresh] = await tryRefresh(stage, stage.client, tokens.refresh_token)
    expect(status).toBe(200)
    later(360)
    expect(await tryRefresh(stage, stage.client, String(fresh.refresh_token))).toMatchObject(OVER)
  })

  it('does not lose the refresh token that an earlier sign-in brought', async () => {
    const { vendor } = createVendor()
    const stage = await start({ vendor })
    const { origin, client, profile } = stage
    await signInAtVendor(origin, client)
    const tokens = await signInAtVendor(origin, client, { edit: cutOffline })
    profile.endSessions()
    later(3700)
    expect(await tryRefresh(stage, client, tokens.refresh_token)).toMatchObject(OVER)
  })
})

it('a provider that names no expires_in is asked after an hour', async () => {
  const { vendor } = createVendor(without('expires_in'))
  const stage = await start({ vendor })
  const tokens = await signInAtVendor(stage.origin, stage.client)
  stage.profile.endSessions()
  later(3700)
  expect(await tryRefresh(stage, stage.client, tokens.refresh_token)).toMatchObject(OVER)
})

describe('a refresh that is under way while the user signs in again', () => {
  /** Holds the provider's next answer to a refresh. */
  async function hold(stage: VendorStage, answer: (response: ServerResponse) => void) {
    const { profile, client, origin } = stage
    const first = await signInAtVendor(origin, client)
    later(3700)
    let release = () => {}
    const asked = new Promise<void>((resolve) => {
      profile.interfere(OIDC_VENDOR.paths.token, (response) => {
        release = () => answer(response)
        resolve()
      })
    })
    const running = tryRefresh(stage, client, first.refresh_token)
    await asked
    profile.interfere(OIDC_VENDOR.paths.token, undefined)
    const second = await signInAtVendor(origin, client)
    release()
    return { running, second }
  }

  it('does not end the newer sign-in', async () => {
    const stage = await start()
    const { running, second } = await hold(stage, (response) => sendJson(response, 400, { error: 'invalid_grant' }))
    await running
    expect(await callMcp(stage.url, second.access_token)).toBe(200)
    expect((await tryRefresh(stage, stage.client, second.refresh_token))[0]).toBe(200)
  })

  it('does not put the older tokens in the place of the newer ones', async () => {
    const stage = await start()
    const answer = { access_token: 'older', token_type: 'bearer', expires_in: 3600, refresh_token: 'older' }
    const { running, second } = await hold(stage, (response) => sendJson(response, 200, answer))
    await running
    later(3700)
    // The provider knows nothing of the older one: with it, this would be the end.
    expect((await tryRefresh(stage, stage.client, second.refresh_token))[0]).toBe(200)
  })
})

describe('a browser that is signed in', () => {
  it('goes through the provider again once the provider’s last word is over', async () => {
    const { origin, client, profile } = await start()
    const { browser } = await signInAtVendor(origin, client)
    const again = await browser.open(createRequest(origin, client).url)
    expect(again.headers.get('location')).toContain('code=')
    profile.endSessions()
    later(3700)
    const page = await openConsentPage(browser, createRequest(origin, client).url)
    expect(page.html).toContain('Allow and sign in')
    expect(page.html).not.toContain('Signed in as')
  })

  it('does so as well when its account is gone before it (grant_seconds below browser_seconds)', async () => {
    // Before the start, so that the store goes by that clock, too.
    vi.useFakeTimers({ toFake: ['Date'] })
    const { origin, client } = await start({ broker: { grant_seconds: 120, browser_seconds: 3600 } })
    const { browser } = await signInAtVendor(origin, client)
    vi.setSystemTime(Date.now() + 130_000)
    const page = await openConsentPage(browser, createRequest(origin, client).url)
    expect(page.html).toContain('Allow and sign in')
    const { scope } = await signInAtVendor(origin, client, { browser })
    expect(scope).toBe('mcp:tools')
  })
})

describe('scopes that a user may not have', () => {
  it('do not go into what was granted: when the user may have them later, they are asked for', async () => {
    const { vendor, user } = createVendor()
    user.groups = ['staff']
    const grant = [{ scopes: ['mcp:tools'] }, { claim: 'groups', values: ['admins'], scopes: ['mcp:admin'] }]
    const stage = await start({ vendor, provider: () => ({ grant }) })
    const { origin, client } = stage
    const tokens = await signInAtVendor(origin, client, { changes: BOTH })
    expect(tokens.scope).toBe('mcp:tools')
    // Allowed once, and nothing new: no question.
    const again = await tokens.browser.open(createRequest(origin, client, BOTH).url)
    expect(again.headers.get('location')).toContain('code=')
    user.groups = ['staff', 'admins']
    later(3700)
    const [status, fresh] = await tryRefresh(stage, client, tokens.refresh_token)
    expect([status, fresh.scope]).toEqual([200, 'mcp:tools'])
    expect(decodeJwt(String(fresh.access_token)).scope).toBe('mcp:tools')
    const page = await openConsentPage(tokens.browser, createRequest(origin, client, BOTH).url)
    expect(page.html).toContain('mcp:admin')
  })
})

// MCP servers that are given the user's own token of the identity provider, which may be over.
import { afterEach, describe, expect, it, vi } from 'vitest'
import { callMcp, createRequest, openConsentPage, readJson, refresh } from '../support/broker-client.ts'
import { signInAtVendor } from '../support/vendor-sign-in.ts'
import { startVendorStage, type VendorStage } from '../support/vendor-stage.ts'

let stage: VendorStage | undefined
afterEach(async () => {
  vi.useRealTimers()
  await stage?.close()
  stage = undefined
})

const later = (seconds: number) => vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + seconds * 1000 })

/** A provider that gives no refresh token, and access tokens for an hour. */
async function startWithout(credential: 'identity_provider_token' | undefined): Promise<VendorStage> {
  stage = await startVendorStage({
    provider: () => ({ scopes: ['openid'] }),
    broker: { access_token_seconds: 86_400 },
    server: credential === undefined ? {} : { credential },
  })
  return stage
}

describe('a token of the identity provider that is known to be over, and cannot be refreshed', () => {
  it('is not sent: the client gets 401 with the challenge that lets it begin anew', async () => {
    const { origin, url, client, upstream } = await startWithout('identity_provider_token')
    const tokens = await signInAtVendor(origin, client)
    expect(await callMcp(url, tokens.access_token)).toBe(200)
    later(3700)
    const answer = await fetch(url, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${tokens.access_token}`,
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
      },
      body: '{"jsonrpc":"2.0","id":1,"method":"tools/list"}',
    })
    expect(answer.status).toBe(401)
    const challenge = answer.headers.get('www-authenticate') ?? ''
    for (const part of ['Bearer ', 'error="invalid_token"', 'resource_metadata=']) expect(challenge).toContain(part)
    expect(upstream.requests).toHaveLength(1)
  })

  it('makes a refresh `invalid_grant`, and the browser go to the provider', async () => {
    const { origin, url, client } = await startWithout('identity_provider_token')
    const tokens = await signInAtVendor(origin, client)
    later(3700)
    const answer = await refresh(origin, client, tokens.refresh_token)
    expect([answer.status, await readJson(answer)]).toMatchObject([400, { error: 'invalid_grant' }])
    const page = await openConsentPage(tokens.browser, createRequest(origin, client).url)
    expect(page.html).toContain('Allow and sign in')
    const fresh = await signInAtVendor(origin, client, { browser: tokens.browser })
    expect(await callMcp(url, fresh.access_token)).toBe(200)
  })

  it('does not matter to a server that is not given it', async () => {
    const { origin, url, client } = await startWithout(undefined)
    const tokens = await signInAtVendor(origin, client)
    later(3700)
    expect(await callMcp(url, tokens.access_token)).toBe(200)
    expect((await refresh(origin, client, tokens.refresh_token)).status).toBe(200)
  })
})

// Where the metadata of an identity provider is, what it may say, and what an authorization response may say of the provider.
import { afterEach, describe, expect, it } from 'vitest'
import { createBrowser, createRequest, openConsentPage, sendConsent } from '../support/broker-client.ts'
import { sendJson, type Vendor } from '../support/identity-profiles/vendor.ts'
import { GITHUB } from '../support/identity-profiles/vendors.ts'
import { returnFromVendor, signInAtVendor } from '../support/vendor-sign-in.ts'
import { OIDC_VENDOR, startVendorStage, type VendorStage, type VendorStageOptions } from '../support/vendor-stage.ts'

let stage: VendorStage | undefined
afterEach(async () => {
  await stage?.close()
  stage = undefined
})

async function start(options: VendorStageOptions = {}): Promise<VendorStage> {
  stage = await startVendorStage(options)
  return stage
}

const OAUTH_METADATA = '/.well-known/oauth-authorization-server'
const OPENID_METADATA = '/.well-known/openid-configuration'

describe('the metadata of an identity provider', () => {
  it('may be that of OAuth alone (RFC 8414)', async () => {
    const { origin, client } = await start({ vendor: { ...OIDC_VENDOR, metadataPath: OAUTH_METADATA } })
    expect((await signInAtVendor(origin, client)).scope).toBe('mcp:tools')
  })

  it('is found before the path of the issuer then (§3.1)', async () => {
    const vendor: Vendor = {
      ...OIDC_VENDOR,
      issuer: ({ origin }) => `${origin}/tenants/main`,
      metadataPath: `${OAUTH_METADATA}/tenants/main`,
    }
    const { origin, client } = await start({ vendor })
    expect((await signInAtVendor(origin, client)).scope).toBe('mcp:tools')
  })

  const OTHER = {
    issuer: 'https://other.example',
    authorization_endpoint: 'https://other.example/a',
    token_endpoint: 'https://other.example/t',
  }

  it('is the document of this issuer, where there are two', async () => {
    const { origin, client, profile } = await start({ vendor: { ...OIDC_VENDOR, metadataPath: OAUTH_METADATA } })
    profile.interfere(OPENID_METADATA, (response) => sendJson(response, 200, OTHER))
    expect((await signInAtVendor(origin, client)).scope).toBe('mcp:tools')
  })

  it('is refused when every document is that of another issuer (RFC 8414 §3.3)', async () => {
    const { origin, client, profile } = await start()
    for (const path of [OPENID_METADATA, OAUTH_METADATA]) profile.interfere(path, (response) => sendJson(response, 200, OTHER))
    const browser = createBrowser()
    const answer = await sendConsent(browser, await openConsentPage(browser, createRequest(origin, client).url))
    expect([400, 503]).toContain(answer.status)
    expect(await answer.text()).not.toContain('other.example')
  })

  it('may be at another address for the proxy than for browsers, and the endpoints with it', async () => {
    const nowhere = 'http://localhost:1'
    const vendor: Vendor = {
      ...OIDC_VENDOR,
      issuer: () => nowhere,
      metadata: () => ({
        token_endpoint: `${nowhere}${OIDC_VENDOR.paths.token}`,
        userinfo_endpoint: `${nowhere}${OIDC_VENDOR.paths.userinfo}`,
        jwks_uri: `${nowhere}${OIDC_VENDOR.paths.keys}`,
      }),
    }
    const { origin, client } = await start({
      vendor,
      provider: (profile) => ({ metadata_url: `${profile.origin}${OPENID_METADATA}` }),
    })
    expect((await signInAtVendor(origin, client)).scope).toBe('mcp:tools')
  })

  it('has to name the configured issuer there, too', async () => {
    const { origin, client } = await start({
      provider: (profile) => ({ issuer: 'http://localhost:1', metadata_url: `${profile.origin}${OPENID_METADATA}` }),
    })
    const browser = createBrowser()
    const answer = await sendConsent(browser, await openConsentPage(browser, createRequest(origin, client).url))
    expect([400, 503]).toContain(answer.status)
  })
})

it('a provider of plain OAuth is sent no empty scope', async () => {
  const { origin, client, profile } = await start({
    vendor: { ...GITHUB, users: () => ({ id: 1, login: 'alice' }) },
    provider: (profile) => ({
      kind: 'oauth',
      oauth: {
        authorization_endpoint: `${profile.origin}${GITHUB.paths.authorize}`,
        token_endpoint: `${profile.origin}${GITHUB.paths.token}`,
        userinfo_endpoint: `${profile.origin}${GITHUB.paths.userinfo}`,
        subject_claim: 'id',
      },
    }),
  })
  // It names an issuer that is not its origin in `iss`; that is not what this is about.
  await returnFromVendor(origin, client)
  expect(profile.authorizations.at(-1)?.has('scope')).toBe(false)
})

it('a provider of plain OAuth may say nothing of the type of its tokens (OpenAuth)', async () => {
  const { metadataPath: _, ...vendor } = OIDC_VENDOR
  const { origin, client } = await start({
    vendor: {
      ...vendor,
      idToken: undefined,
      sendTokens: (_request, response, status, { token_type: _type, ...answer }) => sendJson(response, status, answer),
    },
    provider: (profile) => ({
      kind: 'oauth',
      // Its userinfo endpoint wants it, though no ID token comes.
      scopes: ['openid'],
      oauth: {
        authorization_endpoint: `${profile.origin}${vendor.paths.authorize}`,
        token_endpoint: `${profile.origin}${vendor.paths.token}`,
        userinfo_endpoint: `${profile.origin}${vendor.paths.userinfo}`,
        subject_claim: 'sub',
      },
    }),
  })
  const { answer } = await returnFromVendor(origin, client)
  expect(answer.status, await answer.text()).toBe(200)
})

describe('what the user is told when the identity provider answers with an error', () => {
  it.each([
    ['temporarily_unavailable', 503, 'few minutes'],
    ['server_error', 503, 'few minutes'],
    ['invalid_scope', 503, 'Contact the operator of this server'],
    ['unauthorized_client', 503, 'Contact the operator of this server'],
    ['access_denied', 403, 'canceled or denied'],
    ['consent_required', 403, 'canceled or denied'],
  ])('%s', async (error, status, says) => {
    const refuse = () => ({ error, error_description: 'no' })
    const { origin, client } = await start({ vendor: { ...OIDC_VENDOR, refuseAuthorization: refuse } })
    const { answer } = await returnFromVendor(origin, client)
    expect([answer.status, await answer.text()]).toEqual([status, expect.stringContaining(says)])
  })

  it.each([
    ['unauthorized_client', 'Contact the operator of this server'],
    ['invalid_client', 'Contact the operator of this server'],
    ['unsupported_grant_type', 'Contact the operator of this server'],
    ['temporarily_unavailable', 'few minutes'],
  ])('at its token endpoint: %s', async (error, says) => {
    const refuseToken = () => ({ error, error_description: 'no' })
    const { origin, client } = await start({ vendor: { ...OIDC_VENDOR, refuseToken } })
    const { answer } = await returnFromVendor(origin, client)
    expect([answer.status, await answer.text()]).toEqual([503, expect.stringContaining(says)])
  })
})

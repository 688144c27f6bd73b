import { createRemoteJWKSet, jwtVerify } from 'jose'
import { afterEach, describe, expect, it } from 'vitest'
import { signIn } from '../../demo/browser.ts'
import { SAMPLE_USERS } from '../../src/sandbox/users.ts'
import { ADMIN, type AsgardeoOptions } from './asgardeo/state.ts'
import { type Asgardeo, startAsgardeo } from './asgardeo.ts'
import { postForm, readJson } from './broker-client.ts'

const [alice] = SAMPLE_USERS

let asgardeo: Asgardeo | undefined
afterEach(async () => {
  await asgardeo?.close()
  asgardeo = undefined
})

async function start(options: Partial<AsgardeoOptions> = {}): Promise<Asgardeo> {
  asgardeo = await startAsgardeo({ users: SAMPLE_USERS, ...options })
  return asgardeo
}

const basic = (id: string, secret: string) => ({ authorization: `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}` })

describe('the emulated Asgardeo', () => {
  it('has its metadata where its issuer says, and elsewhere a redirect without CORS', async () => {
    const { base, origin } = await start()
    const metadata = await readJson(await fetch(`${base}/oauth2/token/.well-known/openid-configuration`))
    expect(metadata.issuer).toBe(`${base}/oauth2/token`)
    const elsewhere = await fetch(`${origin}/.well-known/oauth-authorization-server/t/acme/oauth2/token`, { redirect: 'manual' })
    expect([elsewhere.status, elsewhere.headers.get('access-control-allow-origin')]).toEqual([302, null])
  })

  it('takes scopes of an admin token with raw spaces, and grants those that there are', async () => {
    const { base } = await start({ adminScopes: ['internal_application_mgt_create'] })
    const answer = await fetch(`${base}/oauth2/token`, {
      method: 'POST',
      headers: { ...basic(ADMIN.clientId, ADMIN.clientSecret), 'content-type': 'application/x-www-form-urlencoded' },
      body: 'grant_type=client_credentials&scope=internal_application_mgt_create internal_application_mgt_delete',
    })
    expect(await readJson(answer)).toMatchObject({ token_type: 'Bearer', scope: 'internal_application_mgt_create' })
  })

  it('signs users in, with tokens that verify, introspect and can be revoked, and sends no iss', async () => {
    const { base, addApplication } = await start()
    const callback = 'http://localhost:1/cb'
    const [id, secret] = ['a_client', 'a_secret']
    const oidc = {
      clientId: id,
      clientSecret: secret,
      callbackURLs: [callback],
      grantTypes: ['authorization_code'],
      accessToken: { type: 'JWT' as const },
    }
    addApplication({ id: 'x', name: 'x', description: '', oidc, authorized: new Map() })
    const challenge = 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM'
    const query = {
      client_id: id,
      redirect_uri: callback,
      response_type: 'code',
      scope: 'openid',
      state: 's',
      code_challenge: challenge,
      code_challenge_method: 'S256',
    }
    const back = await signIn(`${base}/oauth2/authorize?${new URLSearchParams(query)}`, alice)
    expect([back.searchParams.get('state'), back.searchParams.has('iss')]).toEqual(['s', false])
    const form = {
      grant_type: 'authorization_code',
      code: back.searchParams.get('code') ?? '',
      redirect_uri: callback,
      code_verifier: 'dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk',
    }
    const tokens = await readJson(await postForm(`${base}/oauth2/token`, form, basic(id, secret)))
    const keys = createRemoteJWKSet(new URL(`${base}/oauth2/jwks`))
    await jwtVerify(tokens.access_token, keys, { issuer: `${base}/oauth2/token`, audience: id, algorithms: ['RS256'] })
    const ask = async () =>
      readJson(await postForm(`${base}/oauth2/introspect`, { token: tokens.access_token }, basic(id, secret)))
    expect(await ask()).toMatchObject({ active: true, scope: 'openid' })
    await postForm(`${base}/oauth2/revoke`, { token: tokens.access_token }, basic(id, secret))
    expect(await ask()).toEqual({ active: false })
    expect((await fetch(`${base}/oidc/logout`)).status).toBe(200)
    expect((await postForm(`${base}/oauth2/token`, form, basic(id, secret))).status).toBe(400)
  })

  it('refuses requests without a token without a body, except registration where that is open', async () => {
    const { base } = await start({ openRegistration: true })
    const refused = await fetch(`${base}/api/server/v1/applications`, { method: 'POST', body: '{}' })
    expect([refused.status, await refused.text()]).toEqual([401, ''])
    const body = JSON.stringify({ client_name: 'x', redirect_uris: ['https://client.example/cb'] })
    const registered = await fetch(`${base}/api/identity/oauth2/dcr/v1.1/register`, { method: 'POST', body })
    expect(registered.status).toBe(201)
    const again = await fetch(`${base}/api/identity/oauth2/dcr/v1.1/register`, { method: 'POST', body })
    expect([again.status, await readJson(again)]).toMatchObject([
      400,
      { error_description: expect.stringContaining('already exist') },
    ])
  })
})

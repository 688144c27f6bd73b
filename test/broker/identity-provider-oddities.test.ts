// Answers of identity providers that are odd, but leave no doubt of what is meant.
import { afterEach, describe, expect, it, vi } from 'vitest'
import { readJson, refresh } from '../support/broker-client.ts'
import { type Claims, FORBIDDEN, SUBJECT, sendJson, VENDOR_CLIENT, type Vendor } from '../support/identity-profiles/vendor.ts'
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
const answering = (members: Claims, isFor: 'a sign-in' | 'a refresh' | 'both' = 'both'): Vendor => {
  let answers = 0
  return {
    ...OIDC_VENDOR,
    rotatesRefreshTokens: false,
    sendTokens: (_request, response, status, answer) => {
      const isSignIn = answers++ === 0
      const isOdd = isFor === 'both' || isSignIn === (isFor === 'a sign-in')
      sendJson(response, status, isOdd ? { ...answer, ...members } : answer)
    },
  }
}

describe('members of a token answer', () => {
  const NOTHING: [name: string, members: Claims][] = [
    ['refresh_token: null', { refresh_token: null }],
    ['refresh_token: ""', { refresh_token: '' }],
    ['scope: null', { scope: null }],
    ['scope: ""', { scope: '' }],
    ['expires_in: null', { expires_in: null }],
    ['expires_in: ""', { expires_in: '' }],
  ]
  it.each(NOTHING)('that say nothing are as good as absent at a sign-in: %s', async (_name, members) => {
    const { origin, client } = await start({ vendor: answering(members, 'a sign-in') })
    const tokens = await signInAtVendor(origin, client)
    expect((await refresh(origin, client, tokens.refresh_token)).status).toBe(200)
  })

  it.each([...NOTHING, ['id_token: null', { id_token: null }], ['id_token: ""', { id_token: '' }]] as typeof NOTHING)(
    'that say nothing are as good as absent at a refresh: %s',
    async (_name, members) => {
      const { origin, client } = await start({ vendor: answering(members, 'a refresh') })
      const tokens = await signInAtVendor(origin, client)
      later(3700)
      const fresh = await refresh(origin, client, tokens.refresh_token)
      expect(fresh.status).toBe(200)
      later(2 * 3700)
      // The provider's refresh token of before is still there.
      expect((await refresh(origin, client, (await readJson(fresh)).refresh_token)).status).toBe(200)
    },
  )

  it('may be numbers that are written as texts', async () => {
    const { origin, client, profile } = await start({ vendor: answering({ expires_in: '60' }, 'a sign-in') })
    const tokens = await signInAtVendor(origin, client)
    profile.endSessions()
    later(61)
    expect((await refresh(origin, client, tokens.refresh_token)).status).toBe(400)
  })
})

describe('a userinfo endpoint', () => {
  const refusing: Vendor = { ...OIDC_VENDOR, users: () => FORBIDDEN }

  it('that refuses the proxy is not asked with `userinfo: false`', async () => {
    const { origin, client } = await start({ vendor: refusing, provider: () => ({ userinfo: false }) })
    expect((await signInAtVendor(origin, client)).scope).toBe('mcp:tools')
  })

  it.each([
    ['refuses the proxy', refusing],
    ['names no sub', { ...OIDC_VENDOR, users: () => ({ name: 'Alice' }) }],
    ['names null as sub', { ...OIDC_VENDOR, users: () => ({ sub: null }) }],
  ] as [string, Vendor][])(
    'that %s will not do so in a few minutes: the page and the log say what helps',
    async (_name, vendor) => {
      const { origin, client, proxy } = await start({ vendor })
      const { answer } = await returnFromVendor(origin, client)
      const html = await answer.text()
      expect(answer.status).toBe(503)
      expect(html).not.toContain('few minutes')
      expect(html).toContain('Contact the operator of this server')
      const line = await proxy.log.waitFor(({ code }) => code === 'identity_provider_unavailable')
      expect(line.cause).toMatch(/^the userinfo endpoint: .*identity_provider\.userinfo: false/)
    },
  )

  /** Signed answers (OpenID Connect Core §5.3.2). */
  const signed = (sign: (profile: VendorStage['profile'], issuer: string) => Promise<string>) => async () => {
    const stage = await start({ provider: () => ({ allow: [{ claim: 'groups', values: ['staff'] }] }) })
    const { profile } = stage
    profile.interfere(OIDC_VENDOR.paths.userinfo, (response) => {
      void sign(profile, profile.issuer).then((jwt) => response.writeHead(200, { 'content-type': 'application/jwt' }).end(jwt))
    })
    return (await returnFromVendor(stage.origin, stage.client)).answer
  }
  const CLAIMS = { sub: SUBJECT, groups: ['staff'] }

  it('may sign its answers, which are verified', async () => {
    const answer = await signed((profile, iss) => profile.sign({ ...CLAIMS, iss, aud: VENDOR_CLIENT.id }))()
    expect(answer.status).toBe(200)
  })

  it.each([
    [
      'by another key',
      (profile: VendorStage['profile'], iss: string) => profile.signAsStranger({ ...CLAIMS, iss, aud: VENDOR_CLIENT.id }),
    ],
    ['for another client', (profile: VendorStage['profile'], iss: string) => profile.sign({ ...CLAIMS, iss, aud: 'another' })],
    [
      'of another issuer',
      (profile: VendorStage['profile']) => profile.sign({ ...CLAIMS, iss: 'https://evil.example', aud: VENDOR_CLIENT.id }),
    ],
    [
      'by nobody',
      async (_profile: VendorStage['profile'], iss: string) => `${encode({ alg: 'none' })}.${encode({ ...CLAIMS, iss })}.`,
    ],
    [
      'about somebody else',
      (profile: VendorStage['profile'], iss: string) => profile.sign({ ...CLAIMS, sub: 'mallory', iss, aud: VENDOR_CLIENT.id }),
    ],
  ])('signs no user in by an answer that is signed %s', async (_name, sign) => {
    const answer = await signed(sign)()
    expect([400, 503]).toContain(answer.status)
  })
})

const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')

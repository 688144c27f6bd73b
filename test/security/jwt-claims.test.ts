import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { ErrorCode } from '../../src/core/errors.ts'
import type { IssuerPlan } from '../../src/core/plan/issuer-plan.ts'
import { createIssuerPool } from '../../src/oauth/issuer.ts'
import { createTokenVerifier, type TokenVerifierOptions, type WarmTokenVerifier } from '../../src/oauth/token-verifier.ts'
import { createFakeClock, type FakeClock } from '../support/fake-clock.ts'
import { forge } from '../support/forge.ts'
import { createIssuerPlan } from '../support/issuer-plan.ts'
import { expectRefused, verifyToken } from '../support/refusal.ts'
import { startIssuer, type TestIssuer } from '../support/tokens.ts'
import { findVectors } from '../support/vectors.ts'
import { audience } from '../support/verifier.ts'

let issuer: TestIssuer
let clock: FakeClock
let now: number

beforeAll(async () => {
  issuer = await startIssuer()
})
afterAll(() => issuer.close())
beforeEach(() => {
  // A whole second: what a token says of time has no finer grain here.
  now = Math.floor(Date.now() / 1000)
  clock = createFakeClock(now * 1000)
})

/** A verifier of its own for each test, closed when the test is over. */
async function withVerifier(
  run: (verifier: WarmTokenVerifier) => Promise<void>,
  plan: Partial<IssuerPlan> = {},
  options: Partial<TokenVerifierOptions> = {},
): Promise<void> {
  const verifier = createTokenVerifier({
    issuers: [createIssuerPlan(issuer.issuer, plan)],
    audiences: [audience],
    clock,
    ...options,
  })
  try {
    await run(verifier)
  } finally {
    await verifier.close()
  }
}

/** As of the clock of the test. */
const mint = (claims: Record<string, unknown>, header: Record<string, unknown> = {}) =>
  issuer.mint({ claims: { iat: now, ...claims }, header })

const refuse = (
  code: ErrorCode,
  claims: Record<string, unknown>,
  plan: Partial<IssuerPlan> = {},
  header: Record<string, unknown> = {},
) => withVerifier(async (verifier) => void (await expectRefused(verifier, await mint(claims, header), code)), plan)

const accept = (claims: Record<string, unknown>, plan: Partial<IssuerPlan> = {}, header: Record<string, unknown> = {}) =>
  withVerifier(async (verifier) => {
    expect((await verifyToken(verifier, await mint(claims, header))).issuer).toBe(issuer.issuer)
  }, plan)

/** Signs a payload that JSON of ours would not write. */
const signText = (payload: string) =>
  forge({ header: { alg: 'RS256', kid: issuer.signingKey.kid }, payload }, issuer.signingKey.privateKey)

describe('the reason in the log', () => {
  it('says when a token ended, as log lines tell the time', () =>
    withVerifier(async (verifier) => {
      expect(await expectRefused(verifier, await mint({ exp: 1_795_435_828 - 86_400 * 3650 }), 'token_expired')).toContain(
        'expired at 2016-11-',
      )
    }))

  it('says which issuer a token names, and which would do', () =>
    withVerifier(async (verifier) => {
      const reason = await expectRefused(verifier, await mint({ iss: `${issuer.issuer}/` }), 'token_issuer_unknown')
      expect(reason).toContain(`iss is "${issuer.issuer}/", not "${issuer.issuer}"`)
    }))
})

describe('the end of a token', () => {
  it('has passed: refused as expired, also within a second', async () => {
    const exact = { clockToleranceSeconds: 0 }
    await refuse('token_expired', { exp: now - 3600 }, exact)
    await refuse('token_expired', { exp: now - 1 }, exact)
    await refuse('token_expired', { exp: now }, exact)
    await refuse('token_expired', { exp: 0 }, exact)
    await accept({ exp: now + 1 }, exact)
  })

  it('has passed, but not by more than the tolerance: accepted', async () => {
    await accept({ exp: now }, { clockToleranceSeconds: 30 })
    await accept({ exp: now - 29 }, { clockToleranceSeconds: 30 })
    await refuse('token_expired', { exp: now - 30 }, { clockToleranceSeconds: 30 })
  })

  it('may have a fraction (RFC 7519 §2)', async () => {
    await accept({ exp: now + 0.5 }, { clockToleranceSeconds: 0 })
    await refuse('token_expired', { exp: now - 0.5 }, { clockToleranceSeconds: 0 })
  })

  it.each<[unknown]>([[undefined], [null], ['9999999999'], [1e300], [-1], [true], [[9999999999]], [{}]])(
    'is no date: %j',
    async (exp) => {
      await refuse('token_invalid', { exp })
    },
  )

  it.each([['1e400'], ['99999999999999999999'], ['-0.5'], ['1e12']])('is no date: %s', async (exp) => {
    await withVerifier(async (verifier) => {
      await expectRefused(verifier, signText(`{"iss":"${issuer.issuer}","aud":"${audience}","exp":${exp}}`), 'token_invalid')
    })
  })

  it('comes while the token is remembered', async () => {
    await withVerifier(async (verifier) => {
      const token = await issuer.mint({ claims: { exp: now + 60 } })
      const principal = await verifyToken(verifier, token)
      clock.advance(89_000)
      expect(verifier.verify(token)).toBe(principal)
      clock.advance(1_000)
      await expectRefused(verifier, token, 'token_expired')
    })
  })

  it('is where the system clock says, when that is set', async () => {
    await withVerifier(async (verifier) => {
      const token = await issuer.mint({ claims: { exp: now + 1800 } })
      await verifyToken(verifier, token)
      clock.jump(3_600_000)
      await expectRefused(verifier, token, 'token_expired')
      clock.jump(-3_600_000)
      await verifyToken(verifier, token)
    })
  })
})

describe('the beginning of a token', () => {
  it.each(['nbf', 'iat'])('lies in the future by %s: refused beyond the tolerance', async (name) => {
    await refuse('token_invalid', { [name]: now + 31 })
    await accept({ [name]: now + 30 })
    await refuse('token_invalid', { [name]: now + 1 }, { clockToleranceSeconds: 0 })
    await accept({ [name]: now }, { clockToleranceSeconds: 0 })
  })

  it.each<[string, unknown]>([
    ['nbf', 'soon'],
    ['nbf', null],
    ['nbf', -1],
    ['iat', '0'],
    ['iat', 1e300],
    ['iat', []],
  ])('is no date: %s %j', async (name, value) => {
    await refuse('token_invalid', { [name]: value })
  })

  it('need not be stated', async () => {
    await accept({ iat: undefined, nbf: undefined })
  })
})

describe('the lifetime of a token', () => {
  const plan = { maxLifetimeSeconds: 3600 }

  it('has no limit unless one is configured', async () => {
    await accept({ iat: now - 10, exp: now + 10_000_000 })
  })

  it('is refused beyond the limit, however long ago it began', async () => {
    await accept({ iat: now, exp: now + 3600 }, plan)
    await refuse('token_invalid', { iat: now, exp: now + 3601 }, plan)
    await refuse('token_invalid', { iat: now - 100_000, exp: now + 10 }, plan)
  })

  it('is unknown without iat: refused where there is a limit', async () => {
    await refuse('token_invalid', { iat: undefined, exp: now + 10 }, plan)
  })
})

describe('the audience of a token', () => {
  it.each<[string, unknown]>([
    ['missing', undefined],
    ['an empty list', []],
    ['null', null],
    ['a prefix of another', `${audience}2`],
    ['another path below', `${audience}/x`],
    ['the origin alone', 'https://mcp.example.com'],
    ['in another letter case of the path', 'https://mcp.example.com/MCP'],
    ['with a port', 'https://mcp.example.com:443/mcp'],
    ['escaped', 'https://mcp.example.com/%6Dcp'],
    ['with user information', 'https://mcp.example.com@evil.example/mcp'],
    ['a nested list', [[audience]]],
    ['an object', { aud: audience }],
    ['a list with a number', [audience, 1]],
    ['a number', 1],
    ['a star', '*'],
    ['the client', 'test-client'],
    ['another server of the same proxy', 'https://mcp.example.com/other'],
  ])('is not ours: %s', async (_, aud) => {
    await refuse('token_audience_mismatch', { aud })
  })

  it.each<[string, unknown]>([
    ['as text', audience],
    ['in a list', [audience]],
    ['among others', ['https://other.example', audience]],
    ['with a final slash', `${audience}/`],
    ['in upper case of scheme and host', 'HTTPS://MCP.EXAMPLE.COM/mcp'],
  ])('is ours: %s', async (_, aud) => {
    await accept({ aud })
  })

  it('is refused on one server of the proxy though another one accepts it', async () => {
    const pool = createIssuerPool({ clock })
    const serve = (path: string) =>
      createTokenVerifier({
        issuers: [createIssuerPlan(issuer.issuer)],
        audiences: [`https://mcp.example.com/${path}`],
        clock,
        pool,
      })
    const [a, b] = [serve('a'), serve('b')]
    const token = await issuer.mint({ claims: { aud: 'https://mcp.example.com/a' } })
    await verifyToken(a, token)
    await expectRefused(b, token, 'token_audience_mismatch')
    await verifyToken(a, token)
    await pool.close()
  })

  it('may be missing where that is asked for, but never wrong', async () => {
    const lenient = { leastAssurance: 'signature_only' as const }
    const run = async (verifier: WarmTokenVerifier) => {
      expect((await verifyToken(verifier, await issuer.mint({ claims: { aud: undefined } }))).assurance).toBe('signature_only')
      expect((await verifyToken(verifier, await issuer.mint())).assurance).toBe('audience')
      for (const aud of ['https://other.example', [], null, '', 7]) {
        await expectRefused(verifier, await issuer.mint({ claims: { aud } }), 'token_audience_mismatch')
      }
      await expectRefused(verifier, await issuer.mint({ claims: { aud: undefined, exp: undefined } }), 'token_invalid')
    }
    await withVerifier(run, {}, lenient)
  })

  it('may be named by the client where that is configured (Cognito, Dex)', async () => {
    const plan = { audienceClaims: ['aud', 'client_id'] }
    const options = { audiences: ['client-1'] }
    await withVerifier(
      async (verifier) => {
        const mint = (claims: Record<string, unknown>) => issuer.mint({ claims: { aud: undefined, ...claims } })
        expect((await verifyToken(verifier, await mint({ client_id: 'client-1' }))).assurance).toBe('audience')
        await expectRefused(verifier, await mint({ client_id: 'client-2' }), 'token_audience_mismatch')
        await expectRefused(verifier, await mint({ client_id: 'client-1', aud: audience }), 'token_audience_mismatch')
      },
      plan,
      options,
    )
  })
})

describe('the issuer of a token', () => {
  it.each([
    ['with a final slash', (iss: string) => `${iss}/`],
    ['in another letter case', (iss: string) => iss.toUpperCase()],
    ['with a space', (iss: string) => `${iss} `],
    ['with a NUL', (iss: string) => `${iss}\u0000`],
    ['with a path', (iss: string) => `${iss}/x`],
    ['of somebody else', () => 'https://evil.example'],
    ['named like a member of every object', () => '__proto__'],
    ['that is empty', () => ''],
  ])('is not the one that is configured: %s', async (_, change) => {
    await refuse('token_issuer_unknown', { iss: change(issuer.issuer) })
  })

  it.each<[unknown]>([[undefined], [null], [7], [['a']], [{}]])('is no text: %j', async (iss) => {
    await refuse('token_invalid', { iss })
  })

  it('is no list, though it holds the right one', async () => {
    await refuse('token_invalid', { iss: [issuer.issuer] })
  })

  it('is never asked about anything when it is unknown', async () => {
    const asked = issuer.requests.length
    await withVerifier(async (verifier) => {
      await expectRefused(verifier, await issuer.mint({ claims: { iss: `${issuer.issuer}/x` } }), 'token_issuer_unknown')
    })
    expect(issuer.requests.length).toBe(asked)
  })

  it('with a final slash is another one than without', async () => {
    const slashed = `${issuer.issuer}/`
    const verifier = createTokenVerifier({
      issuers: [createIssuerPlan(slashed, { jwksUri: issuer.jwksUri })],
      audiences: [audience],
      clock,
    })
    expect((await verifyToken(verifier, await mint({ iss: slashed }))).issuer).toBe(slashed)
    await expectRefused(verifier, await mint({}), 'token_issuer_unknown')
    await verifier.close()
  })
})

describe('what is no access token', () => {
  it.each([
    ['id token', { at_hash: 'x' }],
    ['id token of a code flow', { c_hash: 'x' }],
    ['id token with a nonce', { nonce: 'x' }],
    ['id token of Cognito', { token_use: 'id' }],
    ['id token of Keycloak', { typ: 'ID' }],
    ['refresh token of Keycloak', { typ: 'Refresh' }],
    ['offline token of Keycloak', { typ: 'Offline' }],
    ['logout token of Keycloak', { typ: 'Logout' }],
    ['refresh token that says so', { token_use: 'refresh_token' }],
    ['token of some use', { token_use: 'something' }],
    ['token whose use is no text', { token_use: ['access'] }],
    ['logout token', { events: { 'http://schemas.openid.net/event/backchannel-logout': {} } }],
    [
      'ID token of a client that is an audience (Spring)',
      { aud: [audience], azp: audience, sid: 's', auth_time: 1, scope: undefined },
    ],
    ['ID token with an empty scope', { azp: audience, sid: 's', scope: '' }],
    ['ID token with the roles of its user', { azp: audience, auth_time: 1, scope: undefined, roles: ['mcp:admin'] }],
    ['ID token that says who the user is (Google)', { azp: audience, email: 'a@example.com', scope: undefined }],
    ['ID token for more than one', { aud: ['api', audience], azp: audience, sid: 's', scope: undefined }],
    [
      'ID token that names no client',
      { aud: ['c1', audience], client_id: undefined, azp: undefined, auth_time: 1, scope: undefined },
    ],
    ['refresh token by its token_type', { token_type: 'refresh' }],
    ['ID token by its token_type', { token_type: 'id_token' }],
    ['ID token with a hash of its state', { s_hash: 'x' }],
    ['ID token, whatever else it says', { token_use: 'id', typ: 'Bearer' }],
    ['token bound to a DPoP key', { cnf: { jkt: 'x' } }],
    ['token bound to a certificate', { cnf: { 'x5t#S256': 'x' } }],
    ['token bound to something', { cnf: {} }],
    ['token bound to nothing', { cnf: null }],
  ])('is refused: %s', async (_, claims) => {
    await refuse('token_type_wrong', claims, {}, { typ: 'JWT' })
  })

  it.each([
    ['logout+jwt'],
    ['secevent+jwt'],
    ['dpop+jwt'],
    ['oauth-authz-req+jwt'],
    ['token-introspection+jwt'],
    ['id_token'],
    ['jwt+at'],
    ['at+jwt2'],
    ['text/at+jwt'],
    ['application/application/at+jwt'],
    ['JOSE'],
    [''],
  ])('is refused by its typ: %s', async (typ) => {
    await refuse('token_type_wrong', {}, {}, { typ })
  })

  it.each<[unknown]>([[7], [null], [['at+jwt']], [{}]])('has a typ that is no text: %j', async (typ) => {
    await refuse('token_invalid', {}, {}, { typ })
  })

  it.each<[unknown]>([
    ['at+jwt'],
    ['AT+JWT'],
    ['application/at+jwt'],
    ['Application/AT+JWT'],
    ['JWT'],
    ['jwt'],
    ['application/jwt'],
    [undefined],
  ])('is an access token by its typ, though: %j', async (typ) => {
    await accept({}, {}, { typ })
  })

  it.each([
    [{ nonce: 'x' }, 'at+jwt'],
    [{ token_use: 'access' }, 'JWT'],
    [{ typ: 'Bearer' }, 'JWT'],
    [{ sid: 'x', auth_time: 1 }, 'JWT'],
    [{ nonce: 'x', typ: 'Bearer' }, 'JWT'],
    [{ nonce: 'x', token_use: 'access' }, undefined],
    [{ azp: audience, sid: 'x', scope: undefined, typ: 'Bearer' }, 'JWT'],
    [{ azp: audience, sid: 'x', scope: undefined, token_use: 'access' }, 'JWT'],
    [{ azp: audience, sid: 'x', scope: undefined }, 'at+jwt'],
    [{ azp: audience, sid: 'x', scope: undefined, scp: ['a'] }, 'JWT'],
    [{ azp: 'c1', sid: 'x', auth_time: 1, email: 'a@example.com', scope: undefined }, 'JWT'],
    [{ azp: audience, scope: undefined }, 'JWT'],
    [{ azp: undefined, client_id: undefined, sid: 'x', scope: undefined }, 'JWT'],
  ])('is an access token by what it says, though: %j', async (claims, typ) => {
    await accept(claims, {}, { typ })
  })

  it.each([[{ nonce: 'x', at_hash: 'x' }], [{ token_use: 'id' }], [{ typ: 'ID' }]])(
    'passes as an ID token where that is asked for: %j',
    async (claims) => {
      await accept(claims, { acceptIdTokens: true }, { typ: 'JWT' })
    },
  )

  it.each([[{ typ: 'Refresh' }], [{ events: {} }], [{ cnf: { jkt: 'x' } }], [{ token_use: 'refresh' }]])(
    'is refused although ID tokens pass: %j',
    async (claims) => {
      await refuse('token_type_wrong', claims, { acceptIdTokens: true }, { typ: 'JWT' })
    },
  )

  it('is an assertion of a client for the authorization server: its audience says so', async () => {
    await refuse(
      'token_issuer_unknown',
      { iss: 'test-client', sub: 'test-client', aud: `${issuer.issuer}/token` },
      {},
      { typ: 'JWT' },
    )
    await refuse('token_audience_mismatch', { sub: 'test-client', aud: `${issuer.issuer}/token` }, {}, { typ: 'JWT' })
  })
})

describe('the principal', () => {
  const verifyWith = async (claims: Record<string, unknown>, plan: Partial<IssuerPlan> = {}) => {
    const verifier = createTokenVerifier({
      issuers: [createIssuerPlan(issuer.issuer, plan)],
      audiences: [audience],
      clock,
    })
    try {
      return await verifyToken(verifier, await mint(claims))
    } finally {
      await verifier.close()
    }
  }

  it('is what the token says', async () => {
    const principal = await verifyWith({
      sub: 'alice',
      client_id: 'c1',
      azp: 'c2',
      scope: 'a b',
      scp: ['c'],
      roles: ['admin'],
      exp: now + 60,
    })
    expect(principal).toMatchObject({
      issuer: issuer.issuer,
      subject: 'alice',
      clientId: 'c1',
      groups: [],
      assurance: 'audience',
      expiresAt: now + 60,
    })
    expect([...principal.scopes]).toEqual(['a', 'b', 'c'])
  })

  it('has the scopes of the claims that are configured', async () => {
    const claims = { scope: 'a', realm_access: { roles: ['admin'] }, 'https://example.com/roles': 'x,y' }
    const plan = { scopeClaims: ['realm_access.roles', 'https://example.com/roles'] }
    expect([...(await verifyWith(claims, plan)).scopes]).toEqual(['admin', 'x', 'y'])
  })

  it('needs no subject, and takes the client from azp where there is no client_id', async () => {
    const principal = await verifyWith({ sub: undefined, client_id: undefined, azp: 'c2' })
    expect(principal).toMatchObject({ subject: undefined, clientId: 'c2' })
  })

  it('has claims whose numbers are those of the token, however many digits they have', async () => {
    await withVerifier(async (verifier) => {
      const times = `"iat":${now},"exp":${now + 60}`
      const read = async (id: string) => {
        const payload = `{"iss":"${issuer.issuer}","aud":"${audience}","client_id":"c",${times},"tenant":${id}}`
        return (await verifyToken(verifier, signText(payload))).claims.tenant
      }
      expect(await read('9007199254740993')).toBe('9007199254740993')
      expect(await read('9007199254740992')).toBe('9007199254740992')
      expect(await read('7')).toBe(7)
    })
  })

  it('cannot be changed', async () => {
    const principal = await verifyWith({ a: { b: [{ c: 1 }] } })
    expect(Object.isFrozen(principal)).toBe(true)
    const claims = principal.claims as { a: { b: [{ c: number }] } }
    for (const part of [claims, claims.a, claims.a.b, claims.a.b[0]]) expect(Object.isFrozen(part)).toBe(true)
  })

  it.each<[string, unknown]>([
    ['sub', ''],
    ['sub', 'a\r\nX-User: admin'],
    ['sub', 'a\u0000'],
    ['sub', '\u007f'],
    ['sub', 7],
    ['sub', null],
    ['sub', ['alice']],
    ['client_id', 'a\nb'],
    ['client_id', 7],
    ['client_id', ''],
    ['azp', {}],
  ])('names no caller: %s %j', async (name, value) => {
    await refuse('token_invalid', { client_id: undefined, [name]: value })
  })

  const vectors = findVectors('blns.json')
  it.skipIf(vectors === undefined)('has any name that is one, byte for byte, and no other', async () => {
    const names = JSON.parse(readFileSync(vectors ?? '', 'utf8')) as string[]
    await withVerifier(async (verifier) => {
      for (const name of names) {
        const token = await issuer.mint({ claims: { sub: name, scope: name } })
        const isName = name !== '' && !/[\x00-\x1f\x7f]/.test(name)
        if (!isName) await expectRefused(verifier, token, 'token_invalid')
        else {
          const { subject, scopes } = await verifyToken(verifier, token)
          expect(subject).toBe(name)
          for (const scope of scopes) expect(scope).toMatch(/^[\x21\x23-\x5b\x5d-\x7e]+$/)
        }
      }
    })
  })
})

describe('the memory of verified tokens', () => {
  it('answers at once, with the same principal', async () => {
    await withVerifier(async (verifier) => {
      const token = await issuer.mint()
      const principal = await verifyToken(verifier, token)
      expect(verifier.verify(token)).toBe(principal)
    })
  })

  it('goes by the exact characters: another signature or spelling is another token', async () => {
    await withVerifier(async (verifier) => {
      const token = await issuer.mint()
      await verifyToken(verifier, token)
      const [head, body, signature = ''] = token.split('.')
      const other = (await issuer.mint({ claims: { sub: 'bob' } })).split('.')[2]
      for (const forged of [
        `${head}.${body}.${other}`,
        `${token}=`,
        `${token} `,
        ` ${token}`,
        `${head}.${body}.`,
        `${head}.${body}.${signature.startsWith('A') ? 'B' : 'A'}${signature.slice(1)}`,
      ]) {
        await expectRefused(verifier, forged, 'token_invalid')
      }
    })
  })

  it('holds so many tokens and no more, and none that was refused', async () => {
    await withVerifier(
      async (verifier) => {
        const tokens = await Promise.all(Array.from({ length: 4 }, () => issuer.mint()))
        for (const token of tokens) await verifyToken(verifier, token)
        expect(verifier.verify(tokens[0] ?? '')).toBeInstanceOf(Promise)
        expect(verifier.verify(tokens[3] ?? '')).not.toBeInstanceOf(Promise)
        const good = tokens[3] ?? ''
        for (let count = 0; count < 1000; count++) {
          const forged = `${good.slice(0, -8)}${createHash('md5').update(String(count)).digest('hex').slice(0, 7)}A`
          await expectRefused(verifier, forged, 'token_invalid')
        }
        expect(verifier.verify(good)).not.toBeInstanceOf(Promise)
      },
      {},
      { cacheEntries: 3 },
    )
  })
})

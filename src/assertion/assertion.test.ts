import { generateKeyPairSync } from 'node:crypto'
import { createLocalJWKSet, decodeJwt, jwtVerify } from 'jose'
import { describe, expect, it } from 'vitest'
import { createFakeClock } from '../../test/support/fake-clock.ts'
import { ACCESS_KEY_ISSUER } from '../core/access-key.ts'
import type { Operation } from '../core/operation.ts'
import type { AssertionPlan } from '../core/plan/identity-plan.ts'
import type { Principal } from '../core/principal.ts'
import { ASSERTION_TYPE, createAsserter } from './assertion.ts'
import { createConfiguredKeys } from './assertion-keys.ts'

const ISSUER = 'https://mcp.example.com'
const UPSTREAM = 'http://files.internal:3000/mcp'

function createPem(): string {
  return generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'pem', type: 'pkcs8' }).toString()
}

const keys = createConfiguredKeys([{ privateKey: createPem() }])

function open(changes: Partial<AssertionPlan> = {}) {
  const clock = createFakeClock(1_800_000_000_000)
  const plan: AssertionPlan = {
    issuer: ISSUER,
    audience: undefined,
    header: 'authorization',
    seconds: 300,
    claims: [],
    operation: false,
    keys: undefined,
    ...changes,
  }
  const assertCaller = createAsserter({ plan, audience: UPSTREAM, keys, clock })
  const make = (principal: Principal, operations: readonly Operation[] = []) => assertCaller({ principal, operations })
  return { clock, make, now: () => Math.floor(clock.wall() / 1000) }
}

function createPrincipal(changes: Partial<Principal> = {}): Principal {
  return Object.freeze({
    issuer: 'https://idp.example.com',
    subject: 'alice',
    clientId: 'editor',
    scopes: new Set(['b', 'a']),
    groups: [],
    assurance: 'audience',
    expiresAt: Number.MAX_SAFE_INTEGER,
    acceptedUntil: Number.MAX_SAFE_INTEGER,
    claims: {},
    ...changes,
  })
}

const callTool = (target: string): Operation => ({ kind: 'request', method: 'tools/call', targetKind: 'tool', target, id: '1' })

describe('an assertion', () => {
  it('is a JWT of its own type that says who calls, for how long, and for whom it is', async () => {
    const { make, clock, now } = open()
    const jwks = createLocalJWKSet({ keys: keys.published.map(({ publicJwk }) => publicJwk as { kty: string }) })
    const { payload, protectedHeader } = await jwtVerify(make(createPrincipal()), jwks, {
      issuer: ISSUER,
      audience: UPSTREAM,
      typ: ASSERTION_TYPE,
      currentDate: new Date(clock.wall()),
    })
    expect(protectedHeader.alg).toBe('ES256')
    expect(payload).toEqual({
      iss: ISSUER,
      aud: UPSTREAM,
      sub: 'https://idp.example.com|alice',
      client_id: 'editor',
      scope: 'a b',
      token_iss: 'https://idp.example.com',
      token_sub: 'alice',
      iat: now(),
      exp: now() + 300,
    })
  })

  it('ends with the token of the caller', () => {
    const { make, now } = open()
    expect(decodeJwt(make(createPrincipal({ acceptedUntil: now() + 20 }))).exp).toBe(now() + 20)
  })

  it('says no subject and no scope where the token has none', () => {
    const said = decodeJwt(open().make(createPrincipal({ subject: undefined, scopes: new Set() })))
    expect(Object.keys(said).sort()).toEqual(['aud', 'client_id', 'exp', 'iat', 'iss', 'token_iss'])
  })

  it('has the chosen claims, of those that are there, and who acts for the caller', () => {
    const claims = { name: 'Alice', act: { sub: 'agent' }, realm: { level: 3 }, department: 'x' }
    const { make } = open({ claims: ['name', 'realm.level', 'missing', 'groups'] })
    const said = decodeJwt(make(createPrincipal({ claims, groups: ['staff'] })))
    expect(said).toMatchObject({ name: 'Alice', 'realm.level': 3, groups: ['staff'], act: { sub: 'agent' } })
    expect(Object.keys(said)).not.toContain('missing')
    expect(Object.keys(said)).not.toContain('department')
  })

  it('leaves out groups that are not known, and an email address that is not verified', () => {
    const { make } = open({ claims: ['groups', 'email'] })
    const email = 'alice@example.com'
    const unverified = [{ email }, { email, email_verified: false }, { email, email_verified: 'yes' }]
    for (const claims of unverified) {
      const said = decodeJwt(make(createPrincipal({ claims, groups: [], groupsUnknown: 'too many' })))
      expect([said.groups, said.email]).toEqual([undefined, undefined])
    }
    expect(decodeJwt(make(createPrincipal({ claims: { email, email_verified: true } }))).email).toBe(email)
  })

  it('never lets a claim of the caller take the place of one of ours', () => {
    const claims = { iss: 'x', aud: 'x', exp: 1, iat: 1, sub: 'x', client_id: 'x', scope: 'x', token_iss: 'x', token_sub: 'x' }
    const { make } = open({ claims: Object.keys(claims) })
    expect(Object.values(decodeJwt(make(createPrincipal({ claims }))))).not.toContain('x')
  })

  it('says what is called only where that is wanted', () => {
    const [tool] = [callTool('drop_db')]
    expect(decodeJwt(open().make(createPrincipal(), [tool])).operations).toBeUndefined()
    const { make } = open({ operation: true })
    const listed: Operation = { kind: 'request', method: 'tools/list', targetKind: undefined, target: undefined, id: '2' }
    const answer: Operation = { ...listed, kind: 'response', method: '' }
    expect(decodeJwt(make(createPrincipal(), [tool, listed, answer])).operations).toEqual([
      { method: 'tools/call', tool: 'drop_db' },
      { method: 'tools/list' },
    ])
    expect(decodeJwt(make(createPrincipal(), [callTool('x'.repeat(3000))])).operations).toBeUndefined()
  })
})

describe('subjects', () => {
  const name = (issuer: string, subject: string) => decodeJwt(open().make(createPrincipal({ issuer, subject }))).sub

  it('of our own authorization server keep their names, those of others carry their issuer', () => {
    expect(name(ISSUER, 'alice')).toBe('alice')
    expect(name('https://one.example', 'alice')).toBe('https://one.example|alice')
    expect(name('https://two.example', 'alice')).toBe('https://two.example|alice')
  })

  it('of our own that look like those of another issuer cannot be taken for them', () => {
    for (const subject of ['https://one.example|alice', `${ACCESS_KEY_ISSUER}|alice`, 'spiffe://one.example|alice'])
      expect(name(ISSUER, subject)).toBe(`${ISSUER}|${subject}`)
    expect(name(ISSUER, 'auth0|5f7c:8|x')).toBe('auth0|5f7c:8|x')
  })
})

describe('assertions that are kept', () => {
  it('are used until a tenth of their life is left', () => {
    const { make, clock } = open()
    const principal = createPrincipal()
    const first = make(principal)
    clock.advance(269_999)
    expect(make(principal)).toBe(first)
    clock.advance(1)
    expect(make(principal)).not.toBe(first)
  })

  it('are not used by a clock that was put back behind their beginning', () => {
    const { make, clock } = open()
    const principal = createPrincipal()
    clock.advance(60_000)
    const first = make(principal)
    clock.advance(-30_000)
    expect(make(principal)).not.toBe(first)
  })

  it('are of one token alone: neither of another one with other scopes, nor of other claims of the same user', () => {
    const { make } = open({ claims: ['name'] })
    const wide = make(createPrincipal({ scopes: new Set(['a', 'b']) }))
    const narrow = make(createPrincipal({ scopes: new Set(['a']) }))
    expect([decodeJwt(wide).scope, decodeJwt(narrow).scope]).toEqual(['a b', 'a'])
    expect(decodeJwt(make(createPrincipal({ claims: { name: 'Old' } }))).name).toBe('Old')
    expect(decodeJwt(make(createPrincipal({ claims: { name: 'New' } }))).name).toBe('New')
  })

  it('are of one operation alone where they say it', () => {
    const { make } = open({ operation: true })
    const principal = createPrincipal()
    const first = make(principal, [callTool('read')])
    expect(decodeJwt(make(principal, [callTool('write')])).operations).toEqual([{ method: 'tools/call', tool: 'write' }])
    expect(make(principal, [callTool('read')])).toBe(first)
  })
})

describe('keys of the configuration', () => {
  it('publish their public part alone, each under its thumbprint, the one that signs first', () => {
    const [now, before] = [createPem(), createPem()]
    const { signing, published } = createConfiguredKeys([{ privateKey: now }, { privateKey: before }])
    expect(published[0]).toBe(signing)
    for (const { publicJwk, keyId } of published) {
      expect(Object.keys(publicJwk).sort()).toEqual(['alg', 'crv', 'kid', 'kty', 'use', 'x', 'y'])
      expect(publicJwk.kid).toBe(keyId)
    }
    expect(createConfiguredKeys([{ privateKey: before }]).signing.keyId).toBe(published[1]?.keyId)
  })
})

import { describe, expect, it } from 'vitest'
import { type Claims, readClaim } from '../../core/claim-condition.ts'
import { explainDenial, listUserScopes, mayUserSignIn } from './access-rules.ts'

const domain = { allow: [{ claim: 'email_domain', values: ['Corp.example'] }] }
const withAddress = (email: unknown, verified: unknown = true): Claims => ({ email, email_verified: verified })

describe('who may sign in by the domain of their address', () => {
  it.each([
    'ann@corp.example',
    'ANN@CORP.EXAMPLE',
    // The domain stands behind the last @; a local part may have others in quotes (RFC 5321 §4.1.2).
    '"ann@evil.example"@corp.example',
  ])('%s', (email) => {
    expect(mayUserSignIn(withAddress(email), domain)).toBe(true)
    expect(mayUserSignIn(withAddress(email, 'true'), domain)).toBe(true)
  })

  it.each<[string, Claims]>([
    ['another domain', withAddress('ann@evil.example')],
    ['a domain below', withAddress('ann@sub.corp.example')],
    ['a domain that ends alike', withAddress('ann@evilcorp.example')],
    ['the domain in the local part', withAddress('"ann@corp.example"@evil.example')],
    ['no local part', withAddress('@corp.example')],
    ['the domain alone', withAddress('corp.example')],
    ['an address that nobody verified', withAddress('ann@corp.example', false)],
    ['an address of which nothing is said', { email: 'ann@corp.example' }],
    ['a word that is no yes', withAddress('ann@corp.example', 'yes')],
    ['a list', withAddress(['ann@corp.example'])],
    ['a claim by the name of the condition', { email_domain: 'corp.example' }],
  ])('not with %s', (_what, claims) => {
    expect(mayUserSignIn(claims, domain)).toBe(false)
  })
})

describe('who may sign in by their address', () => {
  const address = { allow: [{ claim: 'email', values: ['Bob@corp.example'] }] }

  it.each(['bob@corp.example', 'BOB@CORP.EXAMPLE'])('%s', (email) => {
    expect(mayUserSignIn(withAddress(email), address)).toBe(true)
    expect(mayUserSignIn(withAddress(email, 'true'), address)).toBe(true)
  })

  it.each<[string, Claims]>([
    ['another address', withAddress('rob@corp.example')],
    ['an address that nobody verified', withAddress('bob@corp.example', false)],
    ['an address of which nothing is said', { email: 'bob@corp.example' }],
    ['a list', withAddress(['bob@corp.example'])],
    ['an address that holds it', withAddress('"bob@corp.example"@evil.example')],
  ])('not with %s', (_what, claims) => {
    expect(mayUserSignIn(claims, address)).toBe(false)
  })

  it('not with a letter that only becomes the same in lower case', () => {
    const kim = { allow: [{ claim: 'email', values: ['kim@corp.example'] }] }
    expect(mayUserSignIn(withAddress('\u212aim@corp.example'), kim)).toBe(false)
  })

  it('has scopes by a verified address alone', () => {
    const plan = { grant: [{ when: address.allow[0], scopes: ['a'] }], asgardeo: undefined }
    expect([...listUserScopes(withAddress('bob@corp.example'), plan, new Set(['a']))]).toEqual(['a'])
    expect([...listUserScopes(withAddress('bob@corp.example', false), plan, new Set(['a']))]).toEqual([])
  })

  it('is explained for the log', () => {
    expect(explainDenial(withAddress('bob@corp.example', false), address)).toMatch(/not verified/)
    expect(explainDenial(withAddress('rob@corp.example'), address)).toBe('email: another address')
  })
})

describe('who may sign in by a claim', () => {
  const allow = (claim: string, ...values: string[]) => ({ allow: [{ claim, values }] })

  it('is refused when its number was rounded on its way: it could be that of another user', () => {
    const rounded = Number('9007199254740993')
    expect(mayUserSignIn({ id: rounded }, allow('id', '9007199254740992'))).toBe(false)
    expect(mayUserSignIn({ id: ['x', rounded] }, allow('id', String(rounded)))).toBe(false)
    expect(mayUserSignIn({ id: '9007199254740993' }, allow('id', '9007199254740993'))).toBe(true)
    expect(mayUserSignIn({ id: 9_007_199_254_740_991 }, allow('id', '9007199254740991'))).toBe(true)
  })

  it.each<[Claims, ReturnType<typeof allow>]>([
    [{ groups: ['staff', 'admins'] }, allow('groups', 'admins')],
    [{ groups: 'admins' }, allow('groups', 'admins')],
    [{ level: 3 }, allow('level', '3')],
    [{ member: true }, allow('member', 'true')],
    [{ realm: { roles: ['admins'] } }, allow('realm.roles', 'admins')],
    [{ 'realm.roles': ['admins'] }, allow('realm.roles', 'admins')],
    [{}, { allow: [] }],
    [{ b: '2' }, { allow: [...allow('a', '1').allow, ...allow('b', '1', '2').allow] }],
  ])('%j', (claims, plan) => {
    expect(mayUserSignIn(claims, plan)).toBe(true)
  })

  it.each<[Claims, ReturnType<typeof allow>]>([
    [{}, allow('groups', 'admins')],
    [{ groups: ['Admins'] }, allow('groups', 'admins')],
    [{ groups: [['admins']] }, allow('groups', 'admins')],
    [{ groups: 'staff admins' }, allow('groups', 'admins')],
    [{ groups: null }, allow('groups', 'null', 'undefined')],
    [{}, allow('toString.name', 'toString')],
    [{ realm: null }, allow('realm.roles', 'admins')],
  ])('not %j', (claims, plan) => {
    expect(mayUserSignIn(claims, plan)).toBe(false)
  })

  it('a claim is never one that every object has', () => {
    expect(readClaim({}, 'constructor')).toBeUndefined()
    expect(readClaim({ a: {} }, 'a.constructor')).toBeUndefined()
  })

  it('the log is told what is missing, and nothing of what is there', () => {
    const plan = { allow: [...allow('groups', 'admins').allow, ...domain.allow] }
    expect(explainDenial({ groups: 'secret' }, plan)).toBe('groups: another value; email_domain: there is no email')
    expect(explainDenial(withAddress('a@corp.example', false), plan)).toBe(
      'groups: there is no such claim; email_domain: the email is not verified (email_verified)',
    )
    expect(explainDenial(withAddress('a@b.example'), domain)).toBe('email_domain: another domain')
    const leftOut = { _claim_names: { groups: 'src1' } }
    expect(mayUserSignIn(leftOut, plan)).toBe(false)
    expect(explainDenial(leftOut, plan)).toMatch(/^groups: left out by Microsoft Entra ID, since the user is in too many groups/)
  })
})

describe('which scopes a user may have', () => {
  const known = new Set(['read', 'write', 'admin'])
  const rules = {
    asgardeo: undefined,
    grant: [
      { when: undefined, scopes: ['read'] },
      { when: { claim: 'groups', values: ['admins'] }, scopes: ['admin', 'unknown'] },
    ],
  }

  it('all of them where there are no rules, and none where there are none for the user', () => {
    expect([...listUserScopes({}, { grant: undefined, asgardeo: undefined }, known)]).toEqual(['read', 'write', 'admin'])
    expect([...listUserScopes({}, { grant: [], asgardeo: undefined }, known)]).toEqual([])
  })

  it('those of the rules that the user meets, out of those that there are', () => {
    expect([...listUserScopes({}, rules, known)]).toEqual(['read'])
    expect([...listUserScopes({ groups: ['admins'] }, rules, known)]).toEqual(['read', 'admin'])
  })
})

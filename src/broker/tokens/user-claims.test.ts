import { describe, expect, it } from 'vitest'
import { createPrincipal } from '../../../test/support/policies.ts'
import { createClaimsOfUsers } from './user-claims.ts'

const groups = { claim: 'groups', separator: undefined }
const addClaims = createClaimsOfUsers({ groups, tokenClaims: ['department', 'groups', 'jti'] })

const token = createPrincipal({ claims: { sub: 'alice', jti: 't1', scope: 'read', grant_id: 'g1', own: 1 }, scope: 'read' })

describe('the principal of a token', () => {
  it('holds what the identity provider says of its user now', () => {
    const claims = { sub: 'alice', email: 'alice@example.com', groups: ['/support'], 'https://example.com/tier': 2 }
    expect(addClaims(token, claims)).toEqual({
      ...token,
      groups: ['support'],
      claims: { ...token.claims, email: 'alice@example.com', groups: ['/support'], 'https://example.com/tier': 2 },
    })
  })

  it.each([
    'iss',
    'sub',
    'aud',
    'exp',
    'nbf',
    'iat',
    'jti',
    'client_id',
    'azp',
    'scope',
    'scp',
    'cnf',
    'act',
    'may_act',
    'grant_id',
    'subject_grant_id',
  ])('never gets %s of the identity provider, whether or not the token has it', (name) => {
    const forged = { [name]: 'forged' }
    expect(addClaims(token, forged).claims).toEqual(token.claims)
    const bare = { ...token, claims: {} }
    expect(addClaims(bare, { ...forged }).claims).toEqual({})
    const given = { ...token, claims: { [name]: 'given' } }
    expect(addClaims(given, { ...forged }).claims).toEqual({ [name]: 'given' })
  })

  it('keeps what the token alone says, and nothing that it carried of its user before', () => {
    const older = { ...token, claims: { ...token.claims, department: 'sales', groups: ['admins'] }, groups: ['admins'] }
    const { claims, groups: now } = addClaims(older, { own: 2, groups: ['visitors'] })
    expect([claims, now]).toEqual([{ ...token.claims, groups: ['visitors'] }, ['visitors']])
    expect(addClaims(older, {}).groups).toEqual([])
  })

  it('has groups that are not known only as long as the identity provider does not say them', () => {
    const unknown = addClaims(token, { _claim_names: { groups: 'src1' } })
    expect(unknown).toMatchObject({ groups: [], groupsUnknown: expect.stringContaining('too many groups') })
    expect(addClaims({ ...token, groupsUnknown: 'before' }, { groups: ['a'] })).not.toHaveProperty('groupsUnknown')
  })

  it('is made once for as long as the claims are the same, and cannot be changed', () => {
    const claims = { groups: ['a'], address: { country: 'DE' } }
    const first = addClaims(token, claims)
    expect(addClaims(token, claims)).toBe(first)
    expect(addClaims(token, { ...claims })).not.toBe(first)
    for (const value of [first, first.groups, first.claims, first.claims.address]) expect(Object.isFrozen(value)).toBe(true)
  })
})

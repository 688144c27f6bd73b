// The shapes in which issuers name groups.
import { describe, expect, it } from 'vitest'
import { readGroups } from './groups.ts'

const read = (claims: Record<string, unknown>, claim: string | undefined = 'groups', separator?: string) =>
  readGroups(claims, { claim, separator })

describe('groups are read', () => {
  it.each<[string, Record<string, unknown>, string | undefined, string | undefined, readonly string[]]>([
    ['of a list', { groups: ['support', 'admins'] }, undefined, undefined, ['support', 'admins']],
    ['of a list with one name twice', { groups: ['a', 'a'] }, undefined, undefined, ['a']],
    ['of an empty list', { groups: [] }, undefined, undefined, []],
    ['of one text, which is one group', { groups: 'Finance Admins' }, undefined, undefined, ['Finance Admins']],
    ['of one text with commas, which is one group', { groups: 'a,b' }, undefined, undefined, ['a,b']],
    [
      'of one text with the configured separator',
      { groups: 'Finance Admins, Support,' },
      'groups',
      ',',
      ['Finance Admins', 'Support'],
    ],
    ['of one text with blanks as the configured separator', { groups: ' a  b ' }, 'groups', ' ', ['a', 'b']],
    ['of a list, whose texts no separator splits', { groups: ['a,b'] }, 'groups', ',', ['a,b']],
    ['of an empty text', { groups: '' }, undefined, undefined, []],
    [
      'of paths (Keycloak), without their first slash',
      { groups: ['/finance', '/finance/admins'] },
      undefined,
      undefined,
      ['finance', 'finance/admins'],
    ],
    ['of paths, without no more than their first slash', { groups: ['//a', '/b/'] }, undefined, undefined, ['/a', 'b/']],
    ['of object ids (Entra ID)', { groups: ['6f1c-1', '6f1c-2'] }, undefined, undefined, ['6f1c-1', '6f1c-2']],
    ['of cognito:groups', { 'cognito:groups': ['a'], groups: ['b'] }, 'cognito:groups', undefined, ['a']],
    [
      'of a namespaced claim (Auth0), dots and all',
      { 'https://example.com/groups': ['a'], groups: ['b'] },
      'https://example.com/groups',
      undefined,
      ['a'],
    ],
    [
      'of roles where the configuration names them',
      { realm_access: { roles: ['a'] }, groups: ['b'] },
      'realm_access.roles',
      undefined,
      ['a'],
    ],
    ['never of roles besides', { groups: ['a'], roles: ['b'], realm_access: { roles: ['c'] } }, undefined, undefined, ['a']],
    ['of nothing where the claim is absent', { roles: ['a'] }, undefined, undefined, []],
    ['of nothing where the claim is null', { groups: null }, undefined, undefined, []],
  ])('%s', (_name, claims, claim, separator, groups) => {
    expect(read(claims, claim ?? 'groups', separator)).toEqual({ groups })
  })
})

describe('groups are not known, so that no condition on them holds, with the reason,', () => {
  it.each<[string, Record<string, unknown>, RegExp]>([
    ['where the claim is an object', { groups: { admins: true } }, /the claim groups is neither a list of texts nor a text/],
    ['where the claim is a number', { groups: 7 }, /neither a list of texts nor a text/],
    ['where the claim is a boolean', { groups: true }, /neither a list of texts nor a text/],
    ['where the list holds something else than texts', { groups: ['a', 7] }, /neither a list of texts nor a text/],
    [
      'where Entra ID left them out of the token since there are too many',
      { _claim_names: { groups: 'src1' }, _claim_sources: { src1: { endpoint: 'https://graph.example/' } } },
      /too many groups .*only those assigned to the application/,
    ],
    ['where Entra ID says so by hasgroups', { hasgroups: true }, /too many groups/],
    ['where Entra ID says so by hasgroups as a text', { hasgroups: 'true' }, /too many groups/],
  ])('%s', (_name, claims, reason) => {
    expect(read(claims)).toEqual({ groups: [], groupsUnknown: expect.stringMatching(reason) })
  })

  it('where the issuer sends none unless a claim is configured', () => {
    const { groups, groupsUnknown } = readGroups({ groups: ['a'] }, { claim: undefined, separator: undefined })
    expect([groups, groupsUnknown]).toEqual([[], expect.stringContaining('groups_claim')])
  })
})

it('what Entra ID left out is not missed where another claim is read', () => {
  expect(read({ _claim_names: { groups: 'src1' }, hasgroups: true, roles: ['a'] }, 'roles')).toEqual({ groups: ['a'] })
  expect(read({ hasgroups: false })).toEqual({ groups: [] })
})

it('no claim of an object’s prototype is one', () => {
  expect(read({}, 'constructor')).toEqual({ groups: [] })
  expect(read({ realm_access: {} }, 'realm_access.__proto__')).toEqual({ groups: [] })
})

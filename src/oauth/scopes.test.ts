import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { collectScopes } from './scopes.ts'

const collect = (claims: Record<string, unknown>, ...names: string[]) => [
  ...collectScopes(claims, names.length > 0 ? names : ['scope']),
]

describe('scopes', () => {
  it.each<[unknown, string[]]>([
    ['read', ['read']],
    ['read write', ['read', 'write']],
    ['  read   write  ', ['read', 'write']],
    ['read,write', ['read', 'write']],
    ['read, write', ['read', 'write']],
    ['read read', ['read']],
    ['read Read', ['read', 'Read']],
    ['https://api.example/files.read', ['https://api.example/files.read']],
    [
      ['read', 'write'],
      ['read', 'write'],
    ],
    [['read write'], []],
    [['read', 7, null, ['admin'], { a: 'admin' }], ['read']],
    ['', []],
    [undefined, []],
    [null, []],
    [7, []],
    [{ admin: true }, []],
    ['read\tadmin', []],
    ['read\u00a0admin', []],
    ['read\nadmin', []],
    ['read\u2028admin x', ['x']],
    ['"admin"', []],
    ['a\\b', []],
  ])('of %j are %j', (value, scopes) => {
    expect(collect({ scope: value })).toEqual(scopes)
  })

  it.each<[string, Record<string, unknown>, string[]]>([
    ['scope', { scope: 'read', roles: ['admin'], permissions: ['all'] }, ['read']],
    ['scp', { scp: ['read'], roles: ['admin'] }, ['read']],
    ['both', { scope: 'read', scp: 'write', permissions: ['all'] }, ['read', 'write']],
    ['an empty scope', { scope: '', roles: ['admin'] }, []],
    ['an empty scp', { scp: [], permissions: ['all'] }, []],
    ['a scope that is null', { scope: null, roles: ['admin'] }, []],
    ['a scope that cannot be read', { scope: { a: 1 }, roles: ['admin'] }, []],
  ])('are not widened by permissions and roles beside %s', (_, claims, scopes) => {
    expect([...collectScopes(claims, undefined)]).toEqual(scopes)
  })

  it('are permissions and roles where a token has neither scope nor scp', () => {
    expect([...collectScopes({ roles: ['admin'], permissions: ['all'] }, undefined)]).toEqual(['all', 'admin'])
  })

  it('count all of the claims that are configured by name', () => {
    expect(collect({ scope: 'read', roles: ['admin'] }, 'scope', 'roles')).toEqual(['read', 'admin'])
  })

  it('come from every claim that is configured, and from no other', () => {
    const claims = { scope: 'a', scp: ['b'], permissions: ['c'], roles: ['admin'] }
    expect(collect(claims, 'scope', 'scp', 'permissions')).toEqual(['a', 'b', 'c'])
  })

  it('may lie inside objects', () => {
    const claims = { resource_access: { account: { roles: ['view'] } } }
    expect(collect(claims, 'resource_access.account.roles')).toEqual(['view'])
    expect(collect(claims, 'resource_access.account.roles.0')).toEqual([])
    expect(collect(claims, 'resource_access.other.roles')).toEqual([])
    expect(collect({ a: 'x' }, 'a.b')).toEqual([])
  })

  it('come from a claim with dots in its name before dots reach into anything', () => {
    expect(collect({ 'https://example.com/roles': ['admin'] }, 'https://example.com/roles')).toEqual(['admin'])
  })

  it('are never inherited', () => {
    expect(collect({}, 'constructor.name', '__proto__', 'toString.name')).toEqual([])
    expect(collect(JSON.parse('{"__proto__":{"scope":"admin"}}'), 'scope')).toEqual([])
  })

  it('are just what a standard-conforming issuer meant', () => {
    const characters = Array.from({ length: 94 }, (_, index) => String.fromCharCode(index + 0x21)).filter(
      (c) => !'"\\,'.includes(c),
    )
    const scope = fc.string({ unit: fc.constantFrom(...characters), minLength: 1, maxLength: 8 })
    fc.assert(
      fc.property(fc.uniqueArray(scope), (scopes) => {
        expect(collect({ scope: scopes.join(' ') })).toEqual(scopes)
        expect(collect({ scope: scopes })).toEqual(scopes)
      }),
    )
  })
})

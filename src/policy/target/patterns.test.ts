import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { compileNamePattern } from '../../core/name-pattern.ts'
import { createWork } from '../work.ts'
import { compileUriPattern } from './uri-pattern.ts'

const escapeText = (text: string) => text.replaceAll(/[.*+?^${}()|[\]\\/-]/g, '\\$&')
const few = (...characters: string[]) => fc.string({ unit: fc.constantFrom(...characters), maxLength: 12 })

describe('the pattern of a name', () => {
  it.each([
    ['echo', 'echo'],
    ['*', ''],
    ['*', 'anything/at all'],
    ['delete_*', 'delete_'],
    ['delete_*', 'delete_user'],
    ['*_admin', 'x_admin'],
    ['a*c', 'ac'],
    ['a*b*c', 'axbyc'],
    ['a**c', 'abc'],
    ['a.c', 'a.c'],
  ])('%s fits %j', (pattern, name) => {
    expect(compileNamePattern(pattern)(name)).toBe(true)
  })

  it.each([
    ['echo', 'echo2'],
    ['echo', 'Echo'],
    ['echo', 'echo '],
    ['echo', ''],
    ['', 'x'],
    ['delete_*', 'xdelete_'],
    ['ab*ba', 'aba'],
    ['a*b*c', 'acb'],
    ['a.c', 'abc'],
    ['a|b', 'a'],
    ['^a', 'a'],
    ['[ab]', 'a'],
    ['a?', 'ab'],
  ])('%s does not fit %j', (pattern, name) => {
    expect(compileNamePattern(pattern)(name)).toBe(false)
  })

  it('fits what the expression that it stands for fits', () => {
    fc.assert(
      fc.property(few('a', 'b', '*'), few('a', 'b', '/'), (pattern, name) => {
        const expression = new RegExp(`^${pattern.split('*').map(escapeText).join('.*')}$`, 's')
        expect(compileNamePattern(pattern)(name)).toBe(expression.test(name))
      }),
      { numRuns: 3000 },
    )
  })

  it('is done with a name that would keep an expression busy for ever', () => {
    const matches = compileNamePattern('*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b')
    expect(matches('a'.repeat(50_000))).toBe(false)
  })
})

describe('the pattern of a URI', () => {
  it.each([
    ['file:///a', 'file:///a'],
    ['file:///a/*', 'file:///a/b'],
    ['file:///a/*', 'file:///a/'],
    ['file:///a/**', 'file:///a/b/c'],
    ['file:///a/**', 'file:///a/'],
    ['file:///**/c', 'file:///a/b/c'],
    ['file:///a/*/c', 'file:///a/b/c'],
    ['file:///a/*.md', 'file:///a/b.md'],
    ['**', 'anything'],
    ['***', 'a/b'],
    ['note:*', 'note:1'],
    ['x*a/*b', 'xa/ca/b'.slice(0, 4).concat('b')],
  ])('%s fits %j', (pattern, uri) => {
    expect(compileUriPattern(pattern)(uri, createWork())).toBe(true)
  })

  it.each([
    ['file:///a', 'file:///a/'],
    ['file:///a/*', 'file:///a/b/c'],
    ['file:///a/*', 'file:///ab'],
    ['file:///a/**', 'file:///a'],
    ['file:///a/*.md', 'file:///a/b.mdx'],
    ['file:///a/*.md', 'file:///a/b/c.md'],
    ['*', 'a/b'],
    ['note:*', 'Note:1'],
  ])('%s does not fit %j', (pattern, uri) => {
    expect(compileUriPattern(pattern)(uri, createWork())).toBe(false)
  })

  it('fits what the expression that it stands for fits', () => {
    fc.assert(
      fc.property(few('a', 'b', '/', '*'), few('a', 'b', '/'), (pattern, uri) => {
        const parts = pattern.match(/\*+|[^*]+/g) ?? []
        const source = parts.map((part) => (part === '*' ? '[^/]*' : part.startsWith('*') ? '.*' : escapeText(part))).join('')
        expect(compileUriPattern(pattern)(uri, createWork())).toBe(new RegExp(`^${source}$`, 's').test(uri))
      }),
      { numRuns: 3000 },
    )
  })

  it('is done with a URI that would keep an expression busy for ever', () => {
    const matches = compileUriPattern('**a**a**a**a**a**a**a**a**a**a**a**a**b')
    expect(matches('a'.repeat(8_000), createWork())).toBe(false)
  })
})

import fc from 'fast-check'
import { expect, it } from 'vitest'
import { createWork, MAX_WORK } from '../work.ts'
import { compareText, containsText, countCharacters, lowerAscii } from './text.ts'

const few = (maxLength: number) => fc.string({ unit: fc.constantFrom('a', 'b', 'ab'), maxLength })

it('a text contains what String.includes finds', () => {
  fc.assert(
    fc.property(few(200), few(40), fc.nat(), (text, other, at) => {
      for (const needle of [other, text.slice(at % (text.length + 1)), other + text.slice(0, 30)]) {
        expect(containsText(text, needle, createWork())).toBe(text.includes(needle))
      }
    }),
    { numRuns: 3000 },
  )
})

it.each([
  ['ends with a difference', `${'a'.repeat(200_000)}`, `${'a'.repeat(50_000)}b`],
  ['begins with a difference', `${'a'.repeat(200_000)}`, `b${'a'.repeat(50_000)}`],
  ['repeats itself', 'ab'.repeat(100_000), `${'ab'.repeat(25_000)}b`],
])('looks at each character a few times where the needle %s', (_, text, needle) => {
  const work = createWork()
  expect(containsText(text, needle, work)).toBe(false)
  expect(MAX_WORK - work.left).toBeLessThan(3 * (text.length + needle.length))
})

it('texts are ordered by code points, not by UTF-16', () => {
  expect(compareText('\uff01', '😀')).toBeLessThan(0)
  expect('\uff01' < '😀').toBe(false)
  const byCodePoint = (left: string, right: string) => Buffer.compare(Buffer.from(left), Buffer.from(right))
  const characters = fc.string({
    unit: fc.constantFrom('a', 'b', 'ß', '\ud7ff', '\ue000', '\uff01', '😀', '\u{10ffff}'),
    maxLength: 4,
  })
  fc.assert(
    fc.property(characters, characters, (left, right) => Math.sign(compareText(left, right)) === byCodePoint(left, right)),
  )
})

it('counts code points', () => {
  fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => countCharacters(text) === [...text].length))
})

it('lowers A to Z and nothing that becomes one of them', () => {
  expect(lowerAscii('AbZ-İK\u212aẞ')).toBe('abz-İk\u212aẞ')
})

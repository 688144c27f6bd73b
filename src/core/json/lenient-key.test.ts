import fc from 'fast-check'
import { expect, it } from 'vitest'
import { foldKey, looksLike } from './lenient-key.ts'

it.each([
  ['id', 'id', true],
  ['id', 'ID', true],
  ['id', 'id\0x', true],
  ['pass', 'paſſ', true],
  ['key', '\u212aey', true],
  ['straße', 'STRASSE', true],
  ['id', 'ids', false],
  ['id', 'i', false],
  ['id', 'ie', false],
  ['a', 'ä', false],
])('%j and %j are one to a lenient decoder: %s', (one, other, expected) => {
  expect(looksLike(one, other)).toBe(expected)
  expect(looksLike(other, one)).toBe(expected)
})

it('names are one to a lenient decoder where they are folded to the same, whatever their letters', () => {
  const letter = fc.constantFrom(
    'a',
    'A',
    'b',
    's',
    'S',
    'i',
    '@',
    '`',
    '[',
    '{',
    '\u017f',
    'ß',
    'ı',
    '\u212a',
    'ﬆ',
    '\0',
    'é',
    '😀',
  )
  const name = fc.array(letter, { maxLength: 4 }).map((letters) => letters.join(''))
  fc.assert(
    fc.property(name, name, (one, other) => {
      expect(looksLike(one, other)).toBe(foldKey(one) === foldKey(other))
    }),
    { numRuns: 5000 },
  )
})

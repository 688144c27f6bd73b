import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createLookAlikeFinder, foldKey, looksLike } from './lenient-key.ts'
import { outlineJson } from './strict-json.ts'

const finderOf = (names: readonly string[]): ((name: string) => boolean) => {
  const text = JSON.stringify(Object.fromEntries(names.map((name) => [name, 1])))
  const { members } = outlineJson(text, 2, 1, 100)
  if (members === undefined) throw new Error('no object')
  return createLookAlikeFinder(members)
}

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

describe.each([
  ['few', 0],
  ['many', 100],
])('of %s members', (_, others) => {
  const more = Array.from({ length: others }, (_, index) => `other${index}`)

  it.each([
    [['amount'], 'amount', false],
    [['amount', 'note'], 'amount', false],
    [[], 'amount', false],
    [['AMOUNT'], 'amount', true],
    [['amount', 'AMOUNT'], 'amount', true],
    [['AMOUNT', 'amount'], 'amount', true],
    [['AMOUNT', 'Amount'], 'amount', true],
    [['amount', 'Amount', 'AMOUNT'], 'amount', true],
  ])('%j, another looks like %s: %s', (names, name, expected) => {
    expect(finderOf([...more, ...names])(name)).toBe(expected)
    expect(finderOf([...names, ...more])(name)).toBe(expected)
  })
})

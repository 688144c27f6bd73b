import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { outlineJson } from '../../core/json/strict-json.ts'
import { createLookAlikeFinder, foldArgumentName } from './argument-names.ts'

const finderOf = (names: readonly string[]): ((name: string) => boolean) => {
  const text = JSON.stringify(Object.fromEntries(names.map((name) => [name, 1])))
  const { members } = outlineJson(text, 2, 1, 100)
  if (members === undefined) throw new Error('no object')
  return createLookAlikeFinder(members)
}

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
    [['max_amount'], 'max_amount', false],
    [['maxAmount'], 'max_amount', true],
    [['max_amount'], 'maxAmount', true],
    [['max_amount', 'MaxAmount'], 'max_amount', true],
    [['_id'], 'id', false],
    [['id_'], 'id', false],
    [['_id'], '_id', false],
    [['a__b'], 'ab', false],
    [['a_\u212a'], 'ak', true],
    [['ab_'], 'abc', false],
    [['ab'], 'ab_c', false],
    [['ab_c'], 'ab', false],
  ])('%j, another looks like %s: %s', (names, name, expected) => {
    expect(finderOf([...more, ...names])(name)).toBe(expected)
    expect(finderOf([...names, ...more])(name)).toBe(expected)
  })
})

it('a name looks like another where both are folded to the same, among few and among many', () => {
  const letter = fc.constantFrom('a', 'A', 'b', '_', 's', '\u017f', 'ß', '\u212a', '\0', '1', '@', '`')
  const name = fc.array(letter, { maxLength: 5 }).map((letters) => letters.join(''))
  const others = Array.from({ length: 20 }, (_, index) => `other${index}`)
  fc.assert(
    fc.property(name, name, (one, other) => {
      const isLike = one !== other && foldArgumentName(one) === foldArgumentName(other)
      expect(finderOf([other])(one)).toBe(isLike)
      expect(finderOf([other, ...others])(one)).toBe(isLike)
    }),
    { numRuns: 5000 },
  )
})

import fc from 'fast-check'
import { expect, it } from 'vitest'
import { formatPlainValue } from './plain-value.ts'

it.each([
  ['alice@example.com', 'alice@example.com'],
  ['Doe, Jane', 'Doe%2C Jane'],
  ['Zoë', 'Zo%C3%AB'],
  ['100%', '100%25'],
  [' a b ', '%20a b%20'],
  ['a\r\nX-Admin: yes', 'a%0D%0AX-Admin: yes'],
  ['a\0b\x7f', 'a%00b%7F'],
  [7, '7'],
  [true, 'true'],
  [['staff', 'a,b', 'Grüße'], 'staff,a%2Cb,Gr%C3%BC%C3%9Fe'],
])('%j is written as %s', (value, written) => {
  expect(formatPlainValue(value)).toBe(written)
})

it.each([undefined, null, '', [], {}, [['a']], ['a', null], ['a', ''], 1.5, 2 ** 53, '\ud800'])(
  '%j has no form as a header',
  (value) => {
    expect(formatPlainValue(value)).toBeUndefined()
  },
)

it('any list can be read back, and no value can end or split a field', () => {
  const text = fc.string({ unit: 'grapheme', minLength: 1 }).filter((one) => one.isWellFormed())
  fc.assert(
    fc.property(fc.array(text, { minLength: 1 }), (items) => {
      const value = formatPlainValue(items) ?? ''
      expect(value).toMatch(/^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/)
      expect(value.split(',').map(decodeURIComponent)).toEqual(items)
    }),
  )
})

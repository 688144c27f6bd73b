import fc from 'fast-check'
import { expect, it } from 'vitest'
import { escapeSeparators, withoutLineEnds } from './line-ends.ts'

const text = fc
  .array(
    fc.oneof(
      fc.constantFrom('\u0085', '\u2028', '\u2029', '\u2027', '\u0084', '\u00c2', '\u00e2', '\r', '\n'),
      fc.string({ unit: 'binary' }),
    ),
  )
  .map((parts) => parts.join('').toWellFormed())

it('a text is on one line, and otherwise the same', () => {
  fc.assert(
    fc.property(text, (one) => {
      expect(withoutLineEnds(Buffer.from(one)).toString()).toBe(one.replace(/[\r\n]/g, ' '))
    }),
  )
})

it('the bytes that are looked at stay as they are', () => {
  const bytes = Buffer.from('a\nb')
  expect(withoutLineEnds(bytes).toString()).toBe('a b')
  expect(bytes.toString()).toBe('a\nb')
})

it('U+0085, U+2028 and U+2029 are escaped, and nothing else', () => {
  fc.assert(
    fc.property(text, (one) => {
      const escaped = { '\u0085': '\\u0085', '\u2028': '\\u2028', '\u2029': '\\u2029' }
      expect(escapeSeparators(one)).toBe(one.replace(/[\u0085\u2028\u2029]/g, (found) => escaped[found as keyof typeof escaped]))
    }),
  )
})

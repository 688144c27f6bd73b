import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseExactJson } from './exact-json.ts'

describe('a number', () => {
  it.each([
    ['9007199254740993', '9007199254740993'],
    ['9007199254740992', '9007199254740992'],
    ['-9007199254740993', '-9007199254740993'],
    ['9007199254740993e0', '9007199254740993e0'],
    ['123456789012345678901234567890', '123456789012345678901234567890'],
    ['1e400', '1e400'],
    ['9007199254740991', 9_007_199_254_740_991],
    ['1700000000.5', 1_700_000_000.5],
    ['1.7e9', 1_700_000_000],
    ['0', 0],
  ])('%s is read as %j', (text, value) => {
    expect(parseExactJson(text)).toBe(value)
    expect(parseExactJson(`{"a":[{"id":${text}}],"b":"x"}`)).toEqual({ a: [{ id: value }], b: 'x' })
  })
})

describe('any JSON text', () => {
  it('has the text of a number beyond 2^53 at any depth, beside numbers that are kept', () => {
    const parsed = parseExactJson('{"iat":1700000000,"a":[{"b":[[0.5,{"id":9007199254740993}]]}],"exp":1.7e9}')
    expect(parsed).toEqual({ iat: 1_700_000_000, a: [{ b: [[0.5, { id: '9007199254740993' }]] }], exp: 1_700_000_000 })
  })

  it('is read as JSON.parse reads it, unless a number is beyond 2^53', () => {
    fc.assert(
      fc.property(fc.jsonValue({ noUnicodeString: false }), fc.constantFrom(0, 1, '\t'), (value, space) => {
        const text = JSON.stringify(value, undefined, space)
        const keepText = (_key: string, one: unknown): unknown =>
          typeof one === 'number' && Math.abs(one) > Number.MAX_SAFE_INTEGER ? String(one) : one
        expect(parseExactJson(text)).toEqual(JSON.parse(JSON.stringify(value), keepText))
      }),
    )
  })

  it.each(['[1e400]', '[ -1E400 ]', '{"a" :\n1.5e99}', '[0,\t123456789.5e300]', '\r\n9e99', '["3e5", 12345678901234567]'])(
    '%j keeps the text of its number, wherever that stands',
    (text) => {
      expect(JSON.stringify(parseExactJson(text))).toContain(`"${/-?[0-9.]+[eE][0-9]{2,}|[0-9]{17}/.exec(text)?.[0]}"`)
    },
  )
})

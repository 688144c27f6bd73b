import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isDeeperThan, type Outline, outlineShallow } from './shallow-outline.ts'
import { outlineJson } from './strict-json.ts'

const parts = (text: string, outline: Outline | undefined): unknown =>
  outline && {
    text: text.slice(outline.start, outline.end),
    members: outline.members && [...outline.members].map(([name, value]) => [name, parts(text, value)]),
    items: outline.items?.map((item) => parts(text, item)),
  }

describe('the outline of a text that is known to be JSON', () => {
  it('is that of the strict scanner, to every depth', () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 4 }), fc.nat(4), fc.constantFrom(undefined, 1), (json, depth, indent) => {
        const text = JSON.stringify(JSON.parse(json), null, indent)
        const strict = outlineJson(text, 512, depth)
        const asMaps = (outline: ReturnType<typeof outlineJson>): Outline => {
          const members = new Map<string, Outline>()
          outline.members?.forEach((name, value) => void members.set(name, asMaps(value)))
          const { start, end, items } = outline
          return { start, end, ...(outline.members && { members }), ...(items && { items: items.map(asMaps) }) }
        }
        expect(parts(text, outlineShallow(text, depth))).toEqual(parts(text, asMaps(strict)))
      }),
    )
  })

  it.each([
    ['deep arrays', '['.repeat(50_000) + ']'.repeat(50_000)],
    ['a repeated key', '{"x":{"a":1,"a":2}}'],
    ['half a surrogate pair', '{"x":"\\ud800"}'],
    ['brackets in strings', '{"x":"]}\\"{["}'],
    ['backslashes before a quote', '["\\\\","\\\\\\"]"]'],
  ])('steps over %s below the levels that it lists', (_what, inner) => {
    const text = `{"id":1,"result":${inner},"last":2}`
    const result = outlineShallow(text, 1).members?.get('result')
    expect(text.slice(result?.start, result?.end)).toBe(inner)
  })

  it.each(['{"id":1,"id":2}', '{"id":1,"\\u0069d":2}'])('does not choose between repeated keys: %s', (text) => {
    expect(() => outlineShallow(text, 1)).toThrow('repeated key')
  })

  it.each(['', '{', '{"a"', '{"a":', '{"a":1', '{"a" 1}', '[1', '"', '"\\"', '{"a":[}'])('has an end, or is none: %s', (text) => {
    expect(() => outlineShallow(text, 3)).toThrow()
  })
})

describe('depth', () => {
  it.each([
    [0, 'x', false],
    [0, [], true],
    [2, { a: [1] }, false],
    [1, { a: [1] }, true],
    [50_000, JSON.parse('['.repeat(50_000) + ']'.repeat(50_000)), false],
    [49_999, JSON.parse('['.repeat(50_000) + ']'.repeat(50_000)), true],
  ])('deeper than %d: case %#', (most, value, expected) => {
    expect(isDeeperThan(most, value)).toBe(expected)
  })
})

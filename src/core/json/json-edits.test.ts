import fc from 'fast-check'
import { expect, it } from 'vitest'
import { applyEdits, editBytes, insertMembers, removeItems, replaceAt } from './json-edits.ts'
import { outlineShallow } from './shallow-outline.ts'

it('takes any items out of an array, and leaves JSON', () => {
  const item = fc.record({ stays: fc.boolean(), value: fc.json() })
  fc.assert(
    fc.property(fc.array(item), fc.constantFrom('', ' ', '\n'), (items, space) => {
      const text = `[${space}${items.map(({ value }) => value).join(`${space},${space}`)}${space}]`
      const outlines = outlineShallow(text, 1).items ?? []
      const edits = removeItems(outlines, (outline) => items[outlines.indexOf(outline)]?.stays === true)
      const kept = items.filter(({ stays }) => stays).map(({ value }) => JSON.parse(value))
      expect(JSON.parse(applyEdits(text, edits))).toEqual(kept)
    }),
  )
})

it('applies edits in any order', () => {
  const text = '{"a":1,"b":2}'
  const outline = outlineShallow(text, 1)
  const [a, b] = [outline.members?.get('a'), outline.members?.get('b')]
  if (a === undefined || b === undefined) throw new Error('no members')
  expect(applyEdits(text, [replaceAt(b, 'null'), insertMembers(outline, '"c":3'), replaceAt(a, '[]')])).toBe(
    '{"c":3,"a":[],"b":null}',
  )
  expect(applyEdits('{}', [insertMembers(outlineShallow('{}', 1), '"c":3')])).toBe('{"c":3}')
})

it('edits bytes as it edits their text, whatever letters there are', () => {
  const some = fc.oneof(fc.string({ unit: 'grapheme', minLength: 1 }), fc.string({ minLength: 1 }))
  const texts = fc.array(some, { minLength: 1, maxLength: 6 })
  fc.assert(
    fc.property(texts, fc.string({ unit: 'grapheme' }), fc.nat(1), (pieces, inserted, first) => {
      const ends = pieces.map((_, at) => pieces.slice(0, at + 1).join('').length)
      const edits = pieces.flatMap((piece, at) => {
        const end = ends[at] ?? 0
        return at % 2 === first ? [{ start: end - piece.length, end, text: inserted }] : []
      })
      const text = pieces.join('')
      expect(editBytes(Buffer.from(text), text, edits.toReversed()).toString()).toBe(applyEdits(text, edits))
    }),
  )
})

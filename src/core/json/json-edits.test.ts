import fc from 'fast-check'
import { expect, it } from 'vitest'
import { applyEdits, insertMembers, removeItems, replaceAt } from './json-edits.ts'
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

import { expect, it } from 'vitest'
import { readTable, WALKED } from './table.ts'

it('names in the documentation the clients that are walked, and no others as such', () => {
  expect(readTable().map(({ client }) => client)).toEqual(WALKED)
})

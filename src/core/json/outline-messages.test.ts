import { expect, it } from 'vitest'
import { outlineMessage, outlineMessages } from './outline-messages.ts'

const text =
  '{"id":1,"params":{"name":"a","arguments":{"b":{"c":1}},"_meta":{"d":{"e":1}},"notifications":{"f":[1]}},"_meta":{"g":{"h":1}}}'
const namesIn = (path: readonly string[], outline = outlineMessage(text)) => {
  const found = path.reduce<typeof outline | undefined>((at, name) => at?.members?.get(name), outline)
  return found?.members && [...found.members.keys()]
}

it('lists the members of a message, its params, and _meta and notifications in them', () => {
  expect(namesIn([])).toEqual(['id', 'params', '_meta'])
  expect(namesIn(['params'])).toEqual(['name', 'arguments', '_meta', 'notifications'])
  expect(namesIn(['params', '_meta'])).toEqual(['d'])
  expect(namesIn(['params', 'notifications'])).toEqual(['f'])
})

it('steps over arguments and whatever else may be long', () => {
  expect(namesIn(['params', 'arguments'])).toBeUndefined()
  expect(namesIn(['params', '_meta', 'd'])).toBeUndefined()
})

it('finds the messages of a batch, as deep as a single one', () => {
  const [first, second, ...more] = outlineMessages(` [${text},${text}]`)
  expect(more).toEqual([])
  for (const message of [first, second]) {
    expect(namesIn(['params', '_meta'], message)).toEqual(['d'])
    expect(namesIn(['params', 'arguments'], message)).toBeUndefined()
  }
})

import { expect, it } from 'vitest'
import { createFakeClock } from '../../test/support/fake-clock.ts'
import { createToolNames } from './tool-names.ts'

const KEPT_MS = 10_000

it('a name is told apart as long as it is used, and forgotten when it was not for just the time that it is kept', () => {
  const clock = createFakeClock()
  const { tell } = createToolNames(clock, KEPT_MS)
  for (let index = 0; index < 1000; index += 1) tell('alice', `tool_${index}`)
  const others = tell('alice', 'further')
  expect(others).not.toBe('further')
  expect(tell('bob', 'further')).toBe('further')
  for (let turn = 0; turn < 3; turn += 1) {
    clock.advance(KEPT_MS - 1)
    for (let index = 0; index < 1000; index += 1) expect(tell('alice', `tool_${index}`)).toBe(`tool_${index}`)
    expect(tell('alice', 'further')).toBe(others)
  }
  clock.advance(KEPT_MS - 1)
  tell('alice', 'tool_0')
  expect(tell('alice', 'further')).toBe(others)
  clock.advance(1)
  // All but one are idle now: there is room for as many.
  for (let index = 0; index < 999; index += 1) expect(tell('alice', `other_${index}`)).toBe(`other_${index}`)
  expect(tell('alice', 'further')).toBe(others)
  expect(tell('alice', 'tool_0')).toBe('tool_0')
})

it('all names of all users together are as many as a hundred users have at most', () => {
  const clock = createFakeClock()
  const { tell } = createToolNames(clock, KEPT_MS)
  for (let user = 0; user < 100; user += 1) for (let index = 0; index < 1000; index += 1) tell(`user ${user}`, `tool_${index}`)
  const others = tell('alice', 'read')
  expect(others).not.toBe('read')
  expect(tell('alice', 'write')).toBe(others)
  expect(tell('user 99', 'tool_0')).toBe('tool_0')
  clock.advance(KEPT_MS - 1)
  for (let index = 0; index < 1000; index += 1) tell('user 0', `tool_${index}`)
  expect(tell('alice', 'read')).toBe(others)
  clock.advance(1)
  expect(tell('alice', 'read')).toBe('read')
  expect(tell('user 0', 'new')).toBe(others)
})

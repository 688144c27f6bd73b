import { expect, it } from 'vitest'
import { compileResourcePattern } from './resource-pattern.ts'

it.each([
  ['file:///a%20b/secret', 'file:///a b/s', true],
  ['file:///a%20b/secret', 'file:///a b/secret/deeper', true],
  ['file:///caf%C3%A9/**', 'file:///caf\u00e9/', true],
  ['file:///a%20b/secret', 'file:///a b/public', false],
  ['file:///a%20b/secret', '', true],
])('a rule about %s may be about what begins like %j: %s', (pattern, beginning, expected) => {
  expect(compileResourcePattern(pattern).mayRestrict(beginning)).toBe(expected)
})

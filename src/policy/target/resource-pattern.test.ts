import { expect, it } from 'vitest'
import { createWork } from '../work.ts'
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

it('says of a folder between stars that it is named as it was written, and opens nothing by that', () => {
  const { names, namesReading, restricts } = compileResourcePattern('file:///srv/**/.env')
  for (const uri of ['file:///srv/.env', 'file:///srv/a/.env', 'file:///srv/x.env'])
    expect([names(uri, createWork()), restricts(uri, createWork())]).toEqual(Array(2).fill(uri !== 'file:///srv/x.env'))
  expect(namesReading('file:///srv/.env', createWork())).toBe(false)
  expect(namesReading('file:///srv/a/.env', createWork())).toBe(true)
})

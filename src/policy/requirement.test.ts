import { expect, it } from 'vitest'
import { createRequirements, holdsAll, listMissing } from './requirement.ts'

const require = createRequirements({ admin: ['read', 'write'], other: ['mail'], read: ['read'] })

it.each<readonly [held: string, scope: string, holds: boolean]>([
  ['read', 'read', true],
  ['admin', 'read', true],
  ['admin', 'write', true],
  ['other', 'read', false],
  ['write', 'read', false],
  ['read', 'admin', false],
  ['admin', 'mail', false],
  ['', 'read', false],
])('the scope %j satisfies %s: %s', (held, scope, holds) => {
  const scopes = new Set([held])
  const requirement = require(scope, 'scopes')
  expect(holdsAll(scopes, [requirement])).toBe(holds)
  expect(listMissing(scopes, [requirement])).toEqual(holds ? [] : [scope])
})

it('all of several are needed, and what is missing is named once, sorted', () => {
  const all = [require('write', 'rules[0]'), require('mail', 'rules[1]'), require('mail', 'rules[2]')]
  expect(holdsAll(new Set(['write']), all)).toBe(false)
  expect(holdsAll(new Set(['write', 'mail']), all)).toBe(true)
  expect(listMissing(new Set(), all)).toEqual(['mail', 'write'])
})

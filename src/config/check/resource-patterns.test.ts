import { expect, it } from 'vitest'
import { findResourcePatternFlaw } from './resource-patterns.ts'

it.each([
  ['file:///a/../b', 'has a dot segment'],
  ['file:///a/./b', 'has a dot segment'],
  ['file:///a/%2E%2e/**', 'has a dot segment'],
  ['file:///a/..', 'has a dot segment'],
  ['file:///a//b', 'has an empty segment'],
  ['file:////a', 'has an empty segment'],
  ['note://x//**', 'has an empty segment'],
  ['file:///a\\b', 'has a backslash'],
  ['file:///a\tb', 'has a backslash or a control character'],
  [' file:///a', 'begins or ends with white space'],
  ['file:///a ', 'begins or ends with white space'],
  ['file:///a%2520b', 'has an escape that is escaped itself'],
  ['note://{id}', 'has the braces of a template'],
  [`file:///${'a'.repeat(2048)}`, 'is longer than 2048 characters'],
])('a rule about %j is refused at the start', (pattern, reason) => {
  expect(findResourcePatternFlaw(pattern)?.reason).toContain(reason)
})

it.each([
  ...[
    'FILE:///a',
    'https://Intra.Example:443/**',
    'file://localhost/a/*',
    'file:/a',
    'note:*',
    '**',
    '**/*.md',
    'x',
    'file:///a b/c%20d',
  ],
  ...['https://h/p?u=https://x/', 'file:///.git/**', 'file:///a..b/...', 'file:///100%25', 'urn:isbn:*'],
])('a rule about %j is not', (pattern) => {
  expect(findResourcePatternFlaw(pattern)).toBeUndefined()
})

import { expect, it } from 'vitest'
import { findResourcePatternMistake } from './resource-patterns.ts'

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
  // Problems behind escapes.
  ['file:///a%2f..%2fb/**', 'has a dot segment'],
  ['file:///a/..;x/b', 'has a dot segment'],
  ['file:///a/..?x', 'has a dot segment'],
  ['file:///a%2f%2fb', 'has an empty segment'],
  ['file:///a%5cb', 'has a backslash'],
  ['file:///a%00', 'has a backslash or a control character'],
  ['file:///a%2A', 'has an escaped wildcard'],
  // About fewer URIs than they look.
  ['*', 'fits no URI with a slash'],
  ['*.md', 'fits no URI with a slash'],
  ['file:secret/**', 'is a relative path'],
  ['file:*', 'is a relative path'],
  [`file:///${'a'.repeat(2048)}`, 'is longer than 2048 characters'],
])('a rule about %j is refused at the start', (pattern, reason) => {
  expect(findResourcePatternMistake(pattern)?.reason).toContain(reason)
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
  ...['https://h/p?u=https://x/', 'file:///.git/**', 'file:///a..b/...', 'file:///100%25', 'urn:isbn:*', '*:x', '*://h/**'],
  ...['file:///a%7Bid%7D', 'file:///a...', 'https://h/a?b=../c', 'memo:**'],
])('a rule about %j is not', (pattern) => {
  expect(findResourcePatternMistake(pattern)).toBeUndefined()
})

it.each([
  ['file:///x/{id}', 'file:///x/*'],
  ['file:///x/{+path}', 'file:///x/**'],
  ['repo://{owner}/{repo}/contents{/path*}', 'repo://*/*/contents**'],
  ['https://h/a{?q,r}', 'https://h/a**'],
  ['x://{a}{b}/{ c }', 'x://*/*'],
])('for the template %j the fix is to write %j', (template, pattern) => {
  expect(findResourcePatternMistake(template)?.fix).toContain(`Write ${JSON.stringify(pattern)}`)
  expect(findResourcePatternMistake(pattern)).toBeUndefined()
})

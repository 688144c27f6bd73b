import { expect, it } from 'vitest'
import { findMethodMistake, findNamePatternMistake } from './name-patterns.ts'
import { findResourcePatternMistake } from './resource-patterns.ts'

it.each([' echo', 'echo ', 'echo\u00a0', 'a\nb', 'ec\u200bho', 'ec\u00adho', '\ufeffecho', '\u202eohce', '\u0000'])(
  'a rule about a tool or prompt called %j is refused: nobody sees what it is about',
  (name) => {
    expect(findNamePatternMistake(name)?.fix).toBeDefined()
  },
)

it.each(['!delete_*', '!*', '!x'])(
  'a pattern %s, which would exclude something elsewhere, is refused: here it is a name',
  (name) => {
    expect(findNamePatternMistake(name)?.fix).toContain('deny: true')
    expect(findResourcePatternMistake(name.replace('!', '!note://'))?.fix).toContain('deny: true')
  },
)

it.each(['echo', '*', 'get_*', 'a b', 'tools/echo', 'getÜber', '日本語', 'a.b-c:d'])(
  'a rule about one called %j is not',
  (name) => {
    expect(findNamePatternMistake(name)).toBeUndefined()
  },
)

it.each([
  ['Tools/Call', 'tools/call'],
  ['TOOLS/*', 'tools/*'],
  ['resources/Templates/List', 'resources/templates/list'],
  ['PING', 'ping'],
  ['logging/setlevel', 'logging/setLevel'],
])('a rule about the method %s is refused: MCP calls it %s', (written, meant) => {
  expect(findMethodMistake(written)?.fix).toContain(meant)
})

it.each(['tools/call', 'tools/*', 'x/y', 'logging/setLevel', 'notifications/roots/list_changed'])(
  'a rule about the method %s is not',
  (method) => {
    expect(findMethodMistake(method)).toBeUndefined()
  },
)

import { expect, it } from 'vitest'
import { MCP_METHODS } from './mcp-methods.ts'
import { findMethodLookAlike, foldMethod, isSeenAs } from './method-spelling.ts'

it('every method of MCP has look-alikes, and is none', () => {
  for (const method of MCP_METHODS) {
    expect(findMethodLookAlike(method)).toBeUndefined()
    for (const spelled of [
      method.toUpperCase(),
      `${method} `,
      `\u200b${method}`,
      method.replace('i', '\u0456').replace('o', '\u043e').replace('a', '\u0430'),
    ])
      if (spelled !== method) expect(findMethodLookAlike(spelled)).toBe(method)
  }
})

it('a method of any length is told apart in time that grows with it', () => {
  expect(findMethodLookAlike(`tools/call${' '.repeat(1_000_000)}`)).toBe('tools/call')
  expect(findMethodLookAlike('\u043e'.repeat(1_000_000))).toBeUndefined()
})

it.each<[string, string | undefined]>([
  ['p\u0456ng', 'ping'],
  ['\u0440\u0456ng', 'ping'],
  ['\u0440\u0456\u043fg', undefined],
  ['p\u0456nk', undefined],
  ['p\u0456n', undefined],
  ['p\u0456ngs', undefined],
  ['ping\u0456', undefined],
  ['pong', undefined],
  ['', undefined],
])('of other alphabets each letter counts for one, and half of them must be plain: %j', (method, known) => {
  expect(findMethodLookAlike(method)).toBe(known)
})

it.each([
  ['TOOLS/CALL', 'tools/call'],
  ['tool\u017f/call', 'tools/call'],
  ['tas\u212as/get', 'tasks/get'],
  ['p\u0131ng', 'ping'],
  [' to\u0301ols\u200b/ca\tll\u00ad', 'tools/call'],
])('%j is folded to %j', (method, folded) => {
  expect(foldMethod(method)).toBe(folded)
})

it('what has two letters for each of a method is not seen as it', () => {
  expect(isSeenAs('\u{1f600}'.repeat(3), 'abc')).toBe(false)
  expect(isSeenAs('ab\u{1f600}', 'abc')).toBe(true)
  expect(isSeenAs('abcabca', 'abc')).toBe(false)
})

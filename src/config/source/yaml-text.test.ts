import { describe, expect, it } from 'vitest'
import { ConfigError, type Problem } from '../problem/problem.ts'
import { readYaml } from './yaml-text.ts'

function problemsOf(text: string): readonly Problem[] {
  try {
    readYaml(text)
  } catch (error) {
    if (error instanceof ConfigError) return error.problems
    throw error
  }
  return []
}

describe('reading YAML', () => {
  it('reads YAML and JSON alike', () => {
    const expected = { a: [1, 'x', true, null], b: { c: '' } }
    expect(readYaml('a: [1, x, true, ~]\nb:\n  c: ""\n').value).toEqual(expected)
    expect(readYaml(JSON.stringify(expected)).value).toEqual(expected)
  })

  it('takes yes, no and on for texts, as YAML 1.2 does', () => {
    expect(readYaml('[yes, no, on, 010]').value).toEqual(['yes', 'no', 'on', 10])
  })

  it.each([
    ['a: 1\na: 2\n', /twice/, 2],
    ['{"a": 1, "a": 2}', /twice/, 1],
    ['servers:\n  - path: /a\n    path: /b\n', /the key `path` is given twice/, 3],
    ['servers:\n  - path: /a\n   upstream: x\n', /indentation/, 3],
    ['servers:\n  - path: /a\n     upstream: x\n', /second key begins within a value/, 2],
    ['servers:\n  - path: /a\n  issuers:\n    - x\n', /indentation/, 3],
    ['a: 1\nb 2\n', /colon is missing/, 2],
    ['a:\n\tb: 1\n', /tab/, 2],
    ['a: *unknown\n', /anchor/, 1],
    ['a: !secret x\n', /tag/, 1],
    ['a: [1, 2\nb: 3\n', /missing|not YAML|block|indent/, 2],
    ['a: "open\n', /missing|not YAML/, 2],
    ['a: 1\n---\nb: 2\n', /more than one/, 2],
    ['? [a, b]\n: 1\n', /key is not text/, 1],
  ])('tells line and reason: %j', (text, reason, line) => {
    const [problem] = problemsOf(text)
    expect(problem?.reason).toMatch(reason)
    expect(problem?.position?.line).toBe(line)
  })

  it('tells one mistake of a line', () => {
    expect(problemsOf('servers:\n  - path: /a\n     upstream: x\n')).toHaveLength(1)
  })

  it.each(['', '# only a comment\n', '---\n'])('does not crash on a file without content: %j', (text) => {
    expect(() => readYaml(text)).not.toThrow(TypeError)
  })

  it('refuses aliases that stand for more and more', () => {
    const levels = Array.from(
      { length: 12 },
      (_, level) => `a${level + 1}: &a${level + 1} [${Array(10).fill(`*a${level}`).join(', ')}]`,
    )
    expect(problemsOf(`a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n${levels.join('\n')}\n`)[0]?.reason).toMatch(/aliases/)
  })

  it('never repeats what stands in the file', () => {
    const secret = 'hunter2-secret'
    for (const text of [
      `a: "${secret}\n`,
      `a: *${secret}\n`,
      `a: !${secret} x\n`,
      `a: b: ${secret}\n`,
      `a: [${secret}\n`,
      `a: %${secret}\n\t@${secret}`,
    ]) {
      for (const problem of problemsOf(text)) expect(JSON.stringify(problem)).not.toContain(secret)
      expect(problemsOf(text).length).toBeGreaterThan(0)
    }
  })

  it('finds keys, items, and the nearest block around what is missing', () => {
    const { findPosition } = readYaml('a: 1\nservers:\n  - path: /mcp\n    upstream:\n      url: x\n  - path: /b\n')
    expect(findPosition(['servers', 0, 'upstream', 'url'])).toEqual({ line: 5, column: 7 })
    expect(findPosition(['servers', 1, 'path'])).toEqual({ line: 6, column: 5 })
    expect(findPosition(['servers', 1, 'upstream'])).toEqual({ line: 6, column: 5 })
    expect(findPosition(['issuers'])).toBeUndefined()
  })
})

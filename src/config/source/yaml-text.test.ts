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
    ['public_url https://a.example\nlisten: 1\n', /a colon is missing/, 1],
    ['a: 1\nservers:\n  - path /mcp\n    upstream: x\n', /a colon is missing/, 3],
    ['a: 1\nb 2\n', /colon is missing/, 2],
    ['a:\n\tb: 1\n', /tab/, 2],
    ['a: *unknown\n', /anchor/, 1],
    ['a: !secret x\n', /tag/, 1],
    ['a: 1\n---\nb: 2\n', /more than one/, 2],
    ['? [a, b]\n: 1\n', /key is not text/, 1],
  ])('tells line and reason: %j', (text, reason, line) => {
    const [problem] = problemsOf(text)
    expect(problem?.reason).toMatch(reason)
    expect(problem?.position?.line).toBe(line)
  })

  it.each([
    ['servers:\n  - path: /mcp\n    scopes: [a, b\n    upstream: x\n', /\[ is not closed/, /Close it with \]/, 3, 13],
    ['a: [1, 2\nb: 3\n', /\[ is not closed/, /Close it with \]/, 1, 4],
    ['a: 1\nb: [1,\n', /\[ is not closed/, /Close it with \]/, 2, 4],
    ['a: { b: 1\nc: 2\n', /\{ is not closed/, /Close it with \}/, 1, 4],
    ['a: { b: [1, 2 }\nc: 3\n', /\[ is not closed/, /Close it with \]/, 1, 9],
    ['{"a": 1,\n"b": [1\n', /\[ is not closed/, /Close it with \]/, 2, 6],
    ['a:\n  b: [\n1 ]\n', /\[ is not closed/, /indent/, 2, 6],
    ['a: [1, 2]]\nb: 2\n', /no opening/, /Remove it/, 1, 10],
    ['a: 1\n}\nb: 2\n', /no opening/, /Remove it/, 2, 1],
    ['a: "open\nb: 2\n', /quote .*not closed/, /Close it/, 1, 4],
    ["a: 1\nb: 'open\nc: 2\n", /quote .*not closed/, /Close it/, 2, 4],
    ['a: ["open, x]\nb: 2\n', /quote .*not closed/, /Close it/, 1, 5],
    ['a: "open\nb: "x"\n', /quote .*not closed/, /Close it/, 1, 4],
    ['a: "x" y\n', /follows the end of a value/, /quotes/, 1, 8],
    ['a: "C:\\path"\n', /backslash/, /single quotes/, 1, 7],
    ['a: 1\ntools:\n  - *\n', /no name/, /quotes/, 3, 5],
    ['a: &\n', /no name/, /quotes/, 1, 4],
    ['a: @x\n', /reserved character/, /quotes/, 1, 4],
    ['a: [1,,2]\n', /comma/, /Remove it/, 1, 7],
    ['a: | x\n', /\| or >/, /next line/, 1, 6],
    ['a:1\nb: 2\n', /space is missing after the colon/, /`key: value`/, 1, 1],
    ['a:\u00a01\nb: 2\n', /space is missing after the colon/, /`key: value`/, 1, 1],
    [' a: 1\nb: 2\n', /indentation/, /Indent/, 2, 1],
    ['{\n"a": 1\n"b": 2\n}\n', /comma/, /comma/, 2, 6],
    ['a:\n  <<: 3\n', /merge/, /<</, 2, 3],
    ['a: 1\rb: 2\r', /CR/, /LF/, 1, 1],
    ['a: \u0000\n', /NUL/, /UTF-8/, 1, 4],
    ['a\u0000:\u0000 \u00001\u0000\n\u0000', /NUL/, /UTF-8/, 1, 2],
    [`${'x'.repeat(1100)}: 1\n`, /1024/, /quote or bracket/, 1, 1],
    ['%YAML 3.0\n---\na: 1\n', /begins with %/, /Remove it/, 1, 7],
    ['['.repeat(5000), /nested/, /less/, 1, undefined],
  ])('tells reason, fix, line and column: %j', (text, reason, fix, line, column) => {
    const problems = problemsOf(text)
    expect(problems).toHaveLength(1)
    expect(problems[0]?.reason).toMatch(reason)
    expect(problems[0]?.fix).toMatch(fix)
    expect(problems[0]?.position).toMatchObject({ line, ...(column !== undefined && { column }) })
  })

  it('reads a file with a byte order mark, CRLF, and an end mark', () => {
    expect(readYaml('\ufeffa: 1\r\nb:\r\n  c: 2\r\n...\r\n').value).toEqual({ a: 1, b: { c: 2 } })
  })

  it('permits brackets that close at the margin of their key', () => {
    expect(readYaml('a: [\n  1\n]\nb: {\n  c: 2\n}\n').value).toEqual({ a: [1], b: { c: 2 } })
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

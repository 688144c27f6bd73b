import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { checkStrictJson, outlineJson, readJsonString } from './strict-json.ts'
import { StrictJsonError } from './strict-json-error.ts'

const kindOf = (text: string, depth = 128): string => {
  try {
    checkStrictJson(text, depth)
    return 'fine'
  } catch (error) {
    return error instanceof StrictJsonError ? error.kind : 'crash'
  }
}

describe('strict JSON', () => {
  it('accepts whatever JSON.stringify writes', () => {
    fc.assert(
      fc.property(fc.jsonValue({ noUnicodeString: false }), fc.constantFrom(undefined, 1, '\t'), (value, indent) => {
        const text = JSON.stringify(value, undefined, indent)
        expect(kindOf(text)).toBe(/\\ud[89a-f]/.test(text) ? 'ambiguous' : 'fine')
      }),
    )
  })

  it('never accepts what JSON.parse refuses', () => {
    const pieces = fc.constantFrom(
      '{',
      '}',
      '[',
      ']',
      ',',
      ':',
      '"',
      '\\',
      'a',
      'u',
      '0',
      '1',
      '-',
      '.',
      'e',
      '+',
      'true',
      'null',
      ' ',
      '\n',
      '\u0000',
      '\ufeff',
    )
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 12 }), (parts) => {
        const text = parts.join('')
        let parses = true
        try {
          JSON.parse(text)
        } catch {
          parses = false
        }
        const kind = kindOf(text)
        expect(kind).not.toBe('crash')
        if (!parses) expect(kind).not.toBe('fine')
        else if (kind === 'syntax') throw new Error(`refused as syntax: ${text}`)
      }),
      { numRuns: 2000 },
    )
  })

  it.each([
    ['{"a":1,"a":2}', 'ambiguous'],
    ['{"a":1,"\\u0061":2}', 'ambiguous'],
    ['{"x":{"b":[{"c":1,"d":2,"c":3}]}}', 'ambiguous'],
    ['"\\ud800"', 'ambiguous'],
    ['"\\ud800\\u0041"', 'ambiguous'],
    ['"\\udc00\\ud800"', 'ambiguous'],
    ['"\\ud83d\\ude00"', 'fine'],
    ['{} {}', 'syntax'],
    ['{}\u0000', 'syntax'],
    ['\ufeff{}', 'syntax'],
    ['', 'syntax'],
    ['01', 'syntax'],
    ['-', 'syntax'],
    ['1.', 'syntax'],
    ['1e', 'syntax'],
    ['"\\x"', 'syntax'],
    ['"\\', 'syntax'],
    ['"\n"', 'syntax'],
    ['[1,]', 'syntax'],
    ['{"a":1,}', 'syntax'],
    ['NaN', 'syntax'],
    ['1e400', 'fine'],
    ['-0', 'fine'],
  ])('judges %j as %s', (text, kind) => {
    expect(kindOf(text)).toBe(kind)
  })

  it('notices a repeated key however many members there are and wherever it stands', () => {
    for (let size = 1; size <= 30; size++) {
      const members = Array.from({ length: size }, (_, index) => `"k${index}":${index}`)
      const text = `{${members.join()}}`
      const { members: found } = outlineJson(text, 1, 1)
      for (let index = 0; index < size; index++) {
        const { start = 0, end = 0 } = found?.get(`k${index}`) ?? {}
        expect(text.slice(start, end)).toBe(String(index))
        expect(kindOf(`{${[...members, members[index]].join()}}`)).toBe('ambiguous')
      }
    }
  })

  it.each(['__proto__', 'constructor', 'toString', 'hasOwnProperty', '0', 'length', ''])(
    'finds a member that is named %j when it is there, and only then',
    (name) => {
      for (const others of [0, 5, 20]) {
        const rest = Array.from({ length: others }, (_, index) => `"k${index}":${index}`)
        const key = JSON.stringify(name)
        expect(outlineJson(`{${rest.join()}}`, 1, 1).members?.get(name)).toBeUndefined()
        expect(outlineJson(`{${[...rest, `${key}:1`].join()}}`, 1, 1).members?.get(name)).toMatchObject({ kind: 'number' })
        expect(kindOf(`{${[`${key}:1`, ...rest, `${key}:1`].join()}}`)).toBe('ambiguous')
      }
    },
  )

  it('permits the depth asked for and not one more', () => {
    expect(kindOf('['.repeat(128) + ']'.repeat(128))).toBe('fine')
    expect(kindOf('['.repeat(129) + ']'.repeat(129))).toBe('ambiguous')
    expect(kindOf('['.repeat(1_000_000))).toBe('ambiguous')
  })

  it('outlines the containers near the root and no others', () => {
    const text = '{"method":"tools\\/call","params":{"name":"x","arguments":{"deep":[1]}}}'
    const root = outlineJson(text, 128, 2, 8)
    const method = root.members?.get('method')
    expect(method && readJsonString(text, method)).toBe('tools/call')
    const args = root.members?.get('params')?.members?.get('arguments')
    expect(args?.members).toBeUndefined()
    expect(args && text.slice(args.start, args.end)).toBe('{"deep":[1]}')
  })

  it('lists no array that has more items than asked for, and checks it all the same', () => {
    expect(outlineJson('[1,[2],3]', 128, 1, 3).items).toHaveLength(3)
    expect(outlineJson('[1,[2],3,4]', 128, 1, 3)).toMatchObject({ kind: 'array', end: 11, items: undefined })
    expect(() => outlineJson('[1,2,3,4,{"a":1,"a":2}]', 128, 1, 3)).toThrow(StrictJsonError)
  })
})

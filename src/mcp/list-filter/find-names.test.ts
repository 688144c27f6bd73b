import { describe, expect, it } from 'vitest'
import { foldKey } from '../../core/json/lenient-key.ts'
import { createNameSearch } from './find-names.ts'

const NAMES = ['tools', 'prompts', 'resources', 'resourceTemplates', 'resourceSubscriptions', 'cacheScope', 'kicks']
const mayHold = createNameSearch(NAMES)

/** Every character that a lenient decoder takes for an ASCII letter, by the letter. */
const alike = Map.groupBy(
  Array.from({ length: 0x10_ffff }, (_, code) => String.fromCodePoint(code)).filter((letter) => /^[a-z]$/.test(foldKey(letter))),
  foldKey,
)

describe('a text may hold a name', () => {
  it('that has another character in the place of one of its letters, if some decoder takes it for that', () => {
    const missed = NAMES.flatMap((name) =>
      [...name].flatMap((letter, at) =>
        (alike.get(foldKey(letter)) ?? [])
          .map((other) => name.slice(0, at) + other + name.slice(at + 1))
          .filter((spelling) => !mayHold(`{"${spelling}":[]}`)),
      ),
    )
    expect(missed).toEqual([])
    expect([...alike.values()].flat().length).toBeGreaterThan(2 * 26)
  })

  it('with every character written as an escape', () => {
    for (const name of NAMES) {
      for (let at = 0; at < name.length; at++) {
        for (const letter of alike.get(foldKey(name[at] ?? '')) ?? []) {
          const code = letter.charCodeAt(0).toString(16).padStart(4, '0')
          for (const written of [`u${code}`, `u${code.toUpperCase()}`, `u{${code}}`, `x${code.slice(2)}`, 'o'])
            expect(mayHold(`{"${name.slice(0, at)}\\${written}${name.slice(at + 1)}":[]}`)).toBe(true)
        }
      }
    }
  })

  it.each([
    ['in the middle of a word', '{"_toolsets":1}'],
    ['in a text', '{"content":"the tools"}'],
    ['without quotes', '{tools:[]}'],
    ['behind a backslash that is escaped', '{"a":"\\\\","\\u0074ools":[]}'],
    ['behind an escaped backslash and a quote', '{"a":"\\\\\\u0074ools"}'],
    ['in a batch', '[{"result":{"prompts":[]}}]'],
    ['cut off', '{"result":{"too'],
    ['behind a byte order mark', '\ufeff{}'],
    ['in no JSON', '"text"'],
    ['in nothing', ''],
    ['in spaces', ' \n'],
    ['in a long text', `{"a":"${'x'.repeat(16 * 1024)}"}`],
  ])('%s', (_what, text) => {
    expect(mayHold(text)).toBe(true)
  })
})

describe('a text can hold none', () => {
  it.each([
    [
      'the result of a call',
      '{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"It is 21 degrees in Oslo."}]}}',
    ],
    ['its escapes', '{"text":"a \\"b\\" \\/ \\b \\f \\n \\r \\t \\u003cp\\u003e \\u0026 \\u002F"}'],
    ['letters beyond ASCII', '{"text":"Grüße, こんにちは 😀"}'],
    ['spaces around it', ' \r\n\t{"id":1} \r\n\t'],
    ['a batch', '[{"id":1,"result":{}}]'],
    ['the longest text that is searched', `{"a":"${'x'.repeat(16 * 1024 - 8)}"}`],
  ])('where it is %s', (_what, text) => {
    expect(mayHold(text)).toBe(false)
  })
})

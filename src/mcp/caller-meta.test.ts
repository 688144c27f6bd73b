import { describe, expect, it } from 'vitest'
import { CALLER_KEY, setCallerMeta } from './caller-meta.ts'

const ours = `"${CALLER_KEY}":{"sub":"alice"}`
const set = (text: string) => setCallerMeta(text, '{"sub":"alice"}')

describe('who calls', () => {
  it.each([
    ['{"id":1,"method":"ping"}', `{"id":1,"method":"ping","params":{"_meta":{${ours}}}}`],
    ['{"id":1,"method":"m","params":{ "a" : 1 }}', `{"id":1,"method":"m","params":{"_meta":{${ours}}, "a" : 1 }}`],
    ['{"id":1,"method":"m","params":{"_meta":{"b":1.0}}}', `{"id":1,"method":"m","params":{"_meta":{${ours},"b":1.0}}}`],
    ['[{"id":1,"method":"m","params":{}},{"method":"n"}]', `[{"id":1,"method":"m","params":{"_meta":{${ours}}}},{"method":"n"}]`],
    ['{"method":"n","params":{"_meta":{"b":1}}}', '{"method":"n","params":{"_meta":{"b":1}}}'],
    ['{"id":1,"result":{}}', '{"id":1,"result":{}}'],
  ])('is said in each request, and nothing else is changed: %s', (text, expected) => {
    expect(set(text)).toBe(expected)
  })

  it.each([
    CALLER_KEY,
    CALLER_KEY.toUpperCase(),
    CALLER_KEY.replace('identity', 'Identity'),
    CALLER_KEY.replace('k', '\u212a').replace('s', '\u017f'),
    `${CALLER_KEY}\0`,
  ])('is not taken from the client, who says it under %j', (name) => {
    const eve = { [name]: { sub: 'eve' } }
    const request = { id: 1, method: 'm', params: { _meta: { a: 1, ...eve, b: 2 } } }
    const said = set(JSON.stringify(request))
    expect(JSON.parse(said)).toEqual({ ...request, params: { _meta: { [CALLER_KEY]: { sub: 'alice' }, a: 1, b: 2 } } })
    for (const text of [said, set(JSON.stringify({ method: 'n', params: { _meta: eve } }))]) expect(text).not.toContain('eve')
    expect(set(JSON.stringify([request]))).toBe(`[${said}]`)
  })

  it('is not taken from a name that is spelled with escapes', () => {
    const escaped = CALLER_KEY.replaceAll('i', '\\u0069')
    expect(set(`{"id":1,"method":"m","params":{"_meta":{"${escaped}":"eve"}}}`)).not.toContain('eve')
    expect(set(`{"id":1,"method":"m","params":{"\\u005fmeta":{"${escaped}":"eve"}}}`)).not.toContain('eve')
  })
})

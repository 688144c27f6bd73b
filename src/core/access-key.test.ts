import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createAccessKey, digestAccessKey, isAccessKey, redactAccessKeys } from './access-key.ts'

/** As `docs/recipes/access-keys.md` gives it to secret scanners. */
const SCANNED = /\bomap_[0-9A-Za-z]{49}\b/
const SHA256 = /^[0-9a-f]{64}$/

describe('an access key', () => {
  it('is found by the expression for secret scanners, and never the same again', () => {
    const keys = Array.from({ length: 1000 }, createAccessKey)
    for (const key of keys) expect([SCANNED.exec(key)?.[0], digestAccessKey(key)]).toEqual([key, expect.stringMatching(SHA256)])
    expect(new Set(keys).size).toBe(1000)
  })

  it('is told from a mistyped one: another character, one too few or too many, two in the wrong order', () => {
    const key = createAccessKey()
    const place = fc.integer({ min: 5, max: key.length - 2 })
    fc.assert(
      fc.property(place, fc.constantFrom(...'09AZaz-_. \u0000é'), (at, character) => {
        const wrong = key.slice(0, at) + character + key.slice(at + 1)
        expect(digestAccessKey(wrong) === undefined).toBe(wrong !== key)
        expect(digestAccessKey(key.slice(0, at) + key.slice(at + 1))).toBeUndefined()
        expect(digestAccessKey(key.slice(0, at) + character + key.slice(at))).toBeUndefined()
        const [one = '', other = ''] = key.slice(at, at + 2)
        const swapped = key.slice(0, at) + other + one + key.slice(at + 2)
        expect(digestAccessKey(swapped) === undefined).toBe(swapped !== key)
      }),
    )
  })

  it('has a form that does not change, since keys that were made must go on', () => {
    const key = `omap_${'0'.repeat(43)}28xV02`
    expect(digestAccessKey(key)).toMatch(SHA256)
  })

  it('is recognised by its beginning alone, in capitals, too', () => {
    expect(['omap_', 'omap_x', 'OMAP_x', 'omap_a.b.c'].map(isAccessKey)).toEqual([true, true, true, true])
    expect(['', 'omap', ' omap_x', 'xomap_', 'ｏmap_x'].map(isAccessKey)).toEqual([false, false, false, false, false])
  })

  it('is taken out of a text, whole or in part', () => {
    const key = createAccessKey()
    expect(redactAccessKeys(`a ${key}, ${key.slice(0, 20)} and omap_x`)).toBe('a omap_…, omap_… and omap_x')
  })
})

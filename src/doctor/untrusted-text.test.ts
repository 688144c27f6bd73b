import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createRedaction, escapeControlCharacters, quoteUntrusted } from './untrusted-text.ts'

const CONTROL_CHARACTERS = /[\p{Cc}\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]/u
const anything = fc.oneof(fc.string({ unit: 'binary' }), fc.string({ unit: 'grapheme' }), fc.constant('\u001b[2J\u202e\n\u0007'))

describe('what others said', () => {
  it('holds nothing that a terminal obeys, whatever it was', () => {
    fc.assert(
      fc.property(anything, (text) => {
        expect(escapeControlCharacters(text)).not.toMatch(CONTROL_CHARACTERS)
        expect(quoteUntrusted(text)).not.toMatch(CONTROL_CHARACTERS)
      }),
    )
  })

  it('stays between its quotes and is bounded', () => {
    fc.assert(
      fc.property(anything, (text) => {
        const quoted = quoteUntrusted(text)
        expect(quoted).toMatch(/^"(?:[^"]|\\")*"$/)
        expect(quoteUntrusted('x'.repeat(10_000)).length).toBeLessThan(200)
      }),
    )
  })

  it('is readable where it is harmless', () => {
    expect(quoteUntrusted('https://idp.example.com/Straße')).toBe('"https://idp.example.com/Straße"')
    expect(quoteUntrusted(['a', 1])).toBe('"[\\"a\\",1]"')
    expect(quoteUntrusted(undefined)).toBe('"undefined"')
  })
})

describe('the redaction', () => {
  it('finds a secret wherever it stands, whole, in part or encoded', () => {
    const secret = fc
      .string({ minLength: 12, maxLength: 60 })
      .filter((text) => text.trim().length >= 12 && !'[secret]'.includes(text))
    fc.assert(
      fc.property(secret, fc.string(), fc.string(), (one, before, after) => {
        const redact = createRedaction([one])
        // What stands around it may be part of it by chance.
        expect(redact(`${before} ${one} ${after}`)).toContain('[secret]')
        expect(redact(encodeURIComponent(one))).toBe('[secret]')
      }),
    )
  })

  it('takes the parts of a JWT for secrets, its header excepted', () => {
    const redact = createRedaction(['eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJlLW9mLWFsaWNl'])
    expect(redact('payload eyJzdWIiOiJhbGljZSJ9, signature c2lnbmF0dXJlLW9mLWFsaWNl, header eyJhbGciOiJSUzI1NiJ9')).toBe(
      'payload [secret], signature [secret], header eyJhbGciOiJSUzI1NiJ9',
    )
  })
})

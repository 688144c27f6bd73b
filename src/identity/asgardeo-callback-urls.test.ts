import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { matches } from '../../test/support/asgardeo/oauth.ts'
import { formatCallbackUrls, parseCallbackUrls } from './asgardeo-callback-urls.ts'

const hostile = fc.oneof(
  fc.webUrl({ withQueryParameters: true }),
  fc.string({ minLength: 1 }),
  fc
    .array(fc.constantFrom('.', '*', '(', ')', '|', '\\', '[', ']', '+', '?', '{2}', '^', '$', 'regexp=', 'a', '/', '-'), {
      minLength: 1,
    })
    .map((parts) => parts.join('')),
)

describe('callback URLs at Asgardeo', () => {
  it('permit themselves and nothing else, whatever stands in them', () => {
    fc.assert(
      fc.property(fc.array(hostile, { minLength: 1, maxLength: 4 }), hostile, (urls, other) => {
        const registered = [formatCallbackUrls(urls)]
        for (const url of urls) expect(matches(registered, url)).toBe(true)
        expect(matches(registered, other)).toBe(urls.includes(other))
      }),
    )
  })

  it('are read as they were written', () => {
    fc.assert(
      fc.property(fc.uniqueArray(hostile, { minLength: 1, maxLength: 4 }), (urls) => {
        expect(parseCallbackUrls(formatCallbackUrls(urls))).toEqual(urls)
      }),
    )
  })

  it.each([
    'regexp=(https://.*)',
    'regexp=(https://a.example/cb)',
    'regexp=https://a',
    'regexp=(a|)',
    'regexp=((a)|b)',
    'regexp=',
    'regexp=(a\\)',
  ])('are not made out of a pattern that means more: %s', (pattern) => {
    expect(parseCallbackUrls(pattern)).toBeUndefined()
  })
})

// Whatever a client calls a file: no opener may get at what policy protects. test/interop/openers.test.ts asks other languages.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { combineChoices, nodeOpeners, type Opener, tryOpen } from '../support/openers.ts'
import { protections, resourceUris } from '../support/resource-uris.ts'

const openers: readonly (readonly [string, Opener])[] = [
  ...Object.entries(nodeOpeners),
  ...[...combineChoices()].map((opener, index) => [`model ${index}`, opener] as const),
]

describe.each(protections)('where $what', ({ permits, protects }) => {
  it('no URI is permitted that an opener of any make opens as something protected', () => {
    fc.assert(
      fc.property(resourceUris, fc.nat(), (uri, seed) => {
        if (!permits(uri)) return
        const some = openers.filter((_opener, index) => index < Object.keys(nodeOpeners).length || index % 97 === seed % 97)
        const got = some.flatMap(([name, opener]) =>
          tryOpen(opener, uri)
            .filter(protects)
            .map((path) => `${name}: ${path}`),
        )
        expect(got).toEqual([])
      }),
      { numRuns: 2000 },
    )
  })
})

it('most of what is spelled plainly is permitted', () => {
  const [onlyOne] = protections
  const name = fc.stringMatching(/^[\p{L}\p{N}][\p{L}\p{N} _()@,+-]{0,12}(\.[a-z]{1,4})?$/u)
  const path = fc.array(name, { minLength: 1, maxLength: 5 })
  fc.assert(
    fc.property(path, fc.constantFrom('', '?x=1', '#L10'), (names, suffix) => {
      for (const write of [encodeURIComponent, encodeURI, String]) {
        expect(onlyOne?.permits(`file:///srv/public/${names.map(write).join('/')}${suffix}`)).toBe(true)
      }
    }),
  )
})

import { describe, expect, it } from 'vitest'
import { findNearest } from './nearest-word.ts'

const known = ['public_url', 'listen', 'allowed_hosts', 'limits', 'issuers', 'servers']

describe('the suggestion for an unknown word', () => {
  it.each([
    ['publc_url', 'public_url'],
    ['isuers', 'issuers'],
    ['srevers', 'servers'],
    ['allowedHosts', 'allowed_hosts'],
    ['allowed-hosts', 'allowed_hosts'],
    ['LIMITS', 'limits'],
  ])('finds the word that was meant: %s', (written, meant) => {
    expect(findNearest(written, known)).toBe(meant)
  })

  it.each(['database', 'x', '', 'completely_different_thing'])('says nothing when no word is close: %s', (written) => {
    expect(findNearest(written, known)).toBeUndefined()
  })

  it('says nothing about words too long to be slips', () => {
    expect(findNearest('a'.repeat(100_000), ['a'.repeat(100_000)])).toBeUndefined()
  })
})

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createFakeClock } from '../../test/support/fake-clock.ts'
import type { Principal } from '../core/principal.ts'
import { type CachedToken, createTokenCache } from './token-cache.ts'

const principal: Principal = {
  issuer: 'https://idp.example.com',
  subject: 'alice',
  clientId: undefined,
  scopes: new Set(),
  groups: [],
  assurance: 'audience',
  expiresAt: 0,
  acceptedUntil: 0,
  claims: {},
}

function createEntry(differences: Partial<CachedToken> = {}): CachedToken {
  return {
    principal,
    acceptedUntil: Number.MAX_VALUE,
    freshUntil: Number.POSITIVE_INFINITY,
    isStillTrusted: () => true,
    ...differences,
  }
}

describe('the cache of verified tokens', () => {
  it('gives back the same principal', () => {
    const cache = createTokenCache(10, createFakeClock())
    cache.add('a', createEntry())
    expect(cache.find('a')).toBe(principal)
    expect(cache.find('b')).toBeUndefined()
  })

  it('forgets a token when its time is over by the system clock, also when that is set forward', () => {
    const clock = createFakeClock()
    const cache = createTokenCache(10, clock)
    cache.add('a', createEntry({ acceptedUntil: clock.wall() + 1000 }))
    clock.advance(999)
    expect(cache.find('a')).toBe(principal)
    clock.jump(1)
    expect(cache.find('a')).toBeUndefined()
    expect(cache.size).toBe(0)
  })

  it('forgets a token that must be asked about again, whatever the system clock says', () => {
    const clock = createFakeClock()
    const cache = createTokenCache(10, clock)
    cache.add('a', createEntry({ freshUntil: clock.monotonic() + 1000 }))
    clock.jump(-3_600_000)
    clock.advance(999)
    expect(cache.find('a')).toBe(principal)
    clock.advance(1)
    expect(cache.find('a')).toBeUndefined()
  })

  it('forgets a token when what verified it is trusted no more', () => {
    const cache = createTokenCache(10, createFakeClock())
    let trusted = true
    cache.add('a', createEntry({ isStillTrusted: () => trusted }))
    expect(cache.find('a')).toBe(principal)
    trusted = false
    expect(cache.find('a')).toBeUndefined()
    trusted = true
    expect(cache.find('a')).toBeUndefined()
  })

  it('never holds more than it may, and lets the oldest go first', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 8 }), fc.array(fc.string({ maxLength: 2 })), (capacity, digests) => {
        const cache = createTokenCache(capacity, createFakeClock())
        for (const digest of digests) cache.add(digest, createEntry())
        const newest = [...new Set([...digests].reverse())].slice(0, capacity)
        expect(cache.size).toBe(newest.length)
        for (const digest of newest) expect(cache.find(digest)).toBe(principal)
      }),
    )
  })
})

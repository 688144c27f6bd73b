import { getHeapStatistics } from 'node:v8'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createFakeClock } from '../../test/support/fake-clock.ts'
import { collectGarbage } from '../core/collect-garbage.ts'
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

  it('keeps the principal of a signed token that came once for a moment, then who signed it, and both when it comes again', () => {
    const cache = createTokenCache(100, createFakeClock())
    cache.addSigned('a', createEntry(), 'key')
    cache.addSigned('b', createEntry(), 'key')
    expect(cache.find('a')).toBe(principal)
    for (let others = 0; others < 40; others++) cache.addSigned(`other ${others}`, createEntry(), 'key')
    expect(cache.find('a')).toBe(principal)
    expect(cache.find('b')).toBeUndefined()
    expect(cache.findSigner('b')).toBe('key')
    cache.addSigned('b', createEntry(), 'key')
    for (let others = 40; others < 80; others++) cache.addSigned(`other ${others}`, createEntry(), 'key')
    expect(cache.find('b')).toBe(principal)
    expect(cache.find('c')).toBeUndefined()
    expect(cache.findSigner('c')).toBeUndefined()
  })

  it('keeps nothing where it may hold no entry', () => {
    const cache = createTokenCache(0, createFakeClock())
    for (const digest of ['a', 'b', 'a']) cache.addSigned(digest, createEntry(), 'key')
    cache.add('c', createEntry())
    expect([cache.size, cache.find('a'), cache.find('b'), cache.find('c'), cache.findSigner('a')]).toEqual([
      0,
      ...Array.from({ length: 4 }, () => undefined),
    ])
  })

  it('never holds more signers than it may, and none of a token that is over', () => {
    const clock = createFakeClock()
    const cache = createTokenCache(3, clock)
    for (const digest of ['a', 'b', 'c', 'd']) cache.addSigned(digest, createEntry({ acceptedUntil: clock.wall() + 1000 }), 'key')
    expect(['a', 'b', 'c', 'd'].map((digest) => cache.findSigner(digest))).toEqual([undefined, 'key', 'key', 'key'])
    expect(cache.size).toBe(3)
    clock.jump(1000)
    expect(cache.find('d')).toBeUndefined()
    expect(cache.findSigner('d')).toBeUndefined()
  })

  it('leaves no principal of a token that comes once to the collection of the whole heap', () => {
    const cache = createTokenCache(10_000, createFakeClock())
    const add = (from: number, to: number): number => {
      for (let number = from; number < to; number++) {
        const claims = { numbers: Array.from({ length: 1000 }, (_, index) => index) }
        cache.addSigned(`digest ${number}`, createEntry({ principal: { ...principal, claims } }), 'key')
        if (number % 50 === 0) collectGarbage('minor')
      }
      for (let times = 0; times < 3; times++) collectGarbage('minor')
      return getHeapStatistics().used_heap_size
    }
    add(0, 500)
    // Whatever holds the last tokens is in the old generation from here on: a map would keep each table that it makes from now on.
    collectGarbage('major')
    const before = add(500, 600)
    const bytesOfToken = (add(600, 1600) - before) / 1000
    // A principal takes 8 KiB here.
    expect(bytesOfToken).toBeLessThan(2000)
  })
})

import { describe, expect, it } from 'vitest'
import { createFakeClock } from '../../test/support/fake-clock.ts'
import { createAddressLimit, createRateLimit } from './rate-limit.ts'

describe('a limit for addresses', () => {
  it('says when another try makes sense, and lets it take place then', () => {
    const clock = createFakeClock()
    const limit = createRateLimit(2, clock)
    expect([1, 2].map(() => limit.count('192.0.2.1'))).toEqual([undefined, undefined])
    clock.advance(20_000)
    expect(limit.count('192.0.2.1')).toBe(40)
    expect(limit.count('192.0.2.2')).toBeUndefined()
    clock.advance(40_000)
    expect(limit.count('192.0.2.1')).toBeUndefined()
  })

  it.each([
    ['the same half of an IPv6 address', '2001:db8:1:2::1', '2001:db8:1:2:ffff:ffff:ffff:ffff', true],
    ['the same half, written differently', '2001:db8::1', '2001:DB8:0:0:1::', true],
    ['another half', '2001:db8:1:2::1', '2001:db8:1:3::1', false],
    ['another IPv4 address as IPv6 writes it', '::ffff:192.0.2.1', '::ffff:192.0.2.2', false],
    ['another IPv4 address', '192.0.2.1', '192.0.2.2', false],
  ])('counts %s (RFC 4291 §2.5.4)', (_name, one, other, together) => {
    const limit = createRateLimit(1, createFakeClock())
    limit.count(one)
    expect(limit.count(other) !== undefined).toBe(together)
  })

  it('tells, without counting, whether another one would be too many', () => {
    const clock = createFakeClock()
    const limit = createRateLimit(2, clock)
    for (let time = 0; time < 5; time += 1) expect(limit.check('a')).toBeUndefined()
    limit.count('a')
    expect(limit.check('a')).toBeUndefined()
    limit.count('a')
    expect([limit.check('a'), limit.check('b')]).toEqual([60, undefined])
    clock.advance(60_000)
    expect(limit.check('a')).toBeUndefined()
  })

  it('has a bound for all addresses together only where what they do stays', () => {
    const [lasting, passing] = [createRateLimit(1, createFakeClock()), createAddressLimit(1, createFakeClock())]
    const addresses = Array.from({ length: 40 }, (_, index) => `192.0.2.${index}`)
    expect(addresses.map((address) => lasting.count(address)).filter((wait) => wait === undefined)).toHaveLength(30)
    expect(addresses.map((address) => passing.count(address)).filter((wait) => wait === undefined)).toHaveLength(40)
  })
})

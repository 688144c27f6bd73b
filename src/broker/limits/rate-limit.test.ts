import { describe, expect, it } from 'vitest'
import { createFakeClock } from '../../../test/support/fake-clock.ts'
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
    ['the same IPv4 address, as IPv6 writes it', '192.0.2.1', '::ffff:192.0.2.1', true],
    ['the same IPv4 address in hexadecimal digits', '192.0.2.1', '::ffff:c000:201', true],
    ['what is no address', 'x', 'y', false],
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

  it.each([
    ['IPv6 networks of a site', (index: number) => `2001:db8:7:${index.toString(16)}::1`, 4],
    ['IPv6 networks of a provider', (index: number) => `2001:db8:${index.toString(16)}::1`, 10],
    ['IPv4 addresses of a site', (index: number) => `198.51.100.${index}`, 4],
    ['IPv4 addresses of a provider', (index: number) => `198.51.${index}.1`, 10],
    ['IPv4 addresses as IPv6 writes them', (index: number) => `::ffff:198.51.100.${index}`, 4],
  ])('bounds %s together, and leaves everybody else their turn', (_name, nameAddress, times) => {
    for (const create of [createRateLimit, createAddressLimit]) {
      const limit = create(2, createFakeClock())
      const addresses = Array.from({ length: 40 }, (_, index) => nameAddress(index))
      const kept = [...addresses, ...addresses].filter((address) => limit.count(address) === undefined)
      expect(kept).toHaveLength(2 * times)
      expect(limit.check(nameAddress(41))).toBeGreaterThan(0)
      expect([limit.check('203.0.113.1'), limit.count('203.0.113.1'), limit.count('2001:db9::1')]).toEqual(
        Array(3).fill(undefined),
      )
    }
  })

  it('has a bound for all addresses together only where what they do stays', () => {
    const [lasting, passing] = [createRateLimit(1, createFakeClock()), createAddressLimit(1, createFakeClock())]
    const addresses = Array.from({ length: 40 }, (_, index) => `${index + 1}.0.2.1`)
    expect(addresses.map((address) => lasting.count(address)).filter((wait) => wait === undefined)).toHaveLength(30)
    expect(addresses.map((address) => passing.count(address)).filter((wait) => wait === undefined)).toHaveLength(40)
  })
})

import { describe, expect, it } from 'vitest'
import { createFakeClock } from '../../test/support/fake-clock.ts'
import { createLookBudget, LOOK_INTERVAL_MS } from './look-budget.ts'

describe('looks at the keys of an issuer', () => {
  it.each([
    ['an address', '192.0.2.1', '192.0.2.1', '192.0.2.2'],
    ['an IPv4 address and the same in IPv6', '192.0.2.1', '::ffff:192.0.2.1', '::ffff:192.0.2.2'],
    ['the addresses of one subscriber', '2001:db8:1:2::1', '2001:db8:1:2:ffff::9', '2001:db8:1:3::1'],
  ])('are shared by %s', (_what, first, same, other) => {
    const clock = createFakeClock()
    const looks = createLookBudget(clock)
    expect(looks.take(first)).toBe(true)
    const nextAt = clock.monotonic() + LOOK_INTERVAL_MS
    expect([looks.take(same), looks.hasLooked(same), looks.nextAt(same)]).toEqual([false, true, nextAt])
    expect([looks.hasLooked(other), looks.take(other)]).toEqual([false, true])
    clock.advance(LOOK_INTERVAL_MS)
    expect(looks.take(same)).toBe(true)
  })
})

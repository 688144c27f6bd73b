import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createFakeClock } from '../../test/support/fake-clock.ts'
import { measureMemory } from '../../test/support/memory.ts'
import type { BucketDemand, PlaceDemand } from '../core/counters.ts'
import { createLocalCounters } from './local-counters.ts'

const bucket = (key: string, tokens = 1): BucketDemand => ({ kind: 'bucket', key, tokens, tokenMs: 1000, burst: 10 })
const place = (key: string, ...holders: string[]): PlaceDemand => ({
  kind: 'place',
  key,
  holders,
  most: 2,
  expiresAfterMs: 60_000,
})

describe('a bucket', () => {
  it('gives what it holds at once, and then one token for each time that one takes to come back', () => {
    const clock = createFakeClock()
    const { take } = createLocalCounters(clock)
    expect(take([bucket('a', 10)])).toBeUndefined()
    expect(take([bucket('a')])).toEqual({ index: 0, waitMs: 1000 })
    clock.advance(999)
    expect(take([bucket('a')])).toEqual({ index: 0, waitMs: 1 })
    clock.advance(1)
    expect(take([bucket('a')])).toBeUndefined()
    expect(take([bucket('a')])).toEqual({ index: 0, waitMs: 1000 })
  })

  it('never holds more than its burst, however long it is left alone', () => {
    const clock = createFakeClock()
    const { take } = createLocalCounters(clock)
    void take([bucket('a')])
    clock.advance(3_600_000)
    expect(take([bucket('a', 10)])).toBeUndefined()
    expect(take([bucket('a')])).toBeDefined()
  })

  it('says that more tokens than its burst will never be there', () => {
    expect(createLocalCounters(createFakeClock()).take([bucket('a', 11)])).toEqual({ index: 0, waitMs: undefined })
  })

  it('never gives more than its burst and what came back meanwhile, whatever is asked when', () => {
    const steps = fc.array(fc.record({ tokens: fc.integer({ min: 1, max: 10 }), pause: fc.integer({ min: 0, max: 20_000 }) }))
    fc.assert(
      fc.property(steps, (asked) => {
        const clock = createFakeClock()
        const { take } = createLocalCounters(clock)
        let given = 0
        for (const { tokens, pause } of asked) {
          if (take([bucket('a', tokens)]) === undefined) given += tokens
          expect(given).toBeLessThanOrEqual(10 + clock.monotonic() / 1000)
          clock.advance(pause)
        }
      }),
    )
  })
})

describe('places', () => {
  it('are as many as there are, until one is released', () => {
    const { take, release } = createLocalCounters(createFakeClock())
    expect(take([place('a', '1')])).toBeUndefined()
    expect(take([place('a', '2')])).toBeUndefined()
    expect(take([place('a', '3')])).toEqual({ index: 0, waitMs: undefined })
    expect(take([place('b', '3')])).toBeUndefined()
    release([place('a', '1')])
    expect(take([place('a', '3')])).toBeUndefined()
  })

  it('are free again when they were not held anew', () => {
    const clock = createFakeClock()
    const { take, hold } = createLocalCounters(clock)
    void take([place('a', '1', '2')])
    clock.advance(59_999)
    hold([place('a', '2')])
    expect(take([place('a', '3')])).toBeDefined()
    clock.advance(1)
    expect(take([place('a', '3')])).toBeUndefined()
    expect(take([place('a', '4')])).toBeDefined()
  })

  it('that are only held, and asked for by nothing, are forgotten when their time is over', () => {
    const clock = createFakeClock()
    const { hold, take } = createLocalCounters(clock)
    const before = measureMemory()
    for (let times = 0; times < 10_000; times += 1) {
      hold([place('a', `${times} ${'x'.repeat(1000)}`.toUpperCase())])
      clock.advance(1000)
    }
    expect(measureMemory() - before).toBeLessThan(2_000_000)
    expect(take([place('a', 'another')])).toBeDefined()
  })

  it('are not given in part', () => {
    const { take } = createLocalCounters(createFakeClock())
    expect(take([place('a', '1', '2', '3')])).toEqual({ index: 0, waitMs: undefined })
    expect(take([place('a', '1', '2')])).toBeUndefined()
  })
})

it('takes nothing where one of several demands is not met', () => {
  const { take } = createLocalCounters(createFakeClock())
  void take([place('full', '1', '2')])
  expect(take([bucket('a', 10), place('b', '1', '2'), place('full', '3')])).toEqual({ index: 2, waitMs: undefined })
  expect(take([bucket('a', 10), place('b', '1', '2')])).toBeUndefined()
})

it('tells the shortage that lasts longest, so that no client waits in vain', () => {
  const { take } = createLocalCounters(createFakeClock())
  const slow = { ...bucket('slow'), tokenMs: 60_000, burst: 1 }
  void take([bucket('quick', 10), slow, place('full', '1', '2')])
  expect(take([place('full', '3'), bucket('quick'), slow])).toEqual({ index: 2, waitMs: 60_000 })
  expect(take([slow, bucket('quick'), place('full', '3')])).toEqual({ index: 0, waitMs: 60_000 })
  expect(take([slow, bucket('never', 11), place('full', '3')])).toEqual({ index: 1, waitMs: undefined })
})

it('has its part of each limit, and at least one, where several processes divide it', () => {
  const clock = createFakeClock()
  const { take } = createLocalCounters(clock, 3)
  expect(take([bucket('a', 3)])).toBeUndefined()
  expect(take([bucket('a')])).toEqual({ index: 0, waitMs: 3000 })
  expect(take([place('a', '1')])).toBeUndefined()
  expect(take([place('a', '2')])).toEqual({ index: 0, waitMs: undefined })
})

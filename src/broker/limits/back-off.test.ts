import { describe, expect, it } from 'vitest'
import { createFakeClock } from '../../../test/support/fake-clock.ts'
import { createBackOff } from './back-off.ts'

const always = () => true

function start() {
  const clock = createFakeClock()
  const backOff = createBackOff(clock)
  let tries = 0
  const fail = (counts = always) =>
    backOff.guard(() => Promise.reject(new Error(`try ${++tries}`)), counts).catch((error: Error) => error.message)
  return { clock, backOff, fail, countTries: () => tries }
}

describe('keeping away from what has failed', () => {
  it('tells the same failure again, twice as long each time, up to a minute', async () => {
    const { clock, backOff, fail, countTries } = start()
    const delays: number[] = []
    for (let round = 1; round <= 9; round++) {
      expect(await fail()).toBe(`try ${round}`)
      expect(await fail()).toBe(`try ${round}`)
      delays.push(backOff.delay)
      clock.advance(backOff.delay)
    }
    expect(delays).toEqual([1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000, 60_000])
    expect(countTries()).toBe(9)
  })

  it('begins anew after a success', async () => {
    const { clock, backOff, fail } = start()
    await fail()
    clock.advance(1000)
    await fail()
    clock.advance(2000)
    expect(await backOff.guard(() => Promise.resolve('well'), always)).toBe('well')
    await fail()
    expect(backOff.delay).toBe(1000)
  })

  it('does not keep away from failures that say nothing of the next try', async () => {
    const { backOff, fail } = start()
    const never = () => false
    expect([await fail(never), await fail(never), backOff.delay]).toEqual(['try 1', 'try 2', 0])
  })
})

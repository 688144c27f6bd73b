import { describe, expect, it } from 'vitest'
import { Backoff } from './backoff.ts'

describe('starting again after a failure', () => {
  it('waits for 0.1 seconds, then twice as long each time, up to 30 seconds', () => {
    const backoff = new Backoff()
    const delays = Array.from({ length: 12 }, () => {
      backoff.failed('a', 0, 1000)
      return backoff.delay('a', 1000)
    })
    expect(delays).toEqual([100, 200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 30_000, 30_000, 30_000])
    expect(backoff.delay('a', 32_000)).toBe(0)
  })

  it('does not affect other keys, and is forgotten once a child has lived long enough or ended in order', () => {
    const backoff = new Backoff()
    for (let i = 0; i < 5; i++) backoff.failed('a', 0, 0)
    expect(backoff.delay('b', 0)).toBe(0)
    backoff.failed('a', 60_000, 0)
    expect(backoff.delay('a', 0)).toBe(100)
    backoff.succeeded('a')
    expect(backoff.delay('a', 0)).toBe(0)
  })
})

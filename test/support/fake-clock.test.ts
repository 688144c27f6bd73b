import { expect, it } from 'vitest'
import { createFakeClock } from './fake-clock.ts'

it('runs what is due, in order and at its time, when time passes', () => {
  const clock = createFakeClock(1_000_000)
  const seen: [string, number][] = []
  clock.after(20, () => seen.push(['once', clock.monotonic()]))
  const stop = clock.every(15, () => seen.push(['again', clock.wall() - 1_000_000]))
  const cancel = clock.after(40, () => seen.push(['cancelled', clock.monotonic()]))
  cancel()
  clock.advance(35)
  expect(seen).toEqual([
    ['again', 15],
    ['once', 20],
    ['again', 30],
  ])
  stop()
  expect(clock.pending).toBe(0)
  clock.advance(100)
  expect(seen).toHaveLength(3)
})

it('lets a repeated task stop itself', () => {
  const clock = createFakeClock()
  let runs = 0
  const stop = clock.every(10, () => {
    runs++
    stop()
  })
  clock.advance(100)
  expect(runs).toBe(1)
})

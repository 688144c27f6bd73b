import { expect, it, vi } from 'vitest'
import { createFakeClock } from '../../test/support/fake-clock.ts'
import { watchIdle } from './idle-watch.ts'

it('tells once who waited for the whole time, and not sooner', () => {
  const clock = createFakeClock()
  const onIdle = vi.fn()
  watchIdle(10, onIdle, clock)
  clock.advance(10_000)
  expect(onIdle).not.toHaveBeenCalled()
  clock.advance(500)
  expect(onIdle).toHaveBeenCalledOnce()
  clock.advance(60_000)
  expect(onIdle).toHaveBeenCalledOnce()
})

it('counts anew with each sign of life', () => {
  const clock = createFakeClock()
  const onIdle = vi.fn()
  const watch = watchIdle(10, onIdle, clock)
  for (let i = 0; i < 5; i++) {
    clock.advance(9000)
    watch.touch()
  }
  expect(onIdle).not.toHaveBeenCalled()
  clock.advance(10_500)
  expect(onIdle).toHaveBeenCalledOnce()
})

it('never tells of what has stopped waiting, also when another watch stops it, and leaves no timer behind', () => {
  const clock = createFakeClock()
  const [stopped, others] = [vi.fn(), vi.fn()]
  const first = watchIdle(1, () => second.stop(), clock)
  const second = watchIdle(1, stopped, clock)
  watchIdle(1, others, clock)
  watchIdle(1, stopped, clock).stop()
  clock.advance(5000)
  expect(stopped).not.toHaveBeenCalled()
  expect(others).toHaveBeenCalledOnce()
  first.stop()
  expect(clock.pending).toBe(0)
})

it.each([0.2, 1, 1.5, 5, 19])('after %f seconds is late by five percent at most', (seconds) => {
  const clock = createFakeClock()
  const onIdle = vi.fn()
  // Between two ticks of the watches that are there already.
  watchIdle(seconds, vi.fn(), clock)
  clock.advance(seconds * 13)
  watchIdle(seconds, onIdle, clock)
  clock.advance(seconds * 999)
  expect(onIdle).not.toHaveBeenCalled()
  clock.advance(seconds * 51)
  expect(onIdle).toHaveBeenCalledOnce()
})

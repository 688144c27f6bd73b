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

import { describe, expect, it } from 'vitest'
import { createFakeClock } from '../../test/support/fake-clock.ts'
import type { Extent } from '../core/collect-garbage.ts'
import { collectAtRest } from './collect-at-rest.ts'

function start(open = 0) {
  const clock = createFakeClock()
  const state = { ended: 0, open, utilization: 0, collections: [] as Extent[] }
  const stop = collectAtRest({
    clock,
    countEnded: () => state.ended,
    countOpen: () => state.open,
    measureUtilization: () => state.utilization,
    collect: (extent) => {
      state.collections.push(extent)
    },
  })
  const pass = (): void => clock.advance(5000)
  expect(state.collections).toEqual(['major'])
  return { clock, state, stop, pass }
}

/** One that has been at rest since its start. */
function watch() {
  const started = start()
  started.pass()
  expect(started.state.collections).toEqual(['major', 'compacting'])
  started.state.collections = []
  return started
}

describe('a process at rest', () => {
  it('collects what its start has left, at once and, moving what stays together, when it has little to do, and then no more', () => {
    const { state, pass } = watch()
    pass()
    expect(state.collections).toEqual([])
  })

  it('collects what many streams have left, once', () => {
    const { state, pass } = watch()
    state.ended = 250
    pass()
    expect(state.collections).toEqual(['compacting'])
    for (let look = 0; look < 10; look += 1) pass()
    expect(state.collections).toEqual(['compacting'])
    state.ended = 500
    pass()
    expect(state.collections).toEqual(['compacting', 'compacting'])
  })

  it('moves nothing while more streams are open than have ended', () => {
    const { state, pass } = watch()
    Object.assign(state, { ended: 250, open: 250 })
    pass()
    Object.assign(state, { ended: 501, open: 250 })
    pass()
    expect(state.collections).toEqual(['major', 'compacting'])
  })

  it.each<[number, Extent]>([
    [249, 'compacting'],
    [250, 'major'],
    [10_000, 'major'],
  ])('after a start to which %i streams have come back collects what the start has left: %s', (open, extent) => {
    const { state, pass } = start(open)
    pass()
    expect(state.collections).toEqual(['major', extent])
  })

  it('waits until it has little to do', () => {
    const { state, pass } = watch()
    Object.assign(state, { ended: 1000, utilization: 0.2 })
    pass()
    expect(state.collections).toEqual([])
    state.utilization = 0.05
    pass()
    expect(state.collections).toEqual(['compacting'])
  })

  it('does not stop for what few streams have left', () => {
    const { state, pass } = watch()
    state.ended = 249
    pass()
    expect(state.collections).toEqual([])
  })

  it('watches until it is told to stop', () => {
    const { clock, stop } = watch()
    expect(clock.pending).toBe(1)
    stop()
    expect(clock.pending).toBe(0)
  })
})

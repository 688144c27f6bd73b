import { describe, expect, it } from 'vitest'
import { createFakeClock } from '../../../../test/support/fake-clock.ts'
import { settle } from '../../../../test/support/fake-processes.ts'
import { awaitSilence, escalate } from './process-group.ts'

describe('the end of a process', () => {
  it('is asked for twice: SIGTERM after a time, SIGKILL after the same time again', async () => {
    const clock = createFakeClock()
    const signals: string[] = []
    const { promise, resolve } = Promise.withResolvers<void>()
    escalate(clock, 2000, (name) => void signals.push(name), promise)
    clock.advance(2000)
    expect(signals).toEqual(['SIGTERM'])
    clock.advance(2000)
    expect(signals).toEqual(['SIGTERM', 'SIGKILL'])
    resolve()
    await settle()
    expect(clock.pending).toBe(0)
  })

  it('comes when its output has been silent for a while, and however much it writes after a second', () => {
    const clock = createFakeClock()
    let ends = 0
    const { heard } = awaitSilence(clock, { silentMs: 50, longestMs: 1000 }, () => void ends++)
    for (let i = 0; i < 24; i++) {
      clock.advance(40)
      heard()
    }
    expect(ends).toBe(0)
    clock.advance(40)
    expect(ends).toBe(1)
    let silent = 0
    awaitSilence(clock, { silentMs: 50, longestMs: 1000 }, () => void silent++)
    clock.advance(50)
    expect(silent).toBe(1)
  })
})

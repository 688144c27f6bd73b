import { EventEmitter } from 'node:events'
import { describe, expect, it } from 'vitest'
import { systemClock } from '../core/clock.ts'
import { acceptWaiting } from './accept-waiting.ts'

/** Waits with a server that accepts a connection in each of the first turns, and turns that take these milliseconds, then none. */
async function countTurns(connections: number, durations: readonly number[] = []): Promise<number> {
  const server = new EventEmitter()
  let turns = 0
  let isOver = false
  const turn = (): void => {
    if (isOver) return
    turns += 1
    if (turns <= connections) server.emit('connection')
    setImmediate(turn)
  }
  setImmediate(turn)
  const left = [...durations]
  let time = 0
  let reads = 0
  // Read at the beginning and at the end of each turn.
  const monotonic = (): number => {
    reads += 1
    if (reads % 2 === 0) time += left.shift() ?? 0
    return time
  }
  await acceptWaiting(server, { ...systemClock, monotonic })
  isOver = true
  expect(server.listenerCount('connection')).toBe(0)
  return turns
}

describe('a listening socket is closed', () => {
  it('after a turn of the event loop in which no connection came, and not in the one that had begun', async () => {
    expect(await countTurns(0)).toBe(2)
    expect(await countTurns(7)).toBe(8)
  })

  it('after a short turn: what arrives during a long one would be lost', async () => {
    expect(await countTurns(0, [3, 0.3, 0.1])).toBe(4)
  })

  it('at some time, whatever comes', async () => {
    expect(await countTurns(Number.POSITIVE_INFINITY)).toBe(5001)
  })
})

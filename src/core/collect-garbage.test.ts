import { getHeapStatistics } from 'node:v8'
import { describe, expect, it } from 'vitest'
import { collectGarbage } from './collect-garbage.ts'

describe('collecting garbage', () => {
  it('needs no flag of the command line, and shows the collector to no other code', async () => {
    expect(process.execArgv).not.toContain('--expose-gc')
    let collected = 0
    const registry = new FinalizationRegistry(() => {
      collected += 1
    })
    for (let i = 0; i < 100; i += 1) registry.register(new Uint8Array(1024), i)
    // Finalizers run in a later turn.
    for (let turn = 0; turn < 100 && collected === 0; turn += 1) {
      collectGarbage('major')
      await new Promise((resolve) => setImmediate(resolve))
    }
    expect(collected).toBeGreaterThan(0)
    expect('gc' in globalThis).toBe(false)
  })

  it('gives back pages of which half is in use, where it compacts', () => {
    const mebibyte = 1024 * 1024
    let pieces: readonly number[][] = Array.from({ length: 160_000 }, (_, index) => new Array<number>(8).fill(index))
    collectGarbage('major')
    pieces = pieces.filter((_, index) => index % 2 === 0)
    for (let i = 0; i < 3; i += 1) collectGarbage('major')
    const before = getHeapStatistics().total_heap_size
    collectGarbage('compacting')
    expect(before - getHeapStatistics().total_heap_size).toBeGreaterThan(3 * mebibyte)
    expect(pieces).toHaveLength(80_000)
  })
})

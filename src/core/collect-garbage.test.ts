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
})

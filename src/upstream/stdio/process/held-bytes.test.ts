import { describe, expect, it } from 'vitest'
import { createCountingMemory } from '../../../../test/support/fake-processes.ts'
import { HeldBytes } from './held-bytes.ts'

describe('the memory of a process', () => {
  it('is given back once, whatever its pipes report afterwards', () => {
    const memory = createCountingMemory()
    const held = new HeldBytes(memory)
    held.take(10)
    held.give(4)
    held.giveAll()
    held.give(6)
    expect(memory.held).toBe(0)
  })
})

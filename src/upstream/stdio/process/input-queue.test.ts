import { Writable } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { createCountingMemory, settle } from '../../../../test/support/fake-processes.ts'
import { HeldBytes } from './held-bytes.ts'
import { InputQueue } from './input-queue.ts'

/** An input that takes what is written only when a test says so. */
function openInput() {
  const written: string[] = []
  const taken: (() => void)[] = []
  const input = new Writable({
    decodeStrings: false,
    write(chunk, _encoding, callback) {
      written.push(String(chunk))
      taken.push(callback)
    },
  })
  const memory = createCountingMemory()
  return { written, taken, memory, queue: new InputQueue(input, new HeldBytes(memory)) }
}

describe('messages for a process', () => {
  it('of one tick are written together, one a line, and hold memory until they are read', async () => {
    const { queue, written, taken, memory } = openInput()
    expect([queue.push('{"a":1}'), queue.push('{"b":2}')]).toEqual([true, true])
    expect([written, memory.held]).toEqual([[], 14])
    await settle()
    expect([written, memory.held]).toEqual([['{"a":1}\n{"b":2}\n'], 14])
    taken[0]!()
    await settle()
    expect(memory.held).toBe(0)
  })

  it('are all that is written: a check of the input adds nothing to them, nor to one that does not read', async () => {
    const { queue, written, taken } = openInput()
    queue.check()
    expect(written).toEqual([''])
    taken[0]!()
    queue.push('1')
    queue.flush()
    queue.check()
    expect(written.join('')).toBe('1\n')
  })

  it('have line separators of other programs escaped', async () => {
    const { queue, written } = openInput()
    queue.push('"\u2028\u2029"')
    await settle()
    expect(written).toEqual(['"\\u2028\\u2029"\n'])
  })

  it('are a thousand at most, or eight million bytes, while it does not read', () => {
    const many = openInput()
    expect(Array.from({ length: 1001 }, () => many.queue.push('1')).filter((isTaken) => !isTaken)).toEqual([false])
    const long = openInput()
    expect([long.queue.push('x'.repeat(8 * 1024 * 1024)), long.queue.push('1')]).toEqual([true, false])
  })
})

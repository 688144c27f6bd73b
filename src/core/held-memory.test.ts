import { describe, expect, it } from 'vitest'
import { createHeldMemory } from './held-memory.ts'

describe('the memory of bridges to processes', () => {
  it('gives one user a quarter of it, whatever the server, and leaves the rest to others', () => {
    const memory = createHeldMemory(1000)
    const [mine, elsewhere, hers] = [memory.open('a', 'me'), memory.open('b', 'me'), memory.open('a', 'her')]
    expect([mine.take(200), elsewhere.take(50), elsewhere.take(1), mine.take(1)]).toEqual([true, true, false, false])
    expect(hers.take(250)).toBe(true)
    mine.give(200)
    expect(elsewhere.take(200)).toBe(true)
  })

  it('gives one server half of it', () => {
    const memory = createHeldMemory(1000)
    expect([1, 2, 3].map((user) => memory.open('a', `u${user}`).take(200))).toEqual([true, true, false])
    expect(memory.open('b', 'u3').take(200)).toBe(true)
  })

  it('is never more than all of it', () => {
    const memory = createHeldMemory(1000)
    const taken = Array.from({ length: 20 }, (_, i) => memory.open(`s${i}`, `u${i}`).take(100))
    expect(taken.filter(Boolean)).toHaveLength(10)
  })

  it('has room for one message of a user who holds nothing, but not for what can be spared', () => {
    const share = createHeldMemory(1000).open('a', 'me')
    expect(share.take(400, 0.5)).toBe(false)
    expect(share.take(400)).toBe(true)
    expect(share.take(1)).toBe(false)
  })

  it('keeps room for answers when events are kept', () => {
    const share = createHeldMemory(1000).open('a', 'me')
    while (share.take(10, 0.5));
    expect(share.take(100)).toBe(true)
  })
})

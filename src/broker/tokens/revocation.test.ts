import { describe, expect, it } from 'vitest'
import { createFakeClock } from '../../../test/support/fake-clock.ts'
import { createMemoryStore } from '../../store/memory-store.ts'
import { createRevocations } from './revocation.ts'

/** A store that answers each look with what was there when it was asked, but only when it is told to. */
function createSlowStore() {
  const clock = createFakeClock()
  const store = createMemoryStore(clock)
  const waiting: (() => void)[] = []
  const slow = {
    ...store,
    async find(kind: string, id: string) {
      const found = await store.find(kind, id)
      await new Promise<void>((resolve) => waiting.push(resolve))
      return found
    },
  }
  const answerAll = () => {
    for (const answer of waiting.splice(0)) answer()
  }
  return { store: slow, revocations: createRevocations(slow, clock), waiting, answerAll }
}

describe('a token that is revoked while the store is asked about it', () => {
  it.each([
    ['the token is revoked', (slow: ReturnType<typeof createSlowStore>) => slow.revocations.revoke('token', 60_000)],
    ['the sign-in ends', async (slow: ReturnType<typeof createSlowStore>) => slow.revocations.forget()],
  ])('is asked about again by the next call: %s', async (_name, end) => {
    const stage = createSlowStore()
    const first = stage.revocations.isActive('token', undefined)
    while (stage.waiting.length === 0) await Promise.resolve()
    await end(stage)
    stage.answerAll()
    await first
    const second = stage.revocations.isActive('token', undefined)
    expect(second).not.toBe(true)
    while (stage.waiting.length === 0) await Promise.resolve()
    stage.answerAll()
    await second
  })

  it('is not asked about again for a while when nothing ended', async () => {
    const stage = createSlowStore()
    const first = stage.revocations.isActive('token', undefined)
    while (stage.waiting.length === 0) await Promise.resolve()
    stage.answerAll()
    expect(await first).toBe(true)
    expect(stage.revocations.isActive('token', undefined)).toBe(true)
  })
})

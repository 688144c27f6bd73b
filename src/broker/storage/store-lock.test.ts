import { describe, expect, it } from 'vitest'
import { createFakeClock } from '../../../test/support/fake-clock.ts'
import { createMemoryStore } from '../../store/memory-store.ts'
import { withStoreLock } from './store-lock.ts'

function openLock() {
  const clock = createFakeClock()
  const store = createMemoryStore(clock)
  const options = { store, clock, kind: 'Lock', expiresMs: 1000, waitMs: 500 }
  return { clock, store, lock: <T>(work: () => Promise<T>) => withStoreLock('key', work, options) }
}

describe('a lock in the store', () => {
  it('expires for the next owner, whose lock the first owner does not release', async () => {
    const { clock, store, lock } = openLock()
    const order: string[] = []
    const begin = (name: string, until: Promise<void>) =>
      lock(async () => {
        order.push(name)
        await until
      })
    const slow = Promise.withResolvers<void>()
    const next = Promise.withResolvers<void>()

    const first = begin('slow', slow.promise)
    await expect.poll(() => order).toEqual(['slow'])
    clock.advance(1000)
    const second = begin('next', next.promise)
    await expect.poll(() => order.at(-1)).toBe('next')
    slow.resolve()
    await first
    expect(await store.add('Lock', 'key', 'a third')).toBe(false)
    next.resolve()
    await second
    expect(await store.add('Lock', 'key', 'a third')).toBe(true)
  })

  it('is released when the work fails', async () => {
    const { store, lock } = openLock()
    await expect(lock(() => Promise.reject(new Error('failed')))).rejects.toThrow('failed')
    expect(await store.add('Lock', 'key', 'the next')).toBe(true)
  })

  it('is an error for a process that has waited long enough, and stays with its owner', async () => {
    const { clock, store, lock } = openLock()
    await store.add('Lock', 'key', 'the owner')
    let isWaiting = true
    const waiting = lock(async () => 'done').finally(() => {
      isWaiting = false
    })
    const failed = expect(waiting).rejects.toThrow('another process has held the lock for too long')
    while (isWaiting) {
      clock.advance(100)
      await new Promise(setImmediate)
    }
    await failed
    expect(await store.find('Lock', 'key')).toBe('the owner')
  })
})

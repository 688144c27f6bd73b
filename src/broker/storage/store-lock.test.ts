import { expect, it } from 'vitest'
import { createFakeClock } from '../../../test/support/fake-clock.ts'
import { createMemoryStore } from '../../store/memory-store.ts'
import { doInTurn } from './store-lock.ts'

it('leaves its turn to the next when it took too long, and does not end that one’s turn when it is done', async () => {
  const clock = createFakeClock()
  const store = createMemoryStore(() => clock.wall())
  const options = { store, clock, kind: 'Lock', mostMs: 1000, waitMs: 500 }
  const order: string[] = []
  const slow = Promise.withResolvers<void>()
  const next = Promise.withResolvers<void>()
  const begin = (name: string, until: Promise<void>) => {
    const work = async () => {
      order.push(`${name} begins`)
      await until
    }
    return doInTurn('key', work, options)
  }

  const first = begin('slow', slow.promise)
  await expect.poll(() => order).toEqual(['slow begins'])
  clock.advance(1000)
  const second = begin('next', next.promise)
  await expect.poll(() => order.at(-1)).toBe('next begins')
  slow.resolve()
  await first
  expect(await store.add('Lock', 'key', 'a third')).toBe(false)
  next.resolve()
  await second
  expect(await store.add('Lock', 'key', 'a third')).toBe(true)
})

import { expect, it } from 'vitest'
import { createFakeClock } from '../../test/support/fake-clock.ts'
import { cleanPeriodically } from './clean.ts'
import { createMemoryStore, type Kinds } from './memory-store.ts'

it('removes expired entries within a minute, also where nothing is written', async () => {
  const clock = createFakeClock()
  const kinds: Kinds = new Map()
  const store = createMemoryStore(clock, 100, kinds)
  await store.put('kind', 'short', 'x', { expiresAt: clock.wall() + 1000 })
  await store.put('kind', 'long', 'x', { expiresAt: clock.wall() + 90_000 })
  clock.advance(60_000)
  expect([...(kinds.get('kind') ?? [])].map(([id]) => id)).toEqual(['long'])
  await store.close()
  expect(clock.pending).toBe(0)
})

it('goes on after a round that failed', () => {
  const clock = createFakeClock()
  let rounds = 0
  cleanPeriodically(() => {
    rounds += 1
    if (rounds === 1) throw new Error('the database is locked')
  }, clock)
  clock.advance(120_000)
  expect(rounds).toBe(2)
})

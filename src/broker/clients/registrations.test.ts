import { beforeEach, describe, expect, it } from 'vitest'
import { createFakeClock } from '../../../test/support/fake-clock.ts'
import { hashId } from '../../core/hash-id.ts'
import type { Store } from '../../core/store.ts'
import { createMemoryStore } from '../../store/memory-store.ts'
import { createRegistrations, type Registrations } from './registrations.ts'

const plan = { enabled: true, mostClients: 3, perMinute: 1000, unusedSeconds: 60, idleSeconds: 600 }

let clock: ReturnType<typeof createFakeClock>
let store: Store
let registrations: Registrations

beforeEach(() => {
  clock = createFakeClock()
  store = createMemoryStore(clock)
  registrations = createRegistrations(store, plan, clock)
})

/** Registers as the provider does. */
async function register(id: string, address = '192.0.2.1'): Promise<number | undefined> {
  clock.advance(1)
  return registrations.admit(address, async () => {
    await registrations.accept(hashId(id))
    await store.put('Client', hashId(id), id, { expiresAt: clock.wall() + plan.unusedSeconds * 1000 })
  })
}
const isKept = async (id: string) => (await store.find('Client', hashId(id))) !== undefined
async function listKept(...ids: string[]): Promise<string[]> {
  const kept = await Promise.all(ids.map(isKept))
  return ids.filter((_, index) => kept[index])
}

describe('a registration for which there is no place', () => {
  it('takes that of the oldest that was never used', async () => {
    for (const id of ['a', 'b', 'c']) await register(id)
    await registrations.keep('a')
    expect(await register('d')).toBeUndefined()
    expect(await listKept('a', 'b', 'c', 'd')).toEqual(['a', 'c', 'd'])
    expect(await register('e')).toBeUndefined()
    expect(await listKept('a', 'c', 'd', 'e')).toEqual(['a', 'd', 'e'])
  })

  it('is told to wait where all are in use, until one of them ends', async () => {
    for (const id of ['a', 'b', 'c']) {
      await register(id)
      await registrations.keep(id)
    }
    expect(await register('d')).toBeGreaterThan(0)
    expect(await listKept('a', 'b', 'c', 'd')).toEqual(['a', 'b', 'c'])
    clock.advance(600_000)
    expect(await register('d')).toBeUndefined()
  })

  it('takes none when it comes to nothing itself', async () => {
    for (const id of ['a', 'b', 'c']) await register(id)
    await expect(registrations.admit('192.0.2.1', () => Promise.reject(new Error('refused')))).rejects.toThrow('refused')
    await registrations.admit('192.0.2.1', async () => {})
    expect(await listKept('a', 'b', 'c')).toEqual(['a', 'b', 'c'])
  })

  it('takes one of the network that has the most of them, whichever of its addresses they came from', async () => {
    registrations = createRegistrations(store, { ...plan, mostClients: 5 }, clock)
    await register('other', '203.0.113.1')
    for (const index of [1, 2, 3, 4]) await register(`flood ${index}`, `2001:db8:1:${index}::1`)
    for (const index of [5, 6, 7]) await register(`flood ${index}`, `2001:db8:1:${index}::1`)
    expect(await listKept('other', 'flood 1', 'flood 2', 'flood 3', 'flood 7')).toEqual(['other', 'flood 7'])
    await register('another', '203.0.113.1')
    expect(await listKept('other', 'another', 'flood 4', 'flood 5')).toEqual(['other', 'another', 'flood 5'])
  })

  it('also takes the places that processes took together beyond the bound', async () => {
    for (const id of ['a', 'b', 'c']) await register(id)
    for (const id of ['x', 'y']) {
      await store.put('Client', hashId(id), id)
      await store.put('UnusedClient', hashId(id), '', { expiresAt: clock.wall() + 1000 })
    }
    await register('d')
    expect(await store.count('Client')).toBe(3)
  })
})

describe('registrations that are used', () => {
  it('are never ended for others, however many come from one address (hosted clients)', async () => {
    registrations = createRegistrations(store, { ...plan, mostClients: 20 }, clock)
    const hosted = Array.from({ length: 15 }, (_, index) => `hosted ${index}`)
    for (const id of hosted) {
      expect(await register(id)).toBeUndefined()
      await registrations.keep(id)
    }
    for (let index = 0; index < 50; index += 1) expect(await register(`flood ${index}`, '203.0.113.1')).toBeUndefined()
    expect(await listKept(...hosted)).toEqual(hosted)
    expect(await register('hosted next')).toBeUndefined()
    expect(await isKept('hosted next')).toBe(true)
  })

  it('last for longer than those that are not, and end when they are idle', async () => {
    for (const id of ['used', 'unused']) await register(id)
    await registrations.keep('used')
    clock.advance(60_000)
    expect(await listKept('used', 'unused')).toEqual(['used'])
    clock.advance(540_000)
    expect([await store.count('Client'), await store.count('UnusedClient')]).toEqual([0, 0])
  })
})

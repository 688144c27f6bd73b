import { describe, expect, it } from 'vitest'
import { createFakeClock } from '../../test/support/fake-clock.ts'
import { createMemoryStore } from '../store/memory-store.ts'
import { createRegistrations } from './registrations.ts'

const plan = { enabled: true, mostClients: 3, perMinute: 100, unusedSeconds: 60, idleSeconds: 60 }

describe('registrations', () => {
  it('that come together get as many places as there are, and a place that was not taken is free again', async () => {
    const store = createMemoryStore()
    const registrations = createRegistrations(store, plan, createFakeClock())
    const fail = () => Promise.reject(new Error('not taken'))
    await expect(registrations.admit('a', fail)).rejects.toThrow('not taken')
    let taken = 0
    const take = async () => {
      const id = String(++taken)
      await new Promise((resolve) => setImmediate(resolve))
      await store.put('Client', id, '{}')
    }
    const delays = await Promise.all(Array.from({ length: 8 }, () => registrations.admit('a', take)))
    expect(delays.filter((delay) => delay === undefined)).toHaveLength(3)
    expect(await store.count('Client')).toBe(3)
    await store.take('Client', '1')
    expect(await registrations.admit('a', take)).toBeUndefined()
    expect(await registrations.admit('a', take)).toBeGreaterThan(0)
  })
})

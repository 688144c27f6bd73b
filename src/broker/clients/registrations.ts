import { AsyncLocalStorage } from 'node:async_hooks'
import type { Clock } from '../../core/clock.ts'
import { hashId } from '../../core/hash-id.ts'
import type { RegistrationPlan } from '../../core/plan/broker-plan.ts'
import type { Store, StoredEntry } from '../../core/store.ts'
import { listNetworks } from '../../oauth/networks.ts'
import { createRateLimit } from '../limits/rate-limit.ts'

/** Keeps registrations from filling the store: any client may register. */
export interface Registrations {
  /**
   * Runs a registration unless there are too many.
   *
   * @returns seconds after which another try makes sense; undefined when it took place
   */
  admit(address: string, register: () => Promise<void>): Promise<number | undefined>
  /** Called before an accepted registration is stored. Evicts older registrations that were never used when there is no room. */
  accept(clientKey: string): Promise<void>
  /** Keeps a registration that is in use. */
  keep(clientId: string): Promise<void>
}

/** Retry time when all registrations are in use: one may expire at any time. */
const FULL_SECONDS = 600
/** The kind under which registrations that were never used are kept, with a digest of the network that they came from. */
const UNUSED = 'UnusedClient'
/** So many of the oldest are compared when one has to make room. */
const MAX_COMPARED = 100
/** So many make room at a time: processes that share the store may have gone beyond the bound together. */
const MAX_EVICTED = 4

export function createRegistrations(store: Store, plan: RegistrationPlan, clock: Clock): Registrations {
  const limit = createRateLimit(plan.perMinute, clock)
  const underway = new AsyncLocalStorage<string>()
  return {
    async admit(address, register) {
      const wait = limit.count(address)
      if (wait !== undefined) return wait
      const isFull = (await store.count('Client')) >= plan.mostClients && (await store.list(UNUSED, 1)).length === 0
      if (isFull) return FULL_SECONDS
      await underway.run(hashId(listNetworks(address)[1] ?? address), register)
      return undefined
    },
    async accept(clientKey) {
      const excess = (await store.count('Client')) + 1 - plan.mostClients
      for (let place = 0; place < Math.min(excess, MAX_EVICTED); place += 1) await evictUnused(store)
      const expiresAt = clock.wall() + plan.unusedSeconds * 1000
      await store.put(UNUSED, clientKey, underway.getStore() ?? '', { expiresAt })
    },
    async keep(clientId) {
      const key = hashId(clientId)
      await store.take(UNUSED, key)
      const text = await store.find('Client', key)
      if (text !== undefined) await store.put('Client', key, text, { expiresAt: clock.wall() + plan.idleSeconds * 1000 })
    },
  }
}

/** Ends the registration that is the least likely to be used still. One that is being used at this moment is no longer there to be taken. */
async function evictUnused(store: Store): Promise<void> {
  for (const { id } of sortForEviction(await store.list(UNUSED, MAX_COMPARED))) {
    if ((await store.take(UNUSED, id)) === undefined) continue
    await store.take('Client', id)
    return
  }
}

/** The oldest first, of the network that has the most of them: a flood ends its own registrations before those of others. */
function sortForEviction(oldest: readonly StoredEntry[]): StoredEntry[] {
  const counts = new Map<string, number>()
  for (const { value } of oldest) counts.set(value, (counts.get(value) ?? 0) + 1)
  return oldest.toSorted((one, other) => (counts.get(other.value) ?? 0) - (counts.get(one.value) ?? 0))
}

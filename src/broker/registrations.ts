import type { RegistrationPlan } from '../core/plan.ts'
import type { Store } from '../core/store.ts'
import type { Clock } from '../oauth/clock.ts'
import { hashId } from './adapter.ts'
import { createRateLimit } from './rate-limit.ts'

/** Keeps registrations from filling the store: anybody may register. */
export interface Registrations {
  /** Seconds after which another try makes sense; undefined when the registration may take place. */
  findDelay(address: string): Promise<number | undefined>
  /** Keeps a registration that is in use. */
  keep(clientId: string): Promise<void>
}

/** What is told when there are too many: a place may become free at any time. */
const FULL_SECONDS = 600

export function createRegistrations(store: Store, plan: RegistrationPlan, clock: Clock): Registrations {
  const limit = createRateLimit(plan.perMinute, clock)
  return {
    async findDelay(address) {
      const wait = limit.count(address)
      if (wait !== undefined) return wait
      return (await store.count('Client')) >= plan.mostClients ? FULL_SECONDS : undefined
    },
    async keep(clientId) {
      const key = hashId(clientId)
      const text = await store.find('Client', key)
      if (text !== undefined) await store.put('Client', key, text, { expiresAt: clock.wall() + plan.idleSeconds * 1000 })
    },
  }
}

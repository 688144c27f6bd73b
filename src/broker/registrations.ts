import type { RegistrationPlan } from '../core/plan.ts'
import type { Store } from '../core/store.ts'
import type { Clock } from '../oauth/clock.ts'
import { hashId } from './adapter.ts'
import { createRateLimit } from './rate-limit.ts'

/** Keeps registrations from filling the store: anybody may register. */
export interface Registrations {
  /**
   * Lets a registration take place, unless there are too many.
   *
   * @returns seconds after which another try makes sense; undefined when it took place
   */
  admit(address: string, register: () => Promise<void>): Promise<number | undefined>
  /** Keeps a registration that is in use. */
  keep(clientId: string): Promise<void>
}

/** What is told when there are too many: a place may become free at any time. */
const FULL_SECONDS = 600

export function createRegistrations(store: Store, plan: RegistrationPlan, clock: Clock): Registrations {
  const limit = createRateLimit(plan.perMinute, clock)
  // Those that are looked at together must not all take the last place.
  let underway = 0
  return {
    async admit(address, register) {
      const wait = limit.count(address)
      if (wait !== undefined) return wait
      const place = ++underway
      try {
        if ((await store.count('Client')) + place > plan.mostClients) return FULL_SECONDS
        await register()
        return undefined
      } finally {
        underway -= 1
      }
    },
    async keep(clientId) {
      const key = hashId(clientId)
      const text = await store.find('Client', key)
      if (text !== undefined) await store.put('Client', key, text, { expiresAt: clock.wall() + plan.idleSeconds * 1000 })
    },
  }
}

import { BoundedMap } from '../../core/bounded-map.ts'
import type { Clock } from '../../core/clock.ts'
import { hashId } from '../../core/hash-id.ts'
import type { Store } from '../../core/store.ts'

/**
 * Grants whose client was just told that it needs more scope. SDK v1 answers that by refreshing, which can't widen anything, and gives
 * up; told once that refreshing fails at the moment, it asks its user instead. The refresh may reach another process, so they share this.
 */
export interface StepUps {
  /** @param missing - scopes that the client's token lacks */
  note(grantId: string, missing: readonly string[]): void
  /** Scopes that the client was told to get a moment ago; undefined for none, and once they were asked for. */
  take(grantId: string): Promise<readonly string[] | undefined>
}

const KIND = 'StepUp'
/** The client refreshes at once, if that is what it does. */
const PENDING_MS = 10_000
const MAX_PENDING = 10_000
/** A client that is refused again and again has the store written to once in that time. */
const WRITE_EVERY_MS = 1000

interface Pending {
  readonly missing: string
  readonly at: number
}

export function createStepUps(store: Store, clock: Clock): StepUps {
  const pending = new BoundedMap<string, Pending>(MAX_PENDING)
  return {
    note(grantId, missing) {
      const [id, text, now] = [hashId(grantId), missing.join(' '), clock.monotonic()]
      const noted = pending.get(id)
      if (noted?.missing === text && now - noted.at < WRITE_EVERY_MS) return
      pending.set(id, { missing: text, at: now })
      // Without it the refresh succeeds and changes nothing. The store counts its failures itself.
      store.put(KIND, id, text, { expiresAt: clock.wall() + PENDING_MS }).catch(() => {})
    },
    async take(grantId) {
      const id = hashId(grantId)
      const own = pending.get(id)
      pending.delete(id)
      const stored = await store.find(KIND, id)
      if (stored !== undefined) await store.take(KIND, id)
      const isFresh = own !== undefined && clock.monotonic() < own.at + PENDING_MS
      // What this process said a moment ago may not be written yet.
      return (isFresh ? own.missing : stored)?.split(' ')
    },
  }
}

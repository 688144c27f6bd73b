import { BoundedMap } from '../../core/bounded-map.ts'
import type { Clock } from '../../core/clock.ts'

/**
 * Grants whose client was just told that it needs more scope. SDK v1 answers that by refreshing, which can't widen anything, and gives
 * up; told once that refreshing fails at the moment, it asks its user instead.
 */
export interface StepUps {
  /** @param missing - scopes that the client's token lacks */
  note(grantId: string, missing: readonly string[]): void
  /** Scopes that the client was told to get a moment ago; undefined for none, and once they were asked for. */
  take(grantId: string): readonly string[] | undefined
}

/** The client refreshes at once, if that is what it does. */
const PENDING_MS = 10_000
const MOST_PENDING = 10_000

export function createStepUps(clock: Clock): StepUps {
  const pending = new BoundedMap<string, { readonly missing: readonly string[]; readonly until: number }>(MOST_PENDING)
  return {
    note(grantId, missing) {
      pending.set(grantId, { missing, until: clock.monotonic() + PENDING_MS })
    },
    take(grantId) {
      const noted = pending.get(grantId)
      pending.delete(grantId)
      return noted !== undefined && clock.monotonic() < noted.until ? noted.missing : undefined
    },
  }
}

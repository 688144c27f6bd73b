import type { Clock } from '../oauth/clock.ts'

/**
 * Grants whose client was just told that it needs more scope. SDK v1 answers that by refreshing, which can't widen anything, and gives
 * up; refused once, it asks its user instead.
 */
export interface StepUps {
  note(grantId: string): void
  /** Whether the grant's next refresh should be refused; true once. */
  takePending(grantId: string | undefined): boolean
}

const PENDING_MS = 60_000
const MOST_PENDING = 10_000

export function createStepUps(clock: Clock): StepUps {
  const pending = new Map<string, number>()
  return {
    note(grantId) {
      pending.delete(grantId)
      pending.set(grantId, clock.monotonic() + PENDING_MS)
      const [oldest] = pending.keys()
      if (pending.size > MOST_PENDING && oldest !== undefined) pending.delete(oldest)
    },
    takePending(grantId) {
      const until = grantId === undefined ? undefined : pending.get(grantId)
      if (grantId !== undefined) pending.delete(grantId)
      return until !== undefined && clock.monotonic() < until
    },
  }
}

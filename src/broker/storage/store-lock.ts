import { randomUUID } from 'node:crypto'
import type { Clock } from '../../core/clock.ts'
import type { Store } from '../../core/store.ts'

export interface InTurnOptions {
  readonly store: Store
  readonly clock: Clock
  /** Kind of the locks in the store. */
  readonly kind: string
  /** Longest that one may take; another one goes on then, whatever became of the first. */
  readonly mostMs: number
  /** Longest to wait for one's turn. */
  readonly waitMs: number
  /** What to throw when others have taken too long. */
  readonly createError?: () => Error
}

const LOOK_MS = 100

/**
 * Does something alone, among all processes that share the store.
 *
 * @param key - what it is done to
 * @throws Error when others have taken too long
 */
export async function doInTurn<T>(key: string, work: () => Promise<T>, options: InTurnOptions): Promise<T> {
  const { store, clock, kind, mostMs, waitMs, createError } = options
  const holder = randomUUID()
  for (let waited = 0; waited < waitMs; waited += LOOK_MS) {
    if (await store.add(kind, key, holder, { expiresAt: clock.wall() + mostMs })) {
      try {
        return await work()
      } finally {
        // A lock that expired while it was held is that of the next process by now.
        await store.take(kind, key, holder)
      }
    }
    await new Promise<void>((resolve) => void clock.after(LOOK_MS, resolve))
  }
  throw createError?.() ?? new Error('another process has been at it for too long')
}

import { randomUUID } from 'node:crypto'
import type { Clock } from '../../core/clock.ts'
import type { Store } from '../../core/store.ts'

export interface StoreLockOptions {
  readonly store: Store
  readonly clock: Clock
  /** Kind of the locks in the store. */
  readonly kind: string
  /** The lock expires after this time, so that a dead owner blocks other processes no longer than that. */
  readonly expiresMs: number
  /** Longest time to wait for the lock. */
  readonly waitMs: number
  /** Creates the error for a lock that could not be acquired in time. */
  readonly createError?: () => Error
}

const POLL_MS = 100

/**
 * Runs `work` while holding a lock that all processes on the store respect.
 *
 * @param key - names what is locked
 * @param work - called with the time of the monotonic clock at which the lock expires
 * @throws Error when the lock could not be acquired in time
 */
export async function withStoreLock<T>(
  key: string,
  work: (heldUntil: number) => Promise<T>,
  options: StoreLockOptions,
): Promise<T> {
  const owner = randomUUID()
  const heldUntil = await acquire(key, owner, options)
  try {
    return await work(heldUntil)
  } finally {
    // Compare and delete: a lock that expired during the work may have another owner by now.
    await options.store.take(options.kind, key, owner)
  }
}

async function acquire(key: string, owner: string, options: StoreLockOptions): Promise<number> {
  const { store, clock, kind, expiresMs, waitMs, createError } = options
  for (let waited = 0; waited < waitMs; waited += POLL_MS) {
    const heldUntil = clock.monotonic() + expiresMs
    if ((await store.add(kind, key, owner, { expiresAt: clock.wall() + expiresMs })) === true) return heldUntil
    await new Promise<void>((resolve) => void clock.after(POLL_MS, resolve))
  }
  throw createError?.() ?? new Error('another process has held the lock for too long')
}

import { BoundedMap } from '../core/bounded-map.ts'
import type { Clock } from '../core/clock.ts'
import type { Store } from '../core/store.ts'
import { type HeldKey, MAX_KEYS } from './key-ring.ts'

/** When keys were used last, roughly: each process writes it once in a minute for each key. */
export interface LastUse {
  note(held: HeldKey): void
  /** By digest: milliseconds since the epoch. */
  list(): Promise<ReadonlyMap<string, number>>
}

const LAST_USE = 'AccessKeyUse'
const WRITE_MS = 60_000

/** @param onIssue - called when it cannot be written; no call waits for it */
export function createLastUse(store: Store, clock: Clock, onIssue: (message: string) => void): LastUse {
  const written = new BoundedMap<string, number>(MAX_KEYS)
  let reportedAt = Number.NEGATIVE_INFINITY
  const report = ({ message }: Error): void => {
    if (clock.monotonic() - reportedAt < WRITE_MS) return
    reportedAt = clock.monotonic()
    onIssue(`access keys: when a key was used cannot be written: ${message}`)
  }
  const write = async (digest: string, expiresAt: number): Promise<void> => {
    try {
      await store.put(LAST_USE, digest, String(clock.wall()), { expiresAt: expiresAt * 1000 })
    } catch (error) {
      report(error as Error)
    }
  }
  return {
    note({ key: { digest, expiresAt } }) {
      const now = clock.monotonic()
      const last = written.get(digest)
      if (last !== undefined && now - last < WRITE_MS) return
      written.set(digest, now)
      void write(digest, expiresAt)
    },
    async list() {
      const entries = await store.list(LAST_USE, MAX_KEYS)
      return new Map(entries.map(({ id, value }) => [id, Number(value)]))
    },
  }
}

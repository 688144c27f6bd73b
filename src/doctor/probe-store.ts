import { randomUUID } from 'node:crypto'
import { accessSync, constants, existsSync } from 'node:fs'
import { dirname } from 'node:path'
import { describeError } from '../core/describe-cause.ts'
import type { RedisStorePlan, StorePlan } from '../core/plan/store-plan.ts'
import type { Store } from '../core/store.ts'
import { askVersion, type ServerVersion } from '../store/ask-version.ts'
import { openStore } from '../store/open-store.ts'
import { openRedisCounters } from '../store/redis-counters.ts'

/** What became of using the store as the proxy does. */
export type StoreProbe =
  | { readonly kind: 'usable'; readonly server: ServerVersion | undefined; readonly answerMs: number }
  /** The file that the first start will make. */
  | { readonly kind: 'absent' }
  | { readonly kind: 'failed'; readonly cause: string }

const KIND = 'doctor'
const READS = 9
/** Of the entry that is written; it is deleted at once. */
const ENTRY_MS = 60_000

/**
 * Opens the store, writes an entry of its own, reads it and deletes it, and counts something as rate limits do. An SQLite file that is not
 * there is not made.
 */
export async function probeStore(plan: Exclude<StorePlan, { readonly kind: 'memory' }>): Promise<StoreProbe> {
  try {
    if (plan.kind === 'redis') return await probeRedis(plan)
    if (existsSync(plan.file)) return { kind: 'usable', server: undefined, answerMs: await useStore(plan) }
    accessSync(`${findFolder(plan.file)}/.`, constants.W_OK | constants.X_OK)
    return { kind: 'absent' }
  } catch (error) {
    return { kind: 'failed', cause: error instanceof Error ? describeError(error) : String(error) }
  }
}

async function probeRedis(plan: RedisStorePlan): Promise<StoreProbe> {
  const answerMs = await useStore(plan)
  await useCounters(plan)
  return { kind: 'usable', server: await askVersion(plan), answerMs }
}

/** @returns milliseconds that an answer takes, the median of some */
async function useStore(plan: StorePlan): Promise<number> {
  const store = await openStore(plan, () => undefined)
  try {
    const id = randomUUID()
    await store.put(KIND, id, id, { expiresAt: Date.now() + ENTRY_MS })
    const times = await timeReads(store, id)
    await store.take(KIND, id)
    return times.toSorted((one, other) => one - other)[Math.floor(READS / 2)] ?? 0
  } finally {
    await store.close()
  }
}

async function timeReads(store: Store, id: string): Promise<number[]> {
  const times: number[] = []
  while (times.length < READS) {
    const startedAt = performance.now()
    if ((await store.find(KIND, id)) !== id) throw new Error('what was written is not there: does another server answer reads?')
    times.push(performance.now() - startedAt)
  }
  return times
}

/** Counting needs other rights than storing. */
async function useCounters(plan: RedisStorePlan): Promise<void> {
  const counters = await openRedisCounters(plan, () => undefined)
  try {
    const key = `${KIND}:${randomUUID()}`
    const place = { kind: 'place' as const, key: `${key}:place`, holders: [key], most: 1, expiresAfterMs: 1000 }
    await counters.take([{ kind: 'bucket', key, tokens: 1, tokenMs: 1000, burst: 1 }, place])
    await counters.release([place])
  } finally {
    await counters.close()
  }
}

/** The nearest folder above that is there: those between are made with the file. */
function findFolder(file: string): string {
  const folder = dirname(file)
  return existsSync(folder) || folder === file ? folder : findFolder(folder)
}

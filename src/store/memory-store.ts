import { BoundedMap } from '../core/bounded-map.ts'
import { type Clock, systemClock } from '../core/clock.ts'
import type { EntryTerms, Store } from '../core/store.ts'
import { cleanPeriodically } from './clean.ts'

interface Entry extends EntryTerms {
  readonly value: string
}

/** Entries of a kind kept before the oldest makes room: a process that runs for months must not eat the machine's memory. */
const MAX_ENTRIES = 100_000

/** Entries by kind and id. */
export type Kinds = Map<string, BoundedMap<string, Entry>>

interface Memory {
  readonly kinds: Kinds
  readonly clock: Clock
  readonly mostEntries: number
}

/**
 * Keeps entries in the memory of this process.
 *
 * @param mostEntries - of one kind
 * @param kinds - what the entries are kept in
 */
export function createMemoryStore(clock: Clock = systemClock, mostEntries = MAX_ENTRIES, kinds: Kinds = new Map()): Store {
  const memory: Memory = { kinds, clock, mostEntries }
  const stopCleaning = cleanPeriodically(() => cleanExpired(memory), clock)
  return {
    isReady: () => true,
    find: async (kind, id) => findLive(memory, kind, id)?.value,
    put: async (kind, id, value, terms) => write(memory, kind, id, { ...terms, value }),
    async add(kind, id, value, terms) {
      if (findLive(memory, kind, id) !== undefined) return false
      write(memory, kind, id, { ...terms, value })
      return true
    },
    async replace(kind, id, expected, value) {
      const entry = findLive(memory, kind, id)
      if (entry?.value !== expected) return false
      memory.kinds.get(kind)?.set(id, { ...entry, value })
      return true
    },
    async take(kind, id, expected) {
      const entry = findLive(memory, kind, id)
      if (expected !== undefined && entry?.value !== expected) return undefined
      memory.kinds.get(kind)?.delete(id)
      return entry?.value
    },
    deleteGroup: async (group) => clean(memory, (entry) => entry.groups?.includes(group) === true),
    async count(kind) {
      cleanExpired(memory)
      return memory.kinds.get(kind)?.size ?? 0
    },
    async list(kind, most) {
      cleanExpired(memory)
      const entries = [...(memory.kinds.get(kind) ?? [])].sort(([, one], [, other]) => endOf(one) - endOf(other))
      return entries.slice(0, most).map(([id, { value }]) => ({ id, value }))
    },
    async close() {
      stopCleaning()
      memory.kinds.clear()
    },
  }
}

function endOf({ expiresAt }: Entry): number {
  return expiresAt ?? Number.MAX_SAFE_INTEGER
}

function isOver(entry: Entry, now: number): boolean {
  return endOf(entry) <= now
}

function findLive({ kinds, clock }: Memory, kind: string, id: string): Entry | undefined {
  const entry = kinds.get(kind)?.get(id)
  return entry === undefined || isOver(entry, clock.wall()) ? undefined : entry
}

function write(memory: Memory, kind: string, id: string, entry: Entry): void {
  const entries = memory.kinds.get(kind) ?? new BoundedMap<string, Entry>(memory.mostEntries)
  memory.kinds.set(kind, entries)
  entries.set(id, entry)
}

function cleanExpired(memory: Memory): void {
  const now = memory.clock.wall()
  clean(memory, (entry) => isOver(entry, now))
}

function clean({ kinds }: Memory, isUnwanted: (entry: Entry) => boolean): void {
  for (const [kind, entries] of kinds) {
    for (const [id, entry] of entries) if (isUnwanted(entry)) entries.delete(id)
    if (entries.size === 0) kinds.delete(kind)
  }
}

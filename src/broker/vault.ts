import type { EntryTerms, Store } from '../core/store.ts'
import type { Seal } from './seal.ts'

/** Values of one kind in the store, encrypted, under ids that cannot be read from it. */
export interface Vault<T> {
  find(id: string): Promise<T | undefined>
  put(id: string, value: T, terms?: EntryTerms): Promise<void>
  /** Writes the value unless there is one. Returns whether it was written. */
  add(id: string, value: T, terms?: EntryTerms): Promise<boolean>
  /** Removes the value and returns it; of several who take it, one gets it. */
  take(id: string): Promise<T | undefined>
  list(most: number): Promise<readonly T[]>
}

/**
 * @param kind - in the store
 * @param toKey - what an id becomes in the store
 */
export function createVault<T>(store: Store, seal: Seal, kind: string, toKey: (id: string) => string): Vault<T> {
  const open = (sealed: string | undefined): T | undefined => {
    const text = sealed === undefined ? undefined : seal.open(kind, sealed)
    return text === undefined ? undefined : (JSON.parse(text) as T)
  }
  const close = (value: T): string => seal.seal(kind, JSON.stringify(value))
  return {
    find: async (id) => open(await store.find(kind, toKey(id))),
    put: (id, value, terms) => store.put(kind, toKey(id), close(value), terms),
    add: (id, value, terms) => store.add(kind, toKey(id), close(value), terms),
    take: async (id) => open(await store.take(kind, toKey(id))),
    async list(most) {
      const entries = await store.list(kind, most)
      return entries.flatMap(({ value }) => open(value) ?? [])
    },
  }
}

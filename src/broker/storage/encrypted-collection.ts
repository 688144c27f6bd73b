import type { EntryTerms, Store } from '../../core/store.ts'
import type { Seal } from './encryption.ts'

/** Values of one kind in the store, encrypted, under ids that cannot be read from it. */
export interface Vault<T> {
  find(id: string): Promise<T | undefined>
  /** The value with its stored form, by which {@link replace} knows it. */
  look(id: string): Promise<Kept<T> | undefined>
  /**
   * Writes a value in the place of one that was looked at, unless that has changed since. How long it is kept stays.
   *
   * @returns the new entry; undefined when something else is there by now
   */
  replace(id: string, seen: Kept<T>, value: T): Promise<Kept<T> | undefined>
  put(id: string, value: T, terms?: EntryTerms): Promise<void>
  /** Writes the value unless there is one. Returns whether it was written. */
  add(id: string, value: T, terms?: EntryTerms): Promise<boolean>
  /** Removes the value and returns it; of several who take it, one gets it. */
  take(id: string): Promise<T | undefined>
  list(most: number): Promise<readonly T[]>
}

/** A value as it was found. Each time that it is written, its stored form is another. */
export interface Kept<T> {
  readonly value: T
  readonly sealed: string
}

/**
 * What is encrypted for one entry opens as no other: a writer of the store cannot give one user the claims of another.
 *
 * @param kind - in the store
 * @param toKey - what an id becomes in the store
 */
export function createVault<T>(store: Store, seal: Seal, kind: string, toKey: (id: string) => string): Vault<T> {
  const open = (key: string, sealed: string | undefined): T | undefined => {
    const text = sealed === undefined ? undefined : seal.open(`${kind}:${key}`, sealed)
    return text === undefined ? undefined : (JSON.parse(text) as T)
  }
  const close = (key: string, value: T): string => seal.seal(`${kind}:${key}`, JSON.stringify(value))
  return {
    find: async (id) => open(toKey(id), await store.find(kind, toKey(id))),
    async look(id) {
      const key = toKey(id)
      const sealed = await store.find(kind, key)
      const value = open(key, sealed)
      return sealed === undefined || value === undefined ? undefined : { value, sealed }
    },
    async replace(id, seen, value) {
      const key = toKey(id)
      const sealed = close(key, value)
      return (await store.replace(kind, key, seen.sealed, sealed)) ? { value, sealed } : undefined
    },
    put: (id, value, terms) => store.put(kind, toKey(id), close(toKey(id), value), terms),
    add: (id, value, terms) => store.add(kind, toKey(id), close(toKey(id), value), terms),
    take: async (id) => open(toKey(id), await store.take(kind, toKey(id))),
    async list(most) {
      const entries = await store.list(kind, most)
      return entries.flatMap(({ id, value }) => open(id, value) ?? [])
    },
  }
}

import type { Encryption } from './encryption.ts'
import type { EntryTerms, Store } from './store.ts'

/** Values of one kind in the store, encrypted, under ids that cannot be read from it. */
export interface EncryptedCollection<T> {
  find(id: string): Promise<T | undefined>
  /** The value with its stored form, which {@link replace} compares. */
  look(id: string): Promise<Kept<T> | undefined>
  /**
   * Replaces an entry that was found before, unless it has changed since. Its expiry stays.
   *
   * @returns the new entry; undefined when the entry has changed
   */
  replace(id: string, seen: Kept<T>, value: T): Promise<Kept<T> | undefined>
  put(id: string, value: T, terms?: EntryTerms): Promise<void>
  /** Writes the value unless there is one. Returns whether it was written. */
  add(id: string, value: T, terms?: EntryTerms): Promise<boolean>
  /** Removes the value and returns it. Of several concurrent calls, one gets it. */
  take(id: string): Promise<T | undefined>
  /** Removes a value that was found before, unless it has changed since. Returns whether it was removed. */
  drop(id: string, seen: Kept<T>): Promise<boolean>
  list(most: number): Promise<readonly T[]>
}

/** A value as it was found. Its stored form is different each time that it is written. */
export interface Kept<T> {
  readonly value: T
  readonly encrypted: string
}

/**
 * Each value can be decrypted under its own key only: a writer of the store cannot give one user the claims of another.
 *
 * @param kind - kind of the entries in the store
 * @param toKey - maps an id to a key of the store
 */
export function createEncryptedCollection<T>(
  store: Store,
  encryption: Encryption,
  kind: string,
  toKey: (id: string) => string,
): EncryptedCollection<T> {
  const decrypt = (key: string, encrypted: string | undefined): T | undefined => {
    const text = encrypted === undefined ? undefined : encryption.decrypt(`${kind}:${key}`, encrypted)
    return text === undefined ? undefined : (JSON.parse(text) as T)
  }
  const encrypt = (key: string, value: T): string => encryption.encrypt(`${kind}:${key}`, JSON.stringify(value))
  return {
    find: async (id) => decrypt(toKey(id), await store.find(kind, toKey(id))),
    async look(id) {
      const key = toKey(id)
      const encrypted = await store.find(kind, key)
      const value = decrypt(key, encrypted)
      return encrypted === undefined || value === undefined ? undefined : { value, encrypted }
    },
    async replace(id, seen, value) {
      const key = toKey(id)
      const encrypted = encrypt(key, value)
      return (await store.replace(kind, key, seen.encrypted, encrypted)) ? { value, encrypted } : undefined
    },
    put: (id, value, terms) => store.put(kind, toKey(id), encrypt(toKey(id), value), terms),
    add: (id, value, terms) => store.add(kind, toKey(id), encrypt(toKey(id), value), terms),
    take: async (id) => decrypt(toKey(id), await store.take(kind, toKey(id))),
    drop: async (id, seen) => (await store.take(kind, toKey(id), seen.encrypted)) !== undefined,
    async list(most) {
      const entries = await store.list(kind, most)
      return entries.flatMap(({ id, value }) => decrypt(id, value) ?? [])
    },
  }
}

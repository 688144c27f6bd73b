import type { Encryption } from '../../core/encryption.ts'
import type { Store } from '../../core/store.ts'

/** Entries of a kind that are read at a time: a store of any size must not fill the memory. */
const MOST = 10_000
/** So many are decrypted before calls have their turn. */
const AT_A_TIME = 200

export interface ReadEntries {
  readonly entries: readonly { readonly id: string; readonly value: Readonly<Record<string, unknown>> }[]
  /** Whether there are more. */
  readonly isCut: boolean
}

/** Reads all entries of a kind. What cannot be decrypted counts as absent. */
export async function readEntries(store: Store, encryption: Encryption, kind: string): Promise<ReadEntries> {
  const stored = await store.list(kind, MOST + 1)
  const entries = []
  for (const [index, { id, value }] of stored.slice(0, MOST).entries()) {
    if (index % AT_A_TIME === AT_A_TIME - 1) await new Promise((resolve) => setImmediate(resolve))
    const text = encryption.decrypt(`${kind}:${id}`, value)
    if (text !== undefined) entries.push({ id, value: JSON.parse(text) as Readonly<Record<string, unknown>> })
  }
  return { entries, isCut: stored.length > MOST }
}

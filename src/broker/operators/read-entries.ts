import type { Encryption } from '../../core/encryption.ts'
import type { Store } from '../../core/store.ts'

/** Entries of a kind that are read at a time: a store of any size must not fill the memory. */
const MOST = 10_000
/** So many are decrypted before calls have their turn. */
const AT_A_TIME = 200

type Payload = Readonly<Record<string, unknown>>

export interface ReadEntries {
  readonly entries: readonly { readonly id: string; readonly value: Payload }[]
  /** Whether there are more. */
  readonly isCut: boolean
}

/** Reads all entries of a kind. What cannot be decrypted counts as absent. */
export async function readEntries(store: Store, encryption: Encryption, kind: string): Promise<ReadEntries> {
  const stored = await store.list(kind, MOST + 1)
  const entries = []
  for (const [index, { id, value }] of stored.slice(0, MOST).entries()) {
    if (index % AT_A_TIME === AT_A_TIME - 1) await new Promise((resolve) => setImmediate(resolve))
    const payload = decrypt(encryption, kind, id, value)
    if (payload !== undefined) entries.push({ id, value: payload })
  }
  return { entries, isCut: stored.length > MOST }
}

/** @returns undefined where there is none, or it cannot be decrypted */
export async function readEntry(store: Store, encryption: Encryption, kind: string, id: string): Promise<Payload | undefined> {
  const value = await store.find(kind, id)
  return value === undefined ? undefined : decrypt(encryption, kind, id, value)
}

function decrypt(encryption: Encryption, kind: string, id: string, value: string): Payload | undefined {
  const text = encryption.decrypt(`${kind}:${id}`, value)
  return text === undefined ? undefined : (JSON.parse(text) as Payload)
}

import type { Clock } from '../../core/clock.ts'
import type { Store } from '../../core/store.ts'
import type { Seal } from './encryption.ts'

/** Marks in the store which keys it was written with, so that a start with others is noticed: what cannot be read looks absent. */
export interface EncryptionMark {
  /** Says that the key is still in use; to be called more often than the mark lasts. */
  renew(): Promise<void>
}

export interface EncryptionMarkOptions {
  readonly store: Store
  readonly seal: Seal
  /** Seconds for which anything that was encrypted may be of use. */
  readonly seconds: number
  readonly clock: Clock
  readonly onIssue: (message: string) => void
}

const KIND = 'EncryptionKey'
/** More keys than anybody has within the life of a mark. */
const MOST_MARKS = 100

/** Sets the mark of the current key, and tells when there is one that none of our keys can read. */
export async function markEncryption(options: EncryptionMarkOptions): Promise<EncryptionMark> {
  const { store, seal, onIssue } = options
  const marks = await store.list(KIND, MOST_MARKS)
  if (marks.some(({ value }) => seal.open(KIND, value) === undefined)) onIssue(LOST)
  await mark(options)
  return { renew: () => mark(options) }
}

const LOST =
  'broker: the store holds what was encrypted with a key that is not in broker.encryption_keys. It cannot be read: clients register and users sign in again. ' +
  'If that is not meant, put the key of before back, last in the list, and start again. Processes that share a store need the same keys.'

/** One mark for each key, under its public id. */
async function mark({ store, seal, seconds, clock }: EncryptionMarkOptions): Promise<void> {
  const sealed = seal.seal(KIND, 'readable')
  const [keyId = ''] = sealed.split('.', 1)
  await store.put(KIND, keyId, sealed, { expiresAt: clock.wall() + seconds * 1000 })
}

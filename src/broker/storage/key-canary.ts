import type { Clock } from '../../core/clock.ts'
import type { Encryption } from '../../core/encryption.ts'
import type { Store } from '../../core/store.ts'

/**
 * An entry of the store that only the current encryption key can read. Entries of a lost key look absent; the canary of that key makes
 * the loss visible at the next start.
 */
export interface KeyCanary {
  /** Keeps the canary in the store; must be called more often than it expires. */
  renew(): Promise<void>
}

export interface KeyCanaryOptions {
  readonly store: Store
  readonly encryption: Encryption
  /** Seconds for which encrypted entries may be needed. */
  readonly seconds: number
  readonly clock: Clock
  readonly onIssue: (message: string) => void
}

const KIND = 'EncryptionKey'
/** More keys than are ever in use while a canary lives. */
const MAX_CANARIES = 100

/** Writes the canary of the current key, and reports canaries that none of our keys can read. */
export async function placeKeyCanary(options: KeyCanaryOptions): Promise<KeyCanary> {
  const { store, encryption, onIssue } = options
  const canaries = await store.list(KIND, MAX_CANARIES)
  if (canaries.some(({ value }) => encryption.decrypt(KIND, value) === undefined)) onIssue(KEY_LOST)
  await writeCanary(options)
  return { renew: () => writeCanary(options) }
}

const KEY_LOST =
  'broker: the store holds entries that were encrypted with a key that is not in encryption_keys. They cannot be read: clients have to register and users have to sign in again. ' +
  'If this is not intended, add the previous key to the end of the list and restart. Processes that share a store need the same keys.'

/** One canary for each key, under its public id. */
async function writeCanary({ store, encryption, seconds, clock }: KeyCanaryOptions): Promise<void> {
  const canary = encryption.encrypt(KIND, 'readable')
  const [keyId = ''] = canary.split('.', 1)
  await store.put(KIND, keyId, canary, { expiresAt: clock.wall() + seconds * 1000 })
}

import { type AssertionKeys, createStoredKeys } from '../assertion/assertion-keys.ts'
import type { Clock } from '../core/clock.ts'
import { createEncryption } from '../core/encryption.ts'
import type { Store } from '../core/store.ts'
import { openSigningKeys } from '../oauth/signing-keys.ts'

/** The keys of the store that sign assertions of who calls: one set for all servers that have no key of their own, apart from the broker's. */
export interface IdentityKeys {
  /** Loads them, or makes the first. Once, when they are first needed. */
  open(): Promise<AssertionKeys>
  close(): void
}

export interface IdentityKeysOptions {
  readonly store: Store
  readonly encryptionKeys: readonly Buffer[]
  readonly clock: Clock
  readonly onIssue: (message: string) => void
}

/** How long a key signs. */
const SIGNING_SECONDS = 30 * 86_400
/** Longest life of an assertion. */
const ASSERTION_SECONDS = 3600
const RENEW_MS = 10 * 60_000

export function createIdentityKeys({ store, encryptionKeys, clock, onIssue }: IdentityKeysOptions): IdentityKeys {
  let opening: Promise<AssertionKeys> | undefined
  let stop = (): void => undefined
  const open = async (): Promise<AssertionKeys> => {
    const keys = await openSigningKeys({
      store,
      encryption: createEncryption(encryptionKeys),
      kind: 'IdentityKey',
      signingKeySeconds: SIGNING_SECONDS,
      accessTokenSeconds: ASSERTION_SECONDS,
      clock,
    })
    const onFailure = (error: Error) => onIssue(`identity: the keys for assertions could not be renewed: ${error.message}`)
    stop = clock.every(RENEW_MS, () => void keys.renew().catch(onFailure))
    return createStoredKeys(keys)
  }
  return {
    open() {
      opening ??= open().catch((error: unknown) => {
        opening = undefined
        throw error
      })
      return opening
    },
    close: () => stop(),
  }
}

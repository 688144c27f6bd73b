import { type AccessKey, nameAccessKeyId } from '../core/access-key.ts'
import { BoundedMap } from '../core/bounded-map.ts'
import type { Encryption } from '../core/encryption.ts'
import type { EntryTerms, Store } from '../core/store.ts'
import { ACCESS_KEY, type StoredKey, writeStoredKey } from './stored-key.ts'

export interface RevocationsOptions {
  readonly store: Pick<Store, 'put'>
  readonly encryption: Encryption | undefined
  /** Called with problems to log; the text holds no secrets. */
  readonly onIssue: (message: string) => void
}

/**
 * Revocations that were read, for as long as the process lives. A writer of the store can put back what an entry was before, or delete it: no
 * key counts again by that.
 */
export interface Revocations {
  /** When a key was revoked, in milliseconds since the epoch; undefined where it was not. */
  find(digest: string): number | undefined
  /** Called with what the store has now. */
  note(stored: ReadonlyMap<string, StoredKey | undefined>): void
  /** Called with the keys of the configuration. The revocation of one of them is stored without an end: a later one can be written there. */
  keep(configured: readonly AccessKey[]): void
}

/** Far more than there are keys at a time. */
const MAX_REVOCATIONS = 50_000
/** So long after its end a key is known as one that has expired. */
const KEPT_MS = 7 * 86_400_000

/** How long the store has a key that the configuration does not have. */
export function termsOf({ expiresAt }: Pick<AccessKey, 'expiresAt'>): EntryTerms {
  return { expiresAt: expiresAt * 1000 + KEPT_MS }
}

interface State extends RevocationsOptions {
  readonly revoked: BoundedMap<string, number>
  /** Digests of keys of the configuration whose revocation this process has told and stored. */
  readonly kept: BoundedMap<string, true>
  /** Digests of keys whose older entry was told. */
  readonly told: BoundedMap<string, true>
}

export function createRevocations(options: RevocationsOptions): Revocations {
  const state: State = {
    ...options,
    revoked: new BoundedMap(MAX_REVOCATIONS),
    kept: new BoundedMap(MAX_REVOCATIONS),
    told: new BoundedMap(MAX_REVOCATIONS),
  }
  return {
    find: (digest) => state.revoked.get(digest),
    note(stored) {
      for (const one of stored.values()) if (one) noteEntry(one, state)
    },
    keep(configured) {
      for (const key of configured) {
        const revokedAt = state.revoked.get(key.digest)
        if (revokedAt !== undefined && !state.kept.has(key.digest)) keepOne(key, revokedAt, state)
      }
    },
  }
}

function noteEntry({ key, revokedAt }: StoredKey, state: State): void {
  const before = state.revoked.get(key.digest)
  if (revokedAt !== undefined) state.revoked.set(key.digest, revokedAt)
  else if (before !== undefined) restore(key, before, state)
}

/** A backup, a fail-over that lost a write, or an attacker. */
function restore(key: AccessKey, revokedAt: number, state: State): void {
  if (!state.told.has(key.digest))
    state.onIssue(
      `access keys: the store has ${nameKey(key)} as it was before it was revoked. It stays refused, and is marked as revoked again`,
    )
  state.told.set(key.digest, true)
  void write(key, revokedAt, termsOf(key), state)
}

function keepOne(key: AccessKey, revokedAt: number, state: State): void {
  const { onIssue, kept } = state
  kept.set(key.digest, true)
  onIssue(
    `access keys: ${nameKey(key)} was revoked and is still in \`keys\` of the configuration. It stays refused: remove it there`,
  )
  void write(key, revokedAt, {}, state)
}

/** Never fails: what cannot be written holds in this process all the same. */
async function write(key: AccessKey, revokedAt: number, terms: EntryTerms, { store, encryption, onIssue }: State): Promise<void> {
  try {
    await store.put(ACCESS_KEY, key.digest, writeStoredKey({ key, revokedAt }, encryption), terms)
  } catch (error) {
    onIssue(`access keys: that ${nameKey(key)} was revoked cannot be written: ${(error as Error).message}`)
  }
}

function nameKey(key: AccessKey): string {
  return `${JSON.stringify(key.name)} (id ${nameAccessKeyId(key)})`
}

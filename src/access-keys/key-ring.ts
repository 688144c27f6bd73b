import { isDeepStrictEqual } from 'node:util'
import type { AccessKey } from '../core/access-key.ts'
import { createKeyPrincipal } from '../core/access-key-principal.ts'
import { type AddressList, createAddressList } from '../core/address-list.ts'
import type { Encryption } from '../core/encryption.ts'
import { ProxyError } from '../core/errors.ts'
import type { Principal } from '../core/principal.ts'
import type { StoredEntry } from '../core/store.ts'
import { type WatchOptions, watchEntries } from '../core/watched-entries.ts'
import { ACCESS_KEY, readStoredKey, type StoredKey } from './stored-key.ts'

export interface KeyRingOptions extends Pick<WatchOptions, 'store' | 'clock' | 'onIssue'> {
  /** Undefined where no keys are configured. */
  readonly encryption: Encryption | undefined
  /** Whether keys of the store are accepted, beside those of the configuration. */
  readonly acceptsStored: boolean
  /** Called when the store has other keys than before. */
  readonly onChange: () => void
}

/** A key that is known here. */
export interface HeldKey {
  readonly key: AccessKey
  /** One for all calls with the key. */
  readonly principal: Principal
  readonly isRevoked: boolean
  /** Undefined where it may come from everywhere. */
  readonly addresses: AddressList | undefined
}

/** The access keys that there are, at hand: no key that a caller shows costs a look into the store. */
export interface KeyRing {
  /**
   * @param digest - of the key
   * @returns undefined for one that is not known
   * @throws ProxyError `issuer_unavailable` while that cannot be said
   */
  find(digest: string): HeldKey | undefined
  /** Replaces the keys of the configuration. */
  configure(keys: readonly AccessKey[]): void
  /** Those of the configuration. */
  listConfigured(): readonly AccessKey[]
  /** Whether the key of a principal was revoked, or is gone. False for principals of tokens. */
  isGone(principal: Principal): boolean
  /** Tells all processes that the store has changed, this one at once. */
  announce(): Promise<void>
  close(): void
}

/** Keys at a time. What is read goes a little beyond, since processes that share the store count separately. */
export const MOST_KEYS = 10_000
const MOST_READ = MOST_KEYS + 1000
/** A process that has not heard from the store for so long no longer accepts its keys: they may have been revoked. */
const MOST_AGE_MS = 10_000

interface State extends KeyRingOptions {
  configured: readonly AccessKey[]
  stored: ReadonlyMap<string, StoredKey | undefined>
  held: ReadonlyMap<string, HeldKey>
  /** What was read of each entry, so that it is not decrypted again. */
  known: ReadonlyMap<string, { readonly value: string; readonly stored: StoredKey | undefined }>
}

/** @returns keys that were tried to be read once */
export async function openKeyRing(options: KeyRingOptions): Promise<KeyRing> {
  const state: State = { ...options, configured: [], stored: new Map(), held: new Map(), known: new Map() }
  const { store, clock, onIssue } = options
  const watched = await watchEntries({
    ...{ store, clock, kind: ACCESS_KEY, most: MOST_READ, onIssue },
    describeOutage,
    onRead: (entries) => take(entries, state),
  })
  return {
    find(digest) {
      const held = state.held.get(digest)
      // A revocation that was read stays one.
      if (held?.isRevoked) return held
      const isConfigured = held !== undefined && state.stored.get(digest) === undefined
      if (!watched.isLoaded() || (!isConfigured && options.acceptsStored && watched.age() > MOST_AGE_MS))
        throw unavailable('the access keys of the store cannot be read')
      if (state.stored.has(digest) && state.stored.get(digest) === undefined)
        throw unavailable('the access key is in the store, and cannot be read with the configured encryption_keys')
      return held
    },
    configure(keys) {
      state.configured = keys
      hold(state)
    },
    listConfigured: () => state.configured,
    isGone: (principal) => principal.accessKey !== undefined && !isHeld(principal, state),
    announce: watched.announce,
    close: watched.close,
  }
}

function unavailable(cause: string): ProxyError {
  return new ProxyError('issuer_unavailable', { reason: 'store_unavailable', cause, retryAfter: 5 })
}

function describeOutage(isLoaded: boolean): string {
  const inForce = isLoaded ? `those that were read are accepted for ${MOST_AGE_MS / 1000} seconds` : 'none is accepted until then'
  return `access keys: the store cannot be read, ${inForce}`
}

function take(entries: readonly StoredEntry[], state: State): void {
  const { known, encryption, onIssue, onChange } = state
  const isSame = ({ id, value }: StoredEntry) => known.get(id)?.value === value
  if (entries.length === known.size && entries.every(isSame)) return
  const read = (entry: StoredEntry) => {
    const before = known.get(entry.id)
    return before?.value === entry.value ? before : { value: entry.value, stored: readStoredKey(entry, encryption) }
  }
  state.known = new Map(entries.map((entry) => [entry.id, read(entry)]))
  state.stored = new Map([...state.known].map(([id, { stored }]) => [id, stored]))
  const unreadable = [...state.stored.values()].filter((stored) => stored === undefined).length
  if (unreadable > 0)
    onIssue(`access keys: ${unreadable} cannot be read with the configured encryption_keys, and are not accepted`)
  hold(state)
  onChange()
}

/** Principals of keys that did not change stay the same objects: what is remembered of them stays true. */
function hold(state: State): void {
  const { configured, stored, held: before, acceptsStored } = state
  const held = new Map<string, HeldKey>()
  const add = (key: AccessKey, isRevoked: boolean): void => {
    const known = before.get(key.digest)
    const isSame = known !== undefined && known.isRevoked === isRevoked && isDeepStrictEqual(known.key, key)
    held.set(key.digest, isSame ? known : createHeld(key, isRevoked))
  }
  for (const one of stored.values())
    if (one && (acceptsStored || one.revokedAt !== undefined)) add(one.key, one.revokedAt !== undefined)
  for (const key of configured) if (held.get(key.digest)?.isRevoked !== true) add(key, false)
  state.held = held
}

function createHeld(key: AccessKey, isRevoked: boolean): HeldKey {
  const addresses = key.addresses.length === 0 ? undefined : createAddressList(key.addresses)
  const principal = createKeyPrincipal(key)
  digests.set(principal, key.digest)
  return { key, isRevoked, addresses, principal }
}

const digests = new WeakMap<Principal, string>()

function isHeld(principal: Principal, { held }: State): boolean {
  // A key that is revoked gets another principal.
  return held.get(digests.get(principal) ?? '')?.principal === principal
}

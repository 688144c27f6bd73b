import { isDeepStrictEqual } from 'node:util'
import type { AccessKey } from '../core/access-key.ts'
import { createKeyPrincipal } from '../core/access-key-principal.ts'
import { type AddressList, createAddressList } from '../core/address-list.ts'
import type { Encryption } from '../core/encryption.ts'
import { ProxyError } from '../core/errors.ts'
import type { Principal } from '../core/principal.ts'
import type { StoredEntry } from '../core/store.ts'
import { type WatchedEntries, type WatchOptions, watchEntries } from '../core/watched-entries.ts'
import { createRevocations, type Revocations } from './revocations.ts'
import { ACCESS_KEY, readStoredKey, type StoredKey } from './stored-key.ts'

export interface KeyRingOptions extends Pick<WatchOptions, 'store' | 'clock' | 'onIssue'> {
  /** Undefined where no keys are configured. */
  readonly encryption: Encryption | undefined
  /** Whether keys of the store are accepted, beside those of the configuration. */
  readonly acceptsStored: boolean
  /** Called when the store has other keys than before, and when its keys are no longer accepted because it is away. */
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
  /** Whether the key of a principal cannot be said to be in force any more. False for principals of tokens. */
  isUncertain(principal: Principal): boolean
  /** When a key was revoked, as far as this process has ever read it, in milliseconds since the epoch. */
  findRevocation(digest: string): number | undefined
  /** Tells all processes that the store has changed, this one at once. */
  announce(): Promise<void>
  close(): void
}

/** Keys at a time. What is read goes a little beyond, since processes that share the store count separately. */
export const MAX_KEYS = 10_000
export const MAX_READ = MAX_KEYS + 1000
/** A process that has not heard from the store for so long no longer accepts its keys: they may have been revoked. */
const MAX_AGE_MS = 10_000
/** How often that is looked at for what is open. */
const LOOK_MS = 1000

interface State extends KeyRingOptions {
  configured: readonly AccessKey[]
  stored: ReadonlyMap<string, StoredKey | undefined>
  held: ReadonlyMap<string, HeldKey>
  /** What was read of each entry, so that it is not decrypted again. */
  known: ReadonlyMap<string, ReadEntry>
  /** Whether the store has more entries than are read: a revocation may be among the others. */
  isCut: boolean
  readonly revocations: Revocations
}

interface ReadEntry {
  readonly value: string
  /** Undefined where it cannot be read. */
  readonly stored: StoredKey | undefined
}

/** @returns keys that were tried to be read once */
export async function openKeyRing(options: KeyRingOptions): Promise<KeyRing> {
  const { store, clock, onIssue, onChange } = options
  const revocations = createRevocations(options)
  const state: State = {
    ...options,
    configured: [],
    stored: new Map(),
    held: new Map(),
    known: new Map(),
    isCut: false,
    revocations,
  }
  const watched = await watchEntries({
    ...{ store, clock, kind: ACCESS_KEY, most: MAX_READ, onIssue },
    describeOutage,
    onRead: (entries) => take(entries, state),
  })
  const stopLooking = watchAge(watched, clock, onChange)
  return {
    find(digest) {
      const held = state.held.get(digest)
      const cause = held?.isRevoked ? undefined : findUncertainty(digest, watched, state)
      if (cause !== undefined) throw new ProxyError('issuer_unavailable', { reason: 'store_unavailable', cause, retryAfter: 5 })
      return held
    },
    configure(keys) {
      state.configured = keys
      hold(state)
    },
    listConfigured: () => state.configured,
    isGone: (principal) => principal.accessKey !== undefined && !isHeld(principal, state),
    isUncertain: (principal) =>
      isHeld(principal, state) && findUncertainty(digests.get(principal) ?? '', watched, state) !== undefined,
    findRevocation: revocations.find,
    announce: watched.announce,
    close() {
      stopLooking()
      watched.close()
    },
  }
}

/** Why it cannot be said whether a key is in force: a revocation may not have been read. */
function findUncertainty(
  digest: string,
  watched: WatchedEntries,
  { stored, held, acceptsStored, isCut }: State,
): string | undefined {
  const isConfigured = held.has(digest) && stored.get(digest) === undefined
  if (!watched.isLoaded() || (!isConfigured && acceptsStored && isLate(watched)))
    return 'the access keys of the store cannot be read'
  if (isCut) return `the store has more than the ${MAX_READ} access keys that are read`
  const isUnreadable = stored.has(digest) && stored.get(digest) === undefined
  return isUnreadable ? 'the access key is in the store, and cannot be read with the configured encryption_keys' : undefined
}

function isLate(watched: WatchedEntries): boolean {
  return watched.age() > MAX_AGE_MS
}

/** What is open ends with what is accepted: requests are refused from then on. */
function watchAge(watched: WatchedEntries, clock: KeyRingOptions['clock'], onLate: () => void): () => void {
  let wasLate = isLate(watched)
  return clock.every(LOOK_MS, () => {
    const late = isLate(watched)
    if (late && !wasLate) onLate()
    wasLate = late
  })
}

function describeOutage(isLoaded: boolean): string {
  const inForce = isLoaded ? `those that were read are accepted for ${MAX_AGE_MS / 1000} seconds` : 'none is accepted until then'
  return `access keys: the store cannot be read, ${inForce}`
}

function take(entries: readonly StoredEntry[], state: State): void {
  const { known, encryption, revocations, onChange } = state
  const isSame = ({ id, value }: StoredEntry) => known.get(id)?.value === value
  if (entries.length === known.size && entries.every(isSame)) return
  const read = (entry: StoredEntry): ReadEntry => {
    const before = known.get(entry.id)
    return before?.value === entry.value ? before : { value: entry.value, stored: readStoredKey(entry, encryption) }
  }
  const next = new Map(entries.map((entry) => [entry.id, read(entry)]))
  state.stored = new Map([...next].map(([id, { stored }]) => [id, stored]))
  state.isCut = entries.length >= MAX_READ
  revocations.note(state.stored)
  hold(state)
  tellTroubles(next, state)
  // Last: what failed before is tried again with the next read, and so is an entry that undoes a revocation, until it no longer does.
  state.known = new Map([...next].filter(([id, { stored }]) => !isUndone(id, stored, revocations)))
  onChange()
}

function isUndone(id: string, stored: StoredKey | undefined, revocations: Revocations): boolean {
  return stored !== undefined && stored.revokedAt === undefined && revocations.find(id) !== undefined
}

/** Each entry once. */
function tellTroubles(next: State['known'], { known, isCut, onIssue }: State): void {
  const isNew = (id: string) => !known.has(id) || known.get(id)?.stored !== undefined
  const unreadable = [...next].filter(([, { stored }]) => stored === undefined).map(([id]) => id)
  if (unreadable.some(isNew))
    onIssue(`access keys: ${unreadable.length} cannot be read with the configured encryption_keys, and are not accepted`)
  if (isCut && known.size < MAX_READ)
    onIssue(
      `access keys: the store has more than the ${MAX_READ} that are read. None is accepted, since others may be revoked: delete some`,
    )
}

/** Principals of keys that did not change stay the same objects: what is remembered of them stays true. */
function hold(state: State): void {
  const { configured, stored, held: before, acceptsStored, revocations } = state
  const held = new Map<string, HeldKey>()
  const add = (key: AccessKey): void => {
    const isRevoked = revocations.find(key.digest) !== undefined
    const known = before.get(key.digest)
    const isSame = known !== undefined && known.isRevoked === isRevoked && isDeepStrictEqual(known.key, key)
    held.set(key.digest, isSame ? known : createHeld(key, isRevoked))
  }
  for (const one of stored.values()) if (one && (acceptsStored || one.revokedAt !== undefined)) add(one.key)
  for (const key of configured) if (held.get(key.digest)?.isRevoked !== true) add(key)
  state.held = held
  revocations.keep(configured)
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

import { generateKeyPair, type JsonWebKey } from 'node:crypto'
import { promisify } from 'node:util'
import { type Clock, systemClock } from '../core/clock.ts'
import { createEncryptedCollection, type EncryptedCollection } from '../core/encrypted-collection.ts'
import type { Encryption } from '../core/encryption.ts'
import { ProxyError } from '../core/errors.ts'
import { hashId } from '../core/hash-id.ts'
import type { Store } from '../core/store.ts'
import { type KeySet, parseKeySet } from './key-set.ts'
import type { IssuerKeys } from './keys.ts'

/** A private key (RFC 7517 §4, RFC 7518 §6.2). */
export interface SigningJwk extends JsonWebKey {
  readonly kty: string
  readonly kid: string
}

interface StoredKey {
  readonly jwk: SigningJwk
  /** Milliseconds since the epoch. */
  readonly createdAt: number
}

/** Keys of the store that sign for one purpose, and the same for verifying locally what they signed. */
export interface SigningKeys {
  /** Private keys, the one to sign with first; never empty. The others are published: those of before, and the one that comes next. */
  readonly current: readonly [SigningJwk, ...SigningJwk[]]
  /** For the resource server's side. */
  readonly verification: IssuerKeys
  /**
   * Makes a new key when the newest is old enough, and looks for those that other processes made. Returns whether anything changed since
   * the last call.
   */
  renew(): Promise<boolean>
}

export interface SigningKeysOptions {
  readonly store: Store
  readonly encryption: Encryption
  /** Under which kind the store has them: keys for one purpose never sign for another. */
  readonly kind: 'SigningKey' | 'IdentityKey'
  /** Seconds after which a new key takes over. */
  readonly signingKeySeconds: number
  /** Seconds for which a token lives: an old key stays published at least that long. */
  readonly accessTokenSeconds: number
  readonly clock?: Clock
}

const ALGORITHM = 'ES256'
const MAX_KEYS = 200
/** Places to try. With several encryption keys in use, a place may hold a key that this process cannot decrypt. */
const MAX_PLACES = 50
/** An unknown key id may be that of a key which another process just created; forged tokens must not cause a lookup each. */
const LOOK_INTERVAL_MS = 1_000
/** How long a key is published before it signs: others keep key sets, and every process of ours renews them in less than this. */
const AHEAD_SECONDS = 3600
/** How long an old key is published beyond the life of the last token that it signed. */
const OVERLAP_SECONDS = 3600

interface KeyState {
  keys: readonly [SigningJwk, ...SigningJwk[]]
  verifying: KeySet
  lookedAt: number
  /** Why the store could not say at the last look what keys there are. */
  loadError: unknown
}

/** Loads the keys of the store, or makes the first. */
export async function openSigningKeys(options: SigningKeysOptions): Promise<SigningKeys> {
  const clock = options.clock ?? systemClock
  const collection = createEncryptedCollection<StoredKey>(options.store, options.encryption, options.kind, (place) => place)
  const load = () => loadKeys(collection, options, clock)
  const keys = await load()
  const state: KeyState = { keys, verifying: parsePublic(keys), lookedAt: clock.monotonic(), loadError: undefined }
  const refresh = async (): Promise<void> => {
    state.keys = await load()
    state.verifying = parsePublic(state.keys)
    state.lookedAt = clock.monotonic()
    state.loadError = undefined
  }
  let told = listKeyIds(keys)
  return {
    get current() {
      return state.keys
    },
    verification: createVerification(state, refresh, clock),
    // Lookups for unknown keys refresh the state, too; changes since the last call are reported all the same.
    async renew() {
      await refresh()
      const before = told
      told = listKeyIds(state.keys)
      return told !== before
    },
  }
}

function listKeyIds(keys: readonly SigningJwk[]): string {
  return keys.map(({ kid }) => kid).join()
}

async function loadKeys(
  collection: EncryptedCollection<StoredKey>,
  options: SigningKeysOptions,
  clock: Clock,
): Promise<[SigningJwk, ...SigningJwk[]]> {
  // What was found at the places that were tried: a list may be cut, or lost by a store that evicts.
  const tried = new Map<string, StoredKey | undefined>()
  while (tried.size <= MAX_PLACES) {
    const place = await nameNextPlace(options, tried.keys())
    const stored = sortByAge([...(await collection.list(MAX_KEYS)), ...tried.values()])
    if (!isNextDue(stored, options, clock)) return putSigningFirst(stored, clock.wall() - settleAhead(options) * 1000)
    tried.set(place, await fillPlace(collection, place, options, clock))
  }
  throw new Error('other processes keep creating signing keys that this one cannot decrypt')
}

/**
 * Where the key goes that comes after those in the store: processes that see the same keys name the same place, and only one of them
 * fills it. Two keys made at the same moment would leave each process with tokens of the other that it cannot verify at once.
 */
async function nameNextPlace({ store, kind }: SigningKeysOptions, tried: Iterable<string>): Promise<string> {
  const entries = await store.list(kind, MAX_KEYS)
  const filled = new Set([...entries.map(({ id }) => id), ...tried])
  return hashId([...filled].sort().join())
}

function isNextDue([newest]: readonly StoredKey[], options: SigningKeysOptions, clock: Clock): boolean {
  if (newest === undefined) return true
  return clock.wall() >= newest.createdAt + (options.signingKeySeconds - settleAhead(options)) * 1000
}

/** Each once, newest first. Of those that processes made at the same moment, all processes take the same. */
function sortByAge(keys: readonly (StoredKey | undefined)[]): StoredKey[] {
  const byId = new Map(keys.flatMap((key) => (key === undefined ? [] : [[key.jwk.kid, key] as const])))
  return [...byId.values()].sort((one, other) => other.createdAt - one.createdAt || (one.jwk.kid < other.jwk.kid ? -1 : 1))
}

/** A key that lives shortly can't be published for long. */
function settleAhead({ signingKeySeconds }: SigningKeysOptions): number {
  return Math.min(AHEAD_SECONDS, signingKeySeconds / 2)
}

/** The newest key that was published for long enough signs; the very first signs at once. */
function putSigningFirst(stored: readonly StoredKey[], publishedBefore: number): [SigningJwk, ...SigningJwk[]] {
  const signing = stored.find(({ createdAt }) => createdAt <= publishedBefore) ?? stored.at(-1)
  if (signing === undefined) throw new Error('there is no signing key')
  return [signing.jwk, ...stored.filter((key) => key !== signing).map(({ jwk }) => jwk)]
}

/** Puts a new key into its place. Returns that, or what another process put there before, if it can be read. */
async function fillPlace(
  collection: EncryptedCollection<StoredKey>,
  place: string,
  { signingKeySeconds, accessTokenSeconds }: SigningKeysOptions,
  clock: Clock,
): Promise<StoredKey | undefined> {
  const key: StoredKey = { jwk: await createSigningKey(), createdAt: clock.wall() }
  const livesFor = signingKeySeconds + accessTokenSeconds + OVERLAP_SECONDS
  const isOurs = await collection.add(place, key, { expiresAt: clock.wall() + livesFor * 1000 })
  return isOurs ? key : collection.find(place)
}

async function createSigningKey(): Promise<SigningJwk> {
  const { privateKey } = await promisify(generateKeyPair)('ec', { namedCurve: 'P-256' })
  const jwk = privateKey.export({ format: 'jwk' })
  return { ...jwk, kid: crypto.randomUUID(), alg: ALGORITHM, use: 'sig' } as SigningJwk
}

function parsePublic(keys: readonly SigningJwk[]): KeySet {
  return parseKeySet({ keys: keys.map(({ kty, crv, x, y, kid, alg, use }) => ({ kty, crv, x, y, kid, alg, use })) })
}

function createVerification(state: KeyState, refresh: () => Promise<void>, clock: Clock): IssuerKeys {
  // Only a store that has answered can have said that there is no such key.
  const missing = () =>
    state.loadError === undefined
      ? new ProxyError('token_invalid', { reason: 'key_unknown', cause: 'no signing key has this kid' })
      : new ProxyError('issuer_unavailable', { reason: 'store_unavailable', cause: state.loadError, retryAfter: 5 })
  let looking: Promise<void> | undefined
  const look = async (): Promise<void> => {
    state.lookedAt = clock.monotonic()
    try {
      await refresh()
    } catch (cause) {
      state.loadError = cause
    } finally {
      looking = undefined
    }
  }
  const findAfter = async (looked: Promise<void>, keyId: string | undefined, algorithm: string) => {
    await looked
    const key = state.verifying.find(keyId, algorithm)
    if (key === undefined) throw missing()
    return key
  }
  return {
    findKey(keyId, algorithm) {
      const key = state.verifying.find(keyId, algorithm)
      if (key !== undefined) return key
      if (looking === undefined && clock.monotonic() - state.lookedAt < LOOK_INTERVAL_MS) throw missing()
      looking ??= look()
      return findAfter(looking, keyId, algorithm)
    },
    holds: (fingerprint) => state.verifying.holds(fingerprint),
    isReady: () => true,
    wasTried: () => true,
    warm: () => {},
    close: () => {},
  }
}

import { generateKeyPair } from 'node:crypto'
import { promisify } from 'node:util'
import type { JWK } from 'oidc-provider'
import { ProxyError } from '../core/errors.ts'
import type { Store } from '../core/store.ts'
import { type Clock, systemClock } from '../oauth/clock.ts'
import { type KeySet, parseKeySet } from '../oauth/key-set.ts'
import type { IssuerKeys } from '../oauth/keys.ts'
import type { Seal } from './seal.ts'
import { createVault, type Vault } from './vault.ts'

export type SigningJwk = JWK & { readonly kid: string }

interface StoredKey {
  readonly jwk: SigningJwk
  /** Milliseconds since the epoch. */
  readonly createdAt: number
}

/** The keys that the broker signs with, and that its tokens are verified with without asking anybody. */
export interface SigningKeys {
  /** Private keys, the one to sign with first; never empty. */
  readonly current: readonly [SigningJwk, ...SigningJwk[]]
  /** For the resource server's side. */
  readonly verification: IssuerKeys
  /** Makes a new key when the newest is old enough, and looks for those that other processes made. Returns whether anything changed. */
  renew(): Promise<boolean>
}

export interface SigningKeysOptions {
  readonly store: Store
  readonly seal: Seal
  /** Seconds after which a new key takes over. */
  readonly signingKeySeconds: number
  /** Seconds for which a token lives: an old key stays published at least that long. */
  readonly accessTokenSeconds: number
  readonly clock?: Clock
}

const ALGORITHM = 'ES256'
const MOST_KEYS = 50
/** An unknown key id may be that of a key which another process just made; strangers must not have us look for it all the time. */
const LOOK_INTERVAL_MS = 5_000
/** How long an old key is published beyond the life of the last token that it signed. */
const OVERLAP_SECONDS = 3600

interface KeyState {
  keys: readonly [SigningJwk, ...SigningJwk[]]
  verifying: KeySet
  lookedAt: number
}

/** Loads the keys of the store, or makes the first. */
export async function openSigningKeys(options: SigningKeysOptions): Promise<SigningKeys> {
  const clock = options.clock ?? systemClock
  const vault = createVault<StoredKey>(options.store, options.seal, 'SigningKey', (kid) => kid)
  const load = () => loadKeys(vault, options, clock)
  const keys = await load()
  const state: KeyState = { keys, verifying: parsePublic(keys), lookedAt: clock.monotonic() }
  const renew = async (): Promise<boolean> => {
    const before = state.keys.map(({ kid }) => kid).join()
    state.keys = await load()
    state.verifying = parsePublic(state.keys)
    state.lookedAt = clock.monotonic()
    return state.keys.map(({ kid }) => kid).join() !== before
  }
  return {
    get current() {
      return state.keys
    },
    verification: createVerification(state, renew, clock),
    renew,
  }
}

async function loadKeys(
  vault: Vault<StoredKey>,
  { signingKeySeconds, accessTokenSeconds }: SigningKeysOptions,
  clock: Clock,
): Promise<[SigningJwk, ...SigningJwk[]]> {
  const stored = [...(await vault.list(MOST_KEYS))].sort((one, other) => other.createdAt - one.createdAt)
  const [newest] = stored
  if (newest !== undefined && clock.wall() < newest.createdAt + signingKeySeconds * 1000)
    return [newest.jwk, ...stored.slice(1).map(({ jwk }) => jwk)]
  const jwk = await createSigningKey()
  const livesFor = signingKeySeconds + accessTokenSeconds + OVERLAP_SECONDS
  await vault.put(jwk.kid, { jwk, createdAt: clock.wall() }, { expiresAt: clock.wall() + livesFor * 1000 })
  return [jwk, ...stored.map((old) => old.jwk)]
}

async function createSigningKey(): Promise<SigningJwk> {
  const { privateKey } = await promisify(generateKeyPair)('ec', { namedCurve: 'P-256' })
  const jwk = privateKey.export({ format: 'jwk' })
  return { ...jwk, kid: crypto.randomUUID(), alg: ALGORITHM, use: 'sig' } as SigningJwk
}

function parsePublic(keys: readonly SigningJwk[]): KeySet {
  return parseKeySet({ keys: keys.map(({ kty, crv, x, y, kid, alg, use }) => ({ kty, crv, x, y, kid, alg, use })) })
}

function createVerification(state: KeyState, renew: () => Promise<boolean>, clock: Clock): IssuerKeys {
  const unknown = () => new ProxyError('token_invalid', { cause: 'no key of ours has that kid' })
  const lookAgain = async (keyId: string | undefined, algorithm: string) => {
    try {
      await renew()
    } catch (cause) {
      throw new ProxyError('issuer_unavailable', { cause, retryAfter: 5 })
    }
    const key = state.verifying.find(keyId, algorithm)
    if (key === undefined) throw unknown()
    return key
  }
  return {
    findKey(keyId, algorithm) {
      const key = state.verifying.find(keyId, algorithm)
      if (key !== undefined) return key
      if (clock.monotonic() - state.lookedAt < LOOK_INTERVAL_MS) throw unknown()
      state.lookedAt = clock.monotonic()
      return lookAgain(keyId, algorithm)
    },
    holds: (fingerprint) => state.verifying.holds(fingerprint),
    isReady: () => true,
    warm: () => {},
    close: () => {},
  }
}

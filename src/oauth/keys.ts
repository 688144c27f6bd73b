import type { Clock } from '../core/clock.ts'
import { ProxyError } from '../core/errors.ts'
import type { Failure } from '../core/failure.ts'
import type { IssuerPlan } from '../core/plan/issuer-plan.ts'
import type { MetadataSource } from './authorization-server-metadata.ts'
import type { VerificationKey } from './jwk.ts'
import { isNewer, isWithdrawn, mayHaveChanged } from './key-age.ts'
import { refreshAfter, retryDelay } from './key-refresh.ts'
import { type KeySet, parseKeySet } from './key-set.ts'
import { createKeyState, type KeyState } from './key-state.ts'
import type { JsonAnswer, SafeFetch } from './safe-fetch.ts'
import { type ShownToken, UNSHOWN } from './shown-token.ts'

/** The keys of one issuer, kept up to date in the background. */
export interface IssuerKeys {
  /**
   * Finds the key that a token names. A known key is returned at once; an unknown one may be new, so the issuer's keys are fetched, at most
   * once in 30 s for each asker.
   *
   * @param keyId - `kid` of the token
   * @param algorithm - `alg` of the token
   * @throws ProxyError `token_invalid` when there is no such key, `issuer_unavailable` when that cannot be found out
   */
  findKey(keyId: string | undefined, algorithm: string, shown?: ShownToken): VerificationKey | Promise<VerificationKey>
  /**
   * Finds the replacement of a key with which a signature did not verify: some servers give a new key the old id. Fetches keys within the
   * same bound. Left out where keys need no fetching.
   *
   * @returns undefined when there is no other key
   * @throws ProxyError `issuer_unavailable` when that cannot be found out
   */
  findReplacement?(failed: VerificationKey, algorithm: string, shown?: ShownToken): Promise<VerificationKey | undefined>
  /** Whether the key with that fingerprint still verifies tokens. */
  holds(fingerprint: string): boolean
  /** Whether there are keys to verify with. */
  isReady(): boolean
  /** Whether the issuer was asked, with or without success; true where keys need no fetching. */
  wasTried(): boolean
  /** Starts to fetch the keys in the background, unless that was done before. */
  warm(): void
  /** Stops the background work. */
  close(): void
}

/** Keys that are fetched, and how that went. */
export interface FetchedKeys extends IssuerKeys {
  status(): KeysStatus
}

export interface KeysStatus {
  /** Fetches that have ended. */
  readonly fetches: number
  readonly failedFetches: number
  /** Milliseconds since the usable keys were fetched; undefined where there are none. */
  readonly age: number | undefined
  readonly lastFailure: Failure | undefined
}

export interface IssuerKeysOptions {
  readonly plan: IssuerPlan
  readonly metadata: MetadataSource
  readonly fetchJson: SafeFetch['fetchJson']
  readonly clock: Clock
  /** Called when the keys cannot be fetched, at most once a minute. The text holds no secrets. */
  readonly onIssue?: ((message: string) => void) | undefined
}

/** How long a request waits for keys at most. */
const WAIT_MS = 5_000
const HANGING_MS = 0.9 * WAIT_MS
/** The keys are taken for those of now for this long: a token of a moment later that names another one is rather made up. */
const OLD_MS = 5_000
const ISSUE_INTERVAL_MS = 60_000
const MAX_CAUSE_CHARACTERS = 300

/** Creates the keys of an issuer. Nothing is fetched before the first question. */
export function createIssuerKeys(options: IssuerKeysOptions): FetchedKeys {
  const state = createKeyState(options.clock)
  const current = () => findUsable(state, options)
  return {
    findKey(keyId, algorithm, shown = UNSHOWN) {
      const keys = current()
      return keys?.find(keyId, algorithm) ?? findMissingKey(state, options, { keyId, algorithm, ...shown })
    },
    findReplacement: (failed, algorithm, shown = UNSHOWN) => findReplacement(state, options, failed, { algorithm, ...shown }),
    holds: (fingerprint) => current()?.holds(fingerprint) === true,
    isReady: () => current() !== undefined,
    status: () => ({
      fetches: state.fetches,
      failedFetches: state.failedFetches,
      age: current() && options.clock.monotonic() - state.fetchedAt,
      lastFailure: state.lastFailure,
    }),
    wasTried: () => state.keys !== undefined || state.failures > 0,
    warm() {
      if (current() === undefined) void startLoad(state, options)
    },
    close() {
      state.isClosed = true
      state.cancelTimer()
    },
  }
}

/** The keys, as long as they may be used: fresh, or kept while the issuer is down. */
function findUsable(state: KeyState, { plan, clock }: IssuerKeysOptions): KeySet | undefined {
  if (state.keys === undefined || state.keys.size === 0) return undefined
  const longest = Math.max(plan.refreshKeysSeconds, plan.staleKeysSeconds) * 1000
  return clock.monotonic() - state.fetchedAt < longest ? state.keys : undefined
}

async function findMissingKey(
  state: KeyState,
  options: IssuerKeysOptions,
  token: ShownToken & { readonly keyId: string | undefined; readonly algorithm: string },
): Promise<VerificationKey> {
  const { keyId, algorithm } = token
  const keys = findUsable(state, options)
  // A key with that id for another algorithm is an answer: no fetch is needed.
  if (keys !== undefined && keyId !== undefined && keys.hasKeyId(keyId)) throw unfit(keyId, algorithm)
  const hasAsked = await askFor(state, options, keys, token)
  const latest = findUsable(state, options)
  const key = latest?.find(keyId, algorithm)
  if (key !== undefined) return key
  // Only an issuer that has answered can have said that there is no such key.
  const hasAnswered = latest !== undefined && state.failures === 0 && state.loading === undefined
  if (!hasAnswered) throw unavailable(state, options, token)
  if (!hasAsked && mayBeNew(state, options, token) && !isWithdrawn(state, keyId)) throw unavailable(state, options, token)
  throw unfit(keyId, algorithm)
}

async function findReplacement(
  state: KeyState,
  options: IssuerKeysOptions,
  failed: VerificationKey,
  token: ShownToken & { readonly algorithm: string },
): Promise<VerificationKey | undefined> {
  const find = () => {
    const key = findUsable(state, options)?.find(failed.keyId, token.algorithm)
    return key?.fingerprint === failed.fingerprint ? undefined : key
  }
  const known = find()
  if (known !== undefined) return known
  const hasAsked = await askFor(state, options, findUsable(state, options), token)
  const latest = find()
  if (latest === undefined && !hasAsked && mayBeNew(state, options, token)) throw unavailable(state, options, token)
  return latest
}

/** Has the keys fetched where that is due, and waits for them. @returns whether it was */
async function askFor(
  state: KeyState,
  options: IssuerKeysOptions,
  keys: KeySet | undefined,
  token: ShownToken,
): Promise<boolean> {
  const isDue = mayAsk(state, options, keys, token) || mayAskAgain(state, options, token)
  if (isDue) await waitForLoad(state, options)
  return isDue
}

/** Whether the issuer may have a key by now that verifies a token, though it was not asked for it. */
function mayBeNew(state: KeyState, options: IssuerKeysOptions, token: ShownToken): boolean {
  return mayHaveChanged(state, options, token) || isNewer(state, options, token, OLD_MS)
}

/** Whether a missing key may cause a fetch now. Requests that arrive during a fetch wait for its result. */
function mayAsk(
  { loading, nextLoadAt, looks }: KeyState,
  { clock }: IssuerKeysOptions,
  keys: KeySet | undefined,
  { asker }: ShownToken,
): boolean {
  if (loading !== undefined) return true
  return keys === undefined ? clock.monotonic() >= nextLoadAt : looks.take(asker)
}

/** Whether a token would be called invalid without a fetch of its own, though it says that it is newer than the keys. */
function mayAskAgain(state: KeyState, options: IssuerKeysOptions, token: ShownToken): boolean {
  return !mayHaveChanged(state, options, token) && isNewer(state, options, token) && state.looks.takeSecond()
}

/** Waits until the keys are loaded, but not longer than a request can, and not at all while the issuer is known to hang. */
function waitForLoad(state: KeyState, options: IssuerKeysOptions): Promise<void> {
  const loading = startLoad(state, options)
  return new Promise((resolve) => {
    const giveUp = (): void => {
      state.isHanging = true
      resolve()
    }
    const leftMs = state.loadingSince + WAIT_MS - options.clock.monotonic()
    if (state.isHanging || leftMs <= 0) return giveUp()
    const cancel = options.clock.after(leftMs, giveUp)
    void loading.then(() => {
      cancel()
      resolve()
    })
  })
}

/** Loads the keys; one load at a time. The promise never rejects: a failure is part of the state. */
function startLoad(state: KeyState, options: IssuerKeysOptions): Promise<void> {
  state.loading ??= load(state, options).finally(() => {
    state.loading = undefined
  })
  return state.loading
}

async function load(state: KeyState, options: IssuerKeysOptions): Promise<void> {
  state.cancelTimer()
  state.fetches++
  const startedAt = options.clock.monotonic()
  state.loadingSince = startedAt
  try {
    const answer = await fetchKeys(options)
    const keys = parseKeySet(answer.document)
    if (state.keys !== undefined && !keys.equals(state.keys)) {
      state.changedAt = startedAt
      state.keysBefore = state.keys
    }
    state.keys = keys
    state.fetchedAt = startedAt
    state.isHanging = false
    // An empty set is accepted, since keys may be withdrawn, but fetched again soon.
    state.failures = keys.size > 0 ? 0 : state.failures + 1
    reportProblems(state, options, keys.problems.join('; ').slice(0, 1000))
    schedule(
      state,
      options,
      keys.size > 0 ? startedAt + refreshAfter(answer, options.plan) - options.clock.monotonic() : undefined,
    )
  } catch (error) {
    state.failedFetches++
    state.failures++
    // A fetch gives up after about as long as a request waits for it.
    state.isHanging ||= options.clock.monotonic() - startedAt > HANGING_MS
    options.metadata.forget()
    const cause = error instanceof Error ? error.message : String(error)
    state.lastFailure = { cause: cause.slice(0, MAX_CAUSE_CHARACTERS), at: options.clock.wall() }
    report(state, options, `keys cannot be fetched: ${cause}`)
    schedule(state, options, undefined)
  }
}

async function fetchKeys({ plan, metadata, fetchJson }: IssuerKeysOptions): Promise<JsonAnswer> {
  if (plan.jwksUri !== undefined) return fetchJson(plan.jwksUri, { namedBy: 'operator' })
  const { jwksUri } = await metadata.load()
  if (jwksUri === undefined) throw new Error('the metadata names no jwks_uri')
  return fetchJson(jwksUri, { namedBy: 'metadata' })
}

/** Plans the next load; undefined after a failure: then soon, and less and less soon. */
function schedule(state: KeyState, options: IssuerKeysOptions, delay: number | undefined): void {
  const { clock } = options
  const wait = Math.max(delay ?? retryDelay(state.failures, findUsable(state, options) !== undefined), 0)
  state.nextLoadAt = clock.monotonic() + wait
  if (state.isClosed) return
  state.cancelTimer = clock.after(wait, () => void startLoad(state, options))
}

/** Says once what is wrong with the keys, not at every refresh. */
function reportProblems(state: KeyState, options: IssuerKeysOptions, problems: string): void {
  if (problems === state.reportedProblems) return
  if (problems === '' || report(state, options, `keys left out: ${problems}`)) state.reportedProblems = problems
}

function report(state: KeyState, { clock, onIssue, plan }: IssuerKeysOptions, message: string): boolean {
  const now = clock.monotonic()
  if (onIssue === undefined || now - state.reportedAt < ISSUE_INTERVAL_MS) return false
  state.reportedAt = now
  onIssue(`issuer ${plan.issuer}: ${message}`)
  return true
}

function unfit(keyId: string | undefined, algorithm: string): ProxyError {
  const name = keyId === undefined ? 'no kid' : `kid ${JSON.stringify(keyId.slice(0, 64))}`
  return new ProxyError('token_invalid', { reason: 'key_unknown', cause: `no key of the issuer for ${name} and ${algorithm}` })
}

function unavailable(state: KeyState, options: IssuerKeysOptions, { asker }: ShownToken): ProxyError {
  const mayAskAt = Math.min(state.nextLoadAt, state.looks.nextAt(asker))
  const nextAt = findUsable(state, options) === undefined ? state.nextLoadAt : mayAskAt
  const retryAfter = Math.max(1, Math.ceil((nextAt - options.clock.monotonic()) / 1000))
  return new ProxyError('issuer_unavailable', {
    reason: 'keys_unavailable',
    cause: `the keys of issuer ${options.plan.issuer} cannot be fetched${state.failures === 0 ? ' again yet' : ''}`,
    retryAfter,
  })
}

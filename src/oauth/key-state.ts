import type { Clock } from '../core/clock.ts'
import type { Failure } from '../core/failure.ts'
import type { KeySet } from './key-set.ts'
import { createLookBudget, type LookBudget } from './look-budget.ts'

/** What is known of the keys of an issuer. */
export interface KeyState {
  keys: KeySet | undefined
  /** Those that the issuer had before it changed them last. */
  keysBefore: KeySet | undefined
  /** When the request for `keys` began, monotonic. */
  fetchedAt: number
  fetches: number
  failedFetches: number
  lastFailure: Failure | undefined
  /** Failures in a row. */
  failures: number
  loading: Promise<void> | undefined
  /** When `loading` began, monotonic. */
  loadingSince: number
  /** Whether a fetch took longer than a request may wait, and none has succeeded since. */
  isHanging: boolean
  /** What tokens that no key verifies may have us ask. */
  readonly looks: LookBudget
  /** When the issuer was last seen to have other keys than before. */
  changedAt: number
  reportedAt: number
  /** The problems of the key set that were reported last. */
  reportedProblems: string
  nextLoadAt: number
  cancelTimer: () => void
  isClosed: boolean
}

/** Nothing is known, and nothing was asked. */
export function createKeyState(clock: Clock): KeyState {
  return {
    keys: undefined,
    keysBefore: undefined,
    fetchedAt: 0,
    fetches: 0,
    failedFetches: 0,
    lastFailure: undefined,
    failures: 0,
    loading: undefined,
    loadingSince: 0,
    isHanging: false,
    looks: createLookBudget(clock),
    changedAt: Number.NEGATIVE_INFINITY,
    reportedAt: Number.NEGATIVE_INFINITY,
    reportedProblems: '',
    nextLoadAt: Number.NEGATIVE_INFINITY,
    cancelTimer: () => {},
    isClosed: false,
  }
}

import type { Clock } from '../core/clock.ts'
import type { IssuerPlan } from '../core/plan/issuer-plan.ts'
import type { KeyState } from './key-state.ts'
import { LOOK_INTERVAL_MS } from './look-budget.ts'
import { mayBeIssuedSince, type ShownToken, saysIssuedSince } from './shown-token.ts'

interface KeyAgeOptions {
  readonly plan: IssuerPlan
  readonly clock: Clock
}

/** Whether the issuer may have other keys by now but cannot be reached: then it cannot be decided whether a token is valid. */
export function mayHaveChanged(state: KeyState, options: KeyAgeOptions, token: ShownToken): boolean {
  if (isChanging(state, options)) return true
  return !state.looks.hasLooked(token.asker) && mayBeIssuedSince(...measure(state, options, token))
}

/** Whether a token says that it is newer than the keys: another token of that network had them fetched, just before the issuer changed them. */
export function isNewer(state: KeyState, options: KeyAgeOptions, token: ShownToken, leastAgeMs = 0): boolean {
  const age = options.clock.monotonic() - state.fetchedAt
  return age > leastAgeMs && saysIssuedSince(...measure(state, options, token))
}

/** When the keys were fetched, in seconds since the epoch, and what else it takes to compare a token with that. */
function measure({ fetchedAt }: KeyState, { clock, plan }: KeyAgeOptions, token: ShownToken) {
  const now = clock.wall() / 1000
  return [now - (clock.monotonic() - fetchedAt) / 1000, token, now, plan.clockToleranceSeconds] as const
}

/** An issuer that has just changed its keys may do so again before the next fetch is allowed. */
function isChanging({ changedAt, looks }: KeyState, { clock }: KeyAgeOptions): boolean {
  return clock.monotonic() - changedAt < LOOK_INTERVAL_MS && looks.isRecent()
}

/** Whether the issuer has just taken a key of that id away. */
export function isWithdrawn({ keysBefore }: KeyState, keyId: string | undefined): boolean {
  return keyId !== undefined && keysBefore?.hasKeyId(keyId) === true
}

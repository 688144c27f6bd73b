import type { IssuerPlan } from '../core/plan/issuer-plan.ts'
import type { JsonAnswer } from './safe-fetch.ts'

const FIRST_RETRY_MS = 1_000
/** With known keys there is no hurry; without any, every user waits for the issuer to come back. */
const LAST_RETRY_MS = { withKeys: 30_000, withoutKeys: 2_000 }
/** Begins early by a tenth, so that the answer is there when the keys come of age. */
const REFRESH_SHARE = 0.9

/** Milliseconds: what `Cache-Control` says, within reason, but never longer than the configuration wants. */
export function refreshAfter({ cacheControl }: JsonAnswer, { refreshKeysSeconds }: IssuerPlan): number {
  const maxAge = /(?:^|[ ,])max-age="?(\d{1,12})/i.exec(cacheControl ?? '')?.[1]
  const stated = maxAge === undefined ? refreshKeysSeconds : Math.min(Math.max(Number(maxAge), 30), 86_400)
  return Math.min(stated, refreshKeysSeconds) * 1000 * REFRESH_SHARE
}

/**
 * Milliseconds until the next try after failures.
 *
 * @param failures - in a row, at least one
 * @param hasKeys - whether there are keys to verify with meanwhile
 */
export function retryDelay(failures: number, hasKeys: boolean): number {
  return Math.min(FIRST_RETRY_MS * 2 ** (failures - 1), hasKeys ? LAST_RETRY_MS.withKeys : LAST_RETRY_MS.withoutKeys)
}

import { BoundedMap } from '../core/bounded-map.ts'
import type { Clock } from '../core/clock.ts'
import type { Principal } from '../core/principal.ts'

/** What is remembered of a token that was verified. */
export interface CachedToken {
  readonly principal: Principal
  /** Milliseconds since the epoch at which the token is no longer accepted. */
  readonly acceptedUntil: number
  /** Monotonic milliseconds at which it must be asked about again; infinity when that never happens. */
  readonly freshUntil: number
  /** Whether what verified the token would still do so. */
  readonly isStillTrusted: () => boolean
}

/** Tokens that were verified, by the digest of their exact characters. Never holds one that wasn't. */
export interface TokenCache {
  find(digest: string): Principal | undefined
  add(digest: string, token: CachedToken): void
  readonly size: number
}

/**
 * @param max - entries; the oldest is evicted for a new one
 */
export function createTokenCache(max: number, clock: Clock): TokenCache {
  const entries = new BoundedMap<string, CachedToken>(max)
  return {
    get size() {
      return entries.size
    },
    find(digest) {
      const entry = entries.get(digest)
      if (entry === undefined) return undefined
      if (isValid(entry, clock)) return entry.principal
      entries.delete(digest)
      return undefined
    },
    add: (digest, token) => entries.set(digest, token),
  }
}

function isValid({ acceptedUntil, freshUntil, isStillTrusted }: CachedToken, clock: Clock): boolean {
  if (clock.wall() >= acceptedUntil) return false
  if (freshUntil !== Number.POSITIVE_INFINITY && clock.monotonic() >= freshUntil) return false
  return isStillTrusted()
}

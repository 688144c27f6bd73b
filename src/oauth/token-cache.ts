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
  /**
   * Adds a token whose signature was verified. The first time, its principal is kept only for a moment, and after that nothing but its signer,
   * unless it comes again: of many tokens that come once, principals would live just long enough to have V8 collect its whole heap for them.
   *
   * @param signer - fingerprint of the key
   */
  addSigned(digest: string, token: CachedToken, signer: string): void
  /** Fingerprint of the key by which the signature of a token was verified, and nothing else: all that its claims say has to be checked. */
  findSigner(digest: string): string | undefined
  /** Principals that are kept. */
  readonly size: number
}

/** Few enough to be gone before the next collection but one of the young generation, for which a hundred requests are not many. */
const MAX_RECENT = 32

/**
 * @param max - entries of each kind; the oldest is evicted for a new one
 */
export function createTokenCache(max: number, clock: Clock): TokenCache {
  const kept = new BoundedMap<string, CachedToken>(max)
  const signers = new BoundedMap<string, string>(max)
  const recent = new RecentTokens(Math.min(max, MAX_RECENT))
  const recallRecent = (digest: string): CachedToken | undefined => {
    const entry = recent.take(digest)
    if (entry !== undefined) kept.set(digest, entry)
    return entry
  }
  return {
    get size() {
      return kept.size + recent.size
    },
    find(digest) {
      const entry = kept.get(digest) ?? recallRecent(digest)
      if (entry === undefined) return undefined
      if (isValid(entry, clock)) return entry.principal
      kept.delete(digest)
      signers.delete(digest)
      return undefined
    },
    add: (digest, token) => kept.set(digest, token),
    addSigned(digest, token, signer) {
      if (signers.get(digest) === signer) return kept.set(digest, token)
      recent.add(digest, token)
      signers.set(digest, signer)
    },
    findSigner: (digest) => signers.get(digest),
  }
}

/**
 * The last few tokens. In a `Map` each would live until the whole heap is collected: when V8 makes a new table for a map, the old one points
 * to it, so that of tables that were in use for a moment each keeps the next, once one of them is in the old generation.
 */
class RecentTokens {
  readonly #digests: string[]
  readonly #tokens: (CachedToken | undefined)[]
  #next = 0

  constructor(max: number) {
    this.#digests = new Array<string>(max).fill('')
    this.#tokens = new Array<CachedToken | undefined>(max).fill(undefined)
  }

  get size(): number {
    return this.#tokens.filter((token) => token !== undefined).length
  }

  add(digest: string, token: CachedToken): void {
    if (this.#digests.length === 0) return
    this.#digests[this.#next] = digest
    this.#tokens[this.#next] = token
    this.#next = (this.#next + 1) % this.#digests.length
  }

  /** Removes a token, and returns it. */
  take(digest: string): CachedToken | undefined {
    const place = this.#digests.indexOf(digest)
    if (place === -1) return undefined
    const token = this.#tokens[place]
    this.#digests[place] = ''
    this.#tokens[place] = undefined
    return token
  }
}

function isValid({ acceptedUntil, freshUntil, isStillTrusted }: CachedToken, clock: Clock): boolean {
  if (clock.wall() >= acceptedUntil) return false
  if (freshUntil !== Number.POSITIVE_INFINITY && clock.monotonic() >= freshUntil) return false
  return isStillTrusted()
}

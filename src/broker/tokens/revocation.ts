import { BoundedMap } from '../../core/bounded-map.ts'
import type { Clock } from '../../core/clock.ts'
import { ProxyError } from '../../core/errors.ts'
import type { TokenVerifier } from '../../core/ports.ts'
import type { Principal } from '../../core/principal.ts'
import type { Store } from '../../core/store.ts'
import { hashId } from '../storage/oidc-adapter.ts'

/** Knows which tokens and grants were revoked: a signature says nothing about what happened since. */
export interface Revocations {
  /**
   * Revokes a token.
   *
   * @param acceptedUntil - milliseconds since the epoch, tolerance of clocks included
   */
  revoke(tokenId: string, acceptedUntil: number): Promise<void>
  /** Drops the cache, so that the next check asks the store. */
  forget(): void
  /**
   * Whether neither the token nor its grant was revoked.
   *
   * @param user - the user of a token that came from a sign-in
   */
  isActive(tokenId: string, grantId: string | undefined, user?: UserOfToken): boolean | Promise<boolean>
}

/** The user that a token is for, and what it gives. */
export interface UserOfToken {
  readonly subject: string
  readonly scopes: ReadonlySet<string>
}

/** Whether a user may still have all that a token gives. */
export type StillMay = (user: UserOfToken) => Promise<boolean>

/** How long an active token is cached. Revocations of this process count at once, those of another process after this time. */
const KEEP_MS = 5_000
const MOST_KEPT = 10_000
/** The store may go by another clock. */
const MARGIN_MS = 60_000

/** The kind under which revoked token ids are kept until the tokens would have ended anyway. */
const REVOKED = 'RevokedToken'

export function createRevocations(store: Store, clock: Clock, stillMay: StillMay = async () => true): Revocations {
  const kept = new BoundedMap<string, number>(MOST_KEPT)
  const ask = async (tokenId: string, grantId?: string, user?: UserOfToken): Promise<boolean> => {
    if ((await store.find(REVOKED, hashId(tokenId))) !== undefined) return false
    if (grantId === undefined) return true
    if ((await store.find('Grant', hashId(grantId))) === undefined) return false
    return user === undefined || stillMay(user)
  }
  // An answer of the store that was under way during a revocation may be outdated.
  let endings = 0
  const askAndKeep = async (...token: Parameters<typeof ask>): Promise<boolean> => {
    const began = { at: clock.monotonic(), endings }
    const isActive = await ask(...token)
    const [tokenId] = token
    if (isActive && began.endings === endings) kept.set(tokenId, began.at + KEEP_MS)
    else kept.delete(tokenId)
    return isActive
  }
  return {
    async revoke(tokenId, acceptedUntil) {
      await store.put(REVOKED, hashId(tokenId), '1', { expiresAt: acceptedUntil + MARGIN_MS })
      endings += 1
      kept.delete(tokenId)
    },
    forget() {
      endings += 1
      kept.clear()
    },
    isActive: (...token) => clock.monotonic() < (kept.get(token[0]) ?? 0) || askAndKeep(...token),
  }
}

/** The claim that names the grant that a token was issued for. */
export const GRANT_CLAIM = 'grant_id'
/**
 * The claim of an exchanged token that names the grant of the user's own client. Revoking that grant revokes the token; revoking the
 * token leaves the grant alone.
 */
export const SUBJECT_GRANT_CLAIM = 'subject_grant_id'

/** The grant that a token depends on; undefined for a token that did not come from a sign-in. */
export function findGrantBehind({ [GRANT_CLAIM]: own, [SUBJECT_GRANT_CLAIM]: subject }: Principal['claims']): string | undefined {
  return [own, subject].find((grantId) => typeof grantId === 'string') as string | undefined
}

/** A verifier that also rejects revoked tokens of the broker. Tokens of other issuers pass unchanged. */
export function createUnrevokedVerifier(verifier: TokenVerifier, issuer: string, revocations: Revocations): TokenVerifier {
  const check = (principal: Principal): Principal | Promise<Principal> => {
    if (principal.issuer !== issuer) return principal
    const { subject, scopes, claims } = principal
    if (typeof claims.jti !== 'string') throw revoked()
    const live = revocations.isActive(
      claims.jti,
      findGrantBehind(claims),
      subject === undefined ? undefined : { subject, scopes },
    )
    return typeof live === 'boolean' ? accept(principal, live) : waitForStore(principal, live)
  }
  return {
    verify(token, asker) {
      const principal = verifier.verify(token, asker)
      return principal instanceof Promise ? principal.then(check) : check(principal)
    },
  }
}

function accept(principal: Principal, isActive: boolean): Principal {
  if (isActive === true) return principal
  throw revoked()
}

async function waitForStore(principal: Principal, live: Promise<boolean>): Promise<Principal> {
  let isActive: boolean
  try {
    isActive = await live
  } catch (cause) {
    throw new ProxyError('issuer_unavailable', { reason: 'store_unavailable', cause, retryAfter: 5 })
  }
  return accept(principal, isActive)
}

function revoked(): ProxyError {
  return new ProxyError('token_invalid', {
    reason: 'revoked',
    cause: 'the token was revoked, or its sign-in has ended',
  })
}

import { isDeepStrictEqual } from 'node:util'
import { BoundedMap } from '../../core/bounded-map.ts'
import type { Claims } from '../../core/claim-condition.ts'
import type { Clock } from '../../core/clock.ts'
import { ProxyError } from '../../core/errors.ts'
import { hashId } from '../../core/hash-id.ts'
import type { TokenVerifier } from '../../core/ports.ts'
import type { Principal } from '../../core/principal.ts'
import type { Store } from '../../core/store.ts'
import { freezeDeep } from '../../oauth/claims.ts'

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
   * Finds how a token stands: whether neither it nor its grant was revoked.
   *
   * @param user - the user of a token that came from a sign-in
   */
  findStanding(tokenId: string, grantId: string | undefined, user?: UserOfToken): Standing | Promise<Standing>
}

/** How a token stands. */
export interface Standing {
  readonly isActive: boolean
  /** What the identity provider says of the user now; undefined for a token that did not come from a sign-in. */
  readonly claims: Claims | undefined
}

/** The user that a token is for, and what it gives. */
export interface UserOfToken {
  readonly subject: string
  readonly scopes: ReadonlySet<string>
}

/** Finds the claims of a user who may still have all that a token gives; undefined for any other user. */
export type FindEntitled = (user: UserOfToken) => Promise<Claims | undefined>

/** How long an active token is cached. Revocations of this process count at once, those of another process after this time. */
const KEEP_MS = 5_000
const MAX_KEPT = 10_000
/** The store may go by another clock. */
const MARGIN_MS = 60_000

/** The kind under which revoked token ids are kept until the tokens would have ended anyway. */
const REVOKED = 'RevokedToken'

const ENDED: Standing = Object.freeze({ isActive: false, claims: undefined })
const WITHOUT_USER: Standing = Object.freeze({ isActive: true, claims: undefined })

export function createRevocations(store: Store, clock: Clock, findEntitled: FindEntitled = async () => ({})): Revocations {
  const kept = new BoundedMap<string, { readonly until: number; readonly standing: Standing }>(MAX_KEPT)
  const recallUser = createUserMemory()
  const ask = async (tokenId: string, grantId?: string, user?: UserOfToken): Promise<Standing> => {
    if ((await store.find(REVOKED, hashId(tokenId))) !== undefined) return ENDED
    if (grantId === undefined) return WITHOUT_USER
    if ((await store.find('Grant', hashId(grantId))) === undefined) return ENDED
    if (user === undefined) return WITHOUT_USER
    const claims = await findEntitled(user)
    return claims === undefined ? ENDED : recallUser(user.subject, claims)
  }
  // An answer of the store that was under way during a revocation may be outdated.
  let endings = 0
  const askAndKeep = async (...token: Parameters<typeof ask>): Promise<Standing> => {
    const began = { at: clock.monotonic(), endings }
    const standing = await ask(...token)
    const [tokenId] = token
    if (standing.isActive && began.endings === endings) kept.set(tokenId, { until: began.at + KEEP_MS, standing })
    else kept.delete(tokenId)
    return standing
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
    findStanding(...token) {
      const known = kept.get(token[0])
      return known !== undefined && clock.monotonic() < known.until ? known.standing : askAndKeep(...token)
    },
  }
}

/** One standing for all tokens of a user, for as long as the claims are the same: the claims of many tokens take the room of one. */
function createUserMemory(): (subject: string, claims: Claims) => Standing {
  const users = new BoundedMap<string, Standing>(MAX_KEPT)
  return (subject, claims) => {
    const known = users.get(subject)
    if (isDeepStrictEqual(known?.claims, claims)) return known as Standing
    const standing = Object.freeze({ isActive: true, claims: freezeDeep(claims) })
    users.set(subject, standing)
    return standing
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

/** Adds to the principal of a token what the identity provider says of its user now. */
export type AddClaims = (principal: Principal, claims: Claims) => Principal

/**
 * A verifier that also rejects revoked tokens of the broker. Tokens of other issuers pass unchanged.
 *
 * @param addClaims - without it, principals say no more than their tokens: what is told of them goes to clients
 */
export function createUnrevokedVerifier(
  verifier: TokenVerifier,
  issuer: string,
  revocations: Revocations,
  addClaims: AddClaims = (principal) => principal,
): TokenVerifier {
  const accept = (principal: Principal, { isActive, claims }: Standing): Principal => {
    if (isActive !== true) throw revoked()
    return claims === undefined ? principal : addClaims(principal, claims)
  }
  const check = (principal: Principal): Principal | Promise<Principal> => {
    if (principal.issuer !== issuer) return principal
    const { subject, scopes, claims } = principal
    if (typeof claims.jti !== 'string') throw revoked()
    const standing = revocations.findStanding(
      claims.jti,
      findGrantBehind(claims),
      subject === undefined ? undefined : { subject, scopes },
    )
    return standing instanceof Promise
      ? waitForStore(standing).then((found) => accept(principal, found))
      : accept(principal, standing)
  }
  return {
    verify(token, address) {
      const principal = verifier.verify(token, address)
      return principal instanceof Promise ? principal.then(check) : check(principal)
    },
  }
}

async function waitForStore(standing: Promise<Standing>): Promise<Standing> {
  try {
    return await standing
  } catch (cause) {
    throw new ProxyError('issuer_unavailable', { reason: 'store_unavailable', cause, retryAfter: 5 })
  }
}

function revoked(): ProxyError {
  return new ProxyError('token_invalid', {
    reason: 'revoked',
    cause: 'the token was revoked, or its sign-in has ended',
  })
}

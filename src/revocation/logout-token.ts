import type { Clock } from '../core/clock.ts'
import { ProxyError } from '../core/errors.ts'
import { isObject } from '../core/is-object.ts'
import type { IssuerPlan } from '../core/plan/issuer-plan.ts'
import { parseSignedJwt, type SignedJwt } from '../oauth/jws.ts'
import { verifyIssuer } from '../oauth/jwt-verifier.ts'
import type { IssuerKeys } from '../oauth/keys.ts'

/** An issuer that tells of users who logged out. */
export interface LogoutIssuer {
  readonly plan: IssuerPlan
  readonly keys: IssuerKeys
  /** Ids of the clients that it sends logout tokens for. */
  readonly clientIds: readonly string[]
}

/** Who logged out (OpenID Connect Back-Channel Logout 1.0 §2.4). One of both is there. */
export interface Logout {
  readonly issuer: string
  readonly subject: string | undefined
  readonly sid: string | undefined
  readonly jti: string
  /** Seconds since the epoch by the clock of the issuer (`iat`); up to the clock tolerance in the future. */
  readonly issuedAt: number
  /** Milliseconds since the epoch from which on the token is refused by its age. */
  readonly staleAt: number
}

const EVENT = 'http://schemas.openid.net/event/backchannel-logout'
/** Age at which a logout token is no longer accepted, whatever its `exp`: an old one would end new sign-ins. */
const MAX_AGE_SECONDS = 600
/** `typ` of the header: `logout+jwt` is recommended, and some issuers have no types of their own (§2.4). */
const TYPES: ReadonlySet<string | undefined> = new Set([undefined, 'jwt', 'logout+jwt'])

/**
 * Verifies a logout token (§2.6).
 *
 * @param asker - address of the sender; unknown keys are looked for once in 30 s for each network
 * @throws ProxyError `logout_refused`; `issuer_unavailable` when its keys cannot be fetched
 */
export async function verifyLogoutToken(
  token: string,
  issuers: readonly LogoutIssuer[],
  clock: Clock,
  asker: string,
): Promise<Logout> {
  const jwt = parse(token)
  const issuer = issuers.find(({ plan }) => plan.issuer === jwt.claims.iss)
  if (issuer === undefined) throw refused(`no issuer is configured for logout that is ${quote(jwt.claims.iss)}`)
  if (!TYPES.has(jwt.type)) throw refused(`typ ${quote(jwt.type)}`)
  await verifyKey(jwt, issuer, asker)
  checkPurpose(jwt)
  checkAudience(jwt, issuer)
  return { ...readUser(jwt), issuer: issuer.plan.issuer, ...readTimes(jwt, issuer, clock) }
}

function parse(token: string): SignedJwt {
  try {
    return parseSignedJwt(token)
  } catch (error) {
    throw error instanceof ProxyError ? refused(error.cause) : error
  }
}

async function verifyKey(jwt: SignedJwt, { plan, keys }: LogoutIssuer, asker: string): Promise<void> {
  try {
    await verifyIssuer(jwt, plan, keys, asker)
  } catch (error) {
    throw error instanceof ProxyError && error.code === 'token_invalid' ? refused(error.cause) : error
  }
}

/** Neither an ID token nor an access token, nor another security event (RFC 8417), of the same issuer and for the same client. */
function checkPurpose({ claims: { events, nonce, typ } }: SignedJwt): void {
  if (!isObject(events) || !Object.hasOwn(events, EVENT) || !isObject(events[EVENT])) throw refused('it is no logout event')
  // "A nonce Claim MUST NOT be present", so that it is never taken for an ID token (§2.4).
  if (nonce !== undefined) throw refused('it has a nonce')
  // Keycloak says in a claim what its tokens are.
  if (typ !== undefined && (typeof typ !== 'string' || typ.toLowerCase() !== 'logout'))
    throw refused(`the claim typ is ${quote(typ)}`)
}

function checkAudience({ claims: { aud } }: SignedJwt, { clientIds }: LogoutIssuer): void {
  const audiences: readonly unknown[] = Array.isArray(aud) ? aud : [aud]
  if (audiences.some((audience) => typeof audience === 'string' && clientIds.includes(audience))) return
  throw refused(`its audience is ${quote(aud)}`)
}

function readUser({ claims: { sub, sid, jti } }: SignedJwt): Pick<Logout, 'subject' | 'sid' | 'jti'> {
  if (!isOptionalName(sub) || !isOptionalName(sid)) throw refused('sub or sid is no text')
  if (sub === undefined && sid === undefined) throw refused('it has neither sub nor sid')
  if (typeof jti !== 'string' || jti === '') throw refused('jti is missing')
  return { subject: sub, sid, jti }
}

function isOptionalName(value: unknown): value is string | undefined {
  return value === undefined || (typeof value === 'string' && value !== '')
}

/** Some issuers leave `exp` out; its age counts in any case. */
function readTimes(
  { claims: { iat, exp } }: SignedJwt,
  { plan }: LogoutIssuer,
  clock: Clock,
): Pick<Logout, 'issuedAt' | 'staleAt'> {
  const now = clock.wall() / 1000
  const tolerance = plan.clockToleranceSeconds
  if (typeof iat !== 'number' || iat > now + tolerance) throw refused('iat is missing or in the future')
  if (exp !== undefined && typeof exp !== 'number') throw refused('exp is no date')
  const staleAt = Math.min(iat + MAX_AGE_SECONDS, exp ?? Number.POSITIVE_INFINITY) + tolerance
  if (now >= staleAt) throw refused('it has expired')
  return { issuedAt: iat, staleAt: staleAt * 1000 }
}

function refused(cause: unknown): ProxyError {
  return new ProxyError('logout_refused', { cause })
}

function quote(value: unknown): string {
  return (JSON.stringify(value) ?? 'missing').slice(0, 200)
}

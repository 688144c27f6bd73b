import { ProxyError } from '../core/errors.ts'
import type { IssuerPlan } from '../core/plan.ts'
import type { Principal } from '../core/principal.ts'
import type { AudienceCheck } from './audience.ts'
import { type Claims, checkTimes, checkTokenType, createPrincipal } from './claims.ts'
import type { Clock } from './clock.ts'

/** Where a token has no end of its own, it is over after a day, so that no stream it opened outlives it for ever. */
const TIMELESS_SECONDS = 86_400

/** `token_type` of an access token (RFC 7662 §2.2, RFC 6749 §7.1); some servers repeat the type hint. */
const ACCESS_TOKEN_TYPES = new Set(['bearer', 'access_token'])

/**
 * Checks what an authorization server says of an active token, by the same rules as the claims of a JWT.
 *
 * @param claims - of an introspection response with `active: true`
 * @throws ProxyError `token_*`
 */
export function verifyIntrospected(claims: Claims, plan: IssuerPlan, audience: AudienceCheck, clock: Clock): Principal {
  const now = clock.wall() / 1000
  checkIssuer(claims, plan.issuer)
  checkAccessToken(claims)
  checkTokenType(claims, undefined, plan)
  const expiresAt = checkTimes(claims, plan, now, Math.floor(now) + TIMELESS_SECONDS)
  const hasAudience = audience.check(claims, plan.audienceClaims)
  return createPrincipal(claims, plan, hasAudience, expiresAt)
}

/** `iss` is optional in an answer (RFC 7662 §2.2), but if there is one it is the issuer that we asked. */
function checkIssuer({ iss }: Claims, issuer: string): void {
  if (iss === undefined || iss === issuer) return
  throw new ProxyError('token_issuer_unknown', {
    cause: `introspection answered for issuer ${JSON.stringify(iss).slice(0, 200)}`,
  })
}

function checkAccessToken({ token_type: type }: Claims): void {
  if (type === undefined || (typeof type === 'string' && ACCESS_TOKEN_TYPES.has(type.toLowerCase()))) return
  throw new ProxyError('token_type_wrong', { cause: `token_type ${JSON.stringify(type).slice(0, 64)}` })
}

import type { Clock } from '../core/clock.ts'
import { ProxyError } from '../core/errors.ts'
import type { IssuerPlan } from '../core/plan/issuer-plan.ts'
import type { Principal } from '../core/principal.ts'
import type { AudienceCheck } from './audience.ts'
import { type Claims, checkActiveTimes, createPrincipal } from './claims.ts'
import { namesScope } from './scopes.ts'
import { checkTokenUse } from './token-use.ts'

/** Where a token has no end of its own, it is over after a day, so that no stream it opened outlives it for ever. */
const TIMELESS_SECONDS = 86_400

/** `token_type` of an access token (RFC 7662 §2.2, RFC 6749 §7.1); some servers repeat the type hint. */
const ACCESS_TOKEN_TYPES = new Set(['bearer', 'access_token'])

/**
 * Checks what an authorization server says of an active token, by the same rules as the claims of a JWT.
 *
 * @param answer - an introspection response with `active: true`
 * @throws ProxyError `token_*`
 */
export function verifyIntrospected(answer: Claims, plan: IssuerPlan, audience: AudienceCheck, clock: Clock): Principal {
  const claims = settleAnswer(answer)
  const now = clock.wall() / 1000
  checkIssuer(claims, plan.issuer)
  checkAccessToken(claims)
  checkTokenUse(claims, undefined, plan)
  const expiresAt = checkActiveTimes(claims, plan, now, Math.floor(now) + TIMELESS_SECONDS)
  const assurance = audience.check(claims, plan.audienceClaims)
  return createPrincipal(claims, plan, assurance, expiresAt)
}

/** Without these a token is anonymous, without an end of its own, or untyped; an empty text says no more than that. */
const OPTIONAL_TEXTS: ReadonlySet<string> = new Set(['exp', 'iat', 'nbf', 'sub', 'client_id', 'azp', 'iss', 'token_type'])
const DATES: ReadonlySet<string> = new Set(['exp', 'iat', 'nbf'])
/** An empty claim of these says that no scope was granted, which is not the same as saying nothing. */
const SCOPES: ReadonlySet<string> = new Set(['scope', 'scp'])

/** Many servers write every member that they know (RFC 7662 §2.2 has most of them optional), and some write dates as text. */
function settleAnswer(answer: Claims): Claims {
  const members = Object.entries(answer).filter(([name, value]) => !isAbsent(name, value))
  return Object.fromEntries(members.map(([name, value]) => [name, DATES.has(name) ? parseNumber(value) : value]))
}

function isAbsent(name: string, value: unknown): boolean {
  return (value === null && !SCOPES.has(name)) || (value === '' && OPTIONAL_TEXTS.has(name))
}

function parseNumber(value: unknown): unknown {
  return typeof value === 'string' && /^\d{1,12}$/.test(value) ? Number(value) : value
}

/** `iss` is optional in an answer (RFC 7662 §2.2), but if there is one it is the issuer that we asked. */
function checkIssuer({ iss }: Claims, issuer: string): void {
  if (iss === undefined || iss === issuer) return
  throw new ProxyError('token_issuer_unknown', {
    cause: `introspection answered for issuer ${JSON.stringify(iss).slice(0, 200)}`,
  })
}

/** Refresh tokens are active, too, and often have no more than a client and an end. */
function checkAccessToken(claims: Claims): void {
  const { token_type: type, sub } = claims
  if (typeof type === 'string' && ACCESS_TOKEN_TYPES.has(type.toLowerCase())) return
  if (type !== undefined) throw wrongType(`token_type ${JSON.stringify(type).slice(0, 64)}`)
  if (sub === undefined && !namesScope(claims)) throw wrongType('the answer names neither scope, subject nor token_type')
}

function wrongType(cause: string): ProxyError {
  return new ProxyError('token_type_wrong', { reason: 'other_use', cause })
}

import { ProxyError } from '../core/errors.ts'
import type { IssuerPlan } from '../core/plan.ts'
import type { Principal } from '../core/principal.ts'
import { collectScopes } from './scopes.ts'

export type Claims = Readonly<Record<string, unknown>>

/** End of the year 9999, in seconds: what lies beyond is no date. */
const LAST_DATE = 253_402_300_799

/**
 * Checks what a token says about time (RFC 7519 §4.1.4 to §4.1.6).
 *
 * @param claims - of a verified token
 * @param plan - tolerance and longest lifetime
 * @param now - seconds since the epoch
 * @param timeless - the end of a token that has no `exp`, in seconds since the epoch; without it `exp` is required
 * @returns seconds since the epoch at which the token ends, tolerance not included
 * @throws ProxyError `token_expired`, `token_invalid`
 */
export function checkTimes(claims: Claims, plan: IssuerPlan, now: number, timeless?: number): number {
  const expiresAt = parseDate(claims, 'exp') ?? timeless
  if (expiresAt === undefined) throw invalid('exp is missing')
  if (now >= expiresAt + plan.clockToleranceSeconds)
    throw new ProxyError('token_expired', { cause: `expired at ${formatDate(expiresAt)}` })
  const issuedAt = checkBegin(claims, 'iat', plan, now)
  checkBegin(claims, 'nbf', plan, now)
  checkLifetime(issuedAt, expiresAt, plan)
  return expiresAt
}

function checkBegin(claims: Claims, name: 'iat' | 'nbf', plan: IssuerPlan, now: number): number | undefined {
  const date = parseDate(claims, name)
  if (date !== undefined && date > now + plan.clockToleranceSeconds)
    throw invalid(`${name} lies in the future: ${formatDate(date)}`)
  return date
}

function checkLifetime(issuedAt: number | undefined, expiresAt: number, { maxLifetimeSeconds: longest }: IssuerPlan): void {
  if (longest === undefined) return
  if (issuedAt === undefined) throw invalid('iat is missing, which the longest lifetime is counted from')
  if (expiresAt - issuedAt > longest) throw invalid(`a lifetime of ${expiresAt - issuedAt} s`)
}

/** For people: in UTC, as log lines have it. {@link LAST_DATE} keeps it in range. */
function formatDate(seconds: number): string {
  return new Date(seconds * 1000).toISOString()
}

/** `NumericDate` (RFC 7519 §2); fractions are permitted. */
function parseDate(claims: Claims, name: string): number | undefined {
  const value = claims[name]
  if (value === undefined) return undefined
  if (typeof value !== 'number' || !(value >= 0 && value <= LAST_DATE)) throw invalid(`${name} is not a date`)
  return value
}

/**
 * Refuses tokens that are no access tokens, whoever signed them (RFC 8725 §3.11, §3.12).
 *
 * @param type - `typ` of the header as {@link SignedJwt} has it
 * @throws ProxyError `token_type_wrong`
 */
export function checkTokenType(claims: Claims, type: string | undefined, plan: IssuerPlan): void {
  if (type !== undefined && type !== 'jwt' && type !== 'at+jwt') throw wrongType(`typ ${JSON.stringify(type.slice(0, 64))}`)
  // Security event and logout tokens (RFC 8417 §2.2, OpenID Connect Back-Channel Logout §2.4).
  if (claims.events !== undefined) throw wrongType('events: a security event or logout token')
  checkStatedUse(claims, plan.acceptIdTokens)
  if (!plan.acceptIdTokens) checkNotIdToken(claims, type)
  // RFC 7800 §3.1: whoever shows such a token must prove to hold a key. As a bearer token it is a stolen one.
  if (claims.cnf !== undefined) throw wrongType('cnf: a sender-constrained token')
}

/** Values of the claim `typ` (Keycloak) that mean something else than an access token. */
const OTHER_TYPES = new Set(['refresh', 'offline', 'logout', 'initialaccesstoken', 'registrationaccesstoken'])

/** What issuers call their tokens: `token_use` (Cognito, Hydra), the claim `typ` (Keycloak). */
function checkStatedUse(claims: Claims, acceptIdTokens: boolean): void {
  const use = parseUse(claims.token_use)
  const type = parseUse(claims.typ)
  const isId = use === 'id' || type === 'id'
  const isOther = (use !== undefined && use !== 'access' && use !== 'id') || OTHER_TYPES.has(type ?? '')
  if (isOther || (isId && !acceptIdTokens)) throw wrongType(`token_use ${use ?? '-'}, typ ${type ?? '-'}`)
}

/** `access_token` and `access` are the same use; what is no string is no use that we know. */
function parseUse(value: unknown): string | undefined {
  if (value === undefined) return undefined
  return typeof value === 'string'
    ? value
        .toLowerCase()
        .replace(/_token$/, '')
        .slice(0, 64)
    : 'unknown'
}

function checkNotIdToken(claims: Claims, type: string | undefined): void {
  // OpenID Connect Core 1.0 §3.1.3.6 and §3.3.2.11: hashes of what was issued together with an ID token.
  if (claims.at_hash !== undefined || claims.c_hash !== undefined) throw wrongType('at_hash or c_hash: an ID token')
  if (claims.nonce !== undefined && type !== 'at+jwt') throw wrongType('nonce: an ID token')
}

/**
 * Makes the principal of verified claims.
 *
 * @param hasAudience - whether the token named an audience
 * @param expiresAt - seconds since the epoch
 * @throws ProxyError `token_invalid` when the claims that name somebody are no names
 */
export function createPrincipal(claims: Claims, plan: IssuerPlan, hasAudience: boolean, expiresAt: number): Principal {
  const clientId = parseName(claims, 'client_id') ?? parseName(claims, 'azp')
  return Object.freeze({
    issuer: plan.issuer,
    subject: parseName(claims, 'sub'),
    clientId,
    scopes: collectScopes(claims, plan.scopeClaims),
    hasAudience,
    expiresAt,
    acceptedUntil: expiresAt + plan.clockToleranceSeconds,
    claims: freezeDeep(claims),
  })
}

/** Control characters have no place in a name, and would have great effect in a header or a log. */
function parseName(claims: Claims, name: string): string | undefined {
  const value = claims[name]
  if (value === undefined) return undefined
  if (typeof value !== 'string' || value === '' || /[\x00-\x1f\x7f]/.test(value)) throw invalid(`${name} is not a name`)
  return value
}

/** The nesting is bounded: tokens and answers are checked for that when they are read. */
function freezeDeep<T extends object>(value: T): T {
  for (const member of Object.values(value)) if (typeof member === 'object' && member !== null) freezeDeep(member)
  return Object.freeze(value)
}

function invalid(cause: string): ProxyError {
  return new ProxyError('token_invalid', { cause })
}

function wrongType(cause: string): ProxyError {
  return new ProxyError('token_type_wrong', { cause })
}

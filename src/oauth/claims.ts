import { meetsCondition } from '../core/claim-condition.ts'
import { ProxyError, type ReasonOf } from '../core/errors.ts'
import type { IssuerPlan } from '../core/plan/issuer-plan.ts'
import type { Assurance, Principal } from '../core/principal.ts'
import { readGroups } from './groups.ts'
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
 * @returns seconds since the epoch at which the token ends, tolerance not included
 * @throws ProxyError `token_expired`, `token_invalid`
 */
export function checkTimes(claims: Claims, plan: IssuerPlan, now: number): number {
  const expiresAt = parseDate(claims, 'exp')
  if (expiresAt === undefined) throw invalid('exp is missing')
  checkBegin(claims, 'iat', plan, now)
  checkBegin(claims, 'nbf', plan, now)
  return checkEnd(claims, expiresAt, plan, now)
}

/**
 * The same for a token that its issuer has just called active: by the issuer's clock, which may be ahead of ours, `iat` has passed.
 *
 * @param timeless - expiry of a token that has no `exp`, in seconds since the epoch
 */
export function checkActiveTimes(claims: Claims, plan: IssuerPlan, now: number, timeless: number): number {
  checkBegin(claims, 'nbf', plan, Math.max(now, parseDate(claims, 'iat') ?? now))
  return checkEnd(claims, parseDate(claims, 'exp') ?? timeless, plan, now)
}

function checkBegin(claims: Claims, name: 'iat' | 'nbf', plan: IssuerPlan, now: number): void {
  const date = parseDate(claims, name)
  if (date !== undefined && date > now + plan.clockToleranceSeconds)
    throw invalid(`${name} is in the future: ${formatDate(date)}`, 'not_yet_valid')
}

function checkEnd(claims: Claims, expiresAt: number, plan: IssuerPlan, now: number): number {
  if (now >= expiresAt + plan.clockToleranceSeconds)
    throw new ProxyError('token_expired', { cause: `expired at ${formatDate(expiresAt)}` })
  checkLifetime(parseDate(claims, 'iat'), expiresAt, plan)
  return expiresAt
}

function checkLifetime(issuedAt: number | undefined, expiresAt: number, { maxLifetimeSeconds: longest }: IssuerPlan): void {
  if (longest === undefined) return
  if (issuedAt === undefined) throw invalid('iat is missing, from which the lifetime is counted')
  if (expiresAt - issuedAt > longest) throw invalid(`a lifetime of ${expiresAt - issuedAt} s`, 'lifetime_too_long')
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
 * Creates the principal from verified claims.
 *
 * @param assurance - what the token was found to prove
 * @param expiresAt - seconds since the epoch
 * @throws ProxyError `token_invalid` when a claim that identifies the subject or the client is not a usable name
 */
export function createPrincipal(claims: Claims, plan: IssuerPlan, assurance: Assurance, expiresAt: number): Principal {
  const clientId = parseName(claims, 'client_id') ?? parseName(claims, 'azp')
  return Object.freeze({
    issuer: plan.issuer,
    subject: parseName(claims, 'sub'),
    clientId,
    scopes: addGranted(collectScopes(claims, plan.scopeClaims), claims, plan),
    ...readGroups(claims, plan.groups),
    assurance,
    expiresAt,
    acceptedUntil: expiresAt + plan.clockToleranceSeconds,
    claims: freezeDeep(claims),
  })
}

/** Issuers of workloads know no scopes: the operator says which claims stand for some. */
function addGranted(scopes: ReadonlySet<string>, claims: Claims, { grant }: IssuerPlan): ReadonlySet<string> {
  if (grant === undefined) return scopes
  const granted = grant.filter(({ when }) => when === undefined || meetsCondition(when, claims))
  return new Set([...scopes, ...granted.flatMap((rule) => rule.scopes)])
}

/** Control characters do not belong in a name, and could forge lines of a header section or a log. */
function parseName(claims: Claims, name: string): string | undefined {
  const value = claims[name]
  if (value === undefined) return undefined
  if (typeof value !== 'string' || value === '' || /[\x00-\x1f\x7f]/.test(value)) throw invalid(`${name} is not a name`)
  return value
}

/** The nesting is bounded: tokens and answers are checked for that when they are read. */
export function freezeDeep<T extends object>(value: T): T {
  for (const member of Object.values(value)) if (typeof member === 'object' && member !== null) freezeDeep(member)
  return Object.freeze(value)
}

function invalid(cause: string, reason: ReasonOf<'token_invalid'> = 'claim_invalid'): ProxyError {
  return new ProxyError('token_invalid', { reason, cause })
}

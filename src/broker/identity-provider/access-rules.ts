import type { ClaimCondition, IdentityProviderPlan } from '../../core/plan/identity-provider-plan.ts'

export type Claims = Readonly<Record<string, unknown>>

/** Whether a user may sign in: where nothing is demanded everyone may, else who meets one condition. */
export function mayUserSignIn(claims: Claims, { allow }: Pick<IdentityProviderPlan, 'allow'>): boolean {
  return allow.length === 0 || allow.some((condition) => isMet(condition, claims))
}

/** The claim that holds the scopes which the identity provider granted. No provider can set it: it is written last. */
export const GRANTED_SCOPES = 'granted_scopes'

/** The scopes that a user may have, out of those that there are: by our own rules, and where it has a say by the identity provider. */
export function listUserScopes(
  claims: Claims,
  { grant, asgardeo }: Pick<IdentityProviderPlan, 'grant' | 'asgardeo'>,
  known: ReadonlySet<string>,
): ReadonlySet<string> {
  const possible = listByRules(claims, grant, known)
  if (asgardeo?.api === undefined) return possible
  const { scopes } = asgardeo.api
  const held = readClaim(claims, GRANTED_SCOPES)
  return new Set([...possible].filter((scope) => !scopes.includes(scope) || (Array.isArray(held) && held.includes(scope))))
}

function listByRules(claims: Claims, grant: IdentityProviderPlan['grant'], known: ReadonlySet<string>): ReadonlySet<string> {
  if (grant === undefined) return known
  const granted = grant.filter(({ when }) => when === undefined || isMet(when, claims)).flatMap(({ scopes }) => scopes)
  return new Set(granted.filter((scope) => known.has(scope)))
}

function isMet({ claim, values }: ClaimCondition, claims: Claims): boolean {
  if (claim === 'email_domain') return isDomainAmong(values, claims)
  if (claim === 'email') return isAddressAmong(values, claims)
  const held = readClaim(claims, claim)
  const texts = (Array.isArray(held) ? held : [held]).map((value) =>
    // Beyond 2^53 a number was rounded, and could be that of another.
    Number.isSafeInteger(value) || typeof value === 'boolean' ? String(value) : value,
  )
  return texts.some((text) => typeof text === 'string' && values.includes(text))
}

/**
 * Why a user may not sign in, for the log: what of each condition the claims lack. What they hold is the user's own business.
 *
 * @returns for example `groups: there is no such claim`
 */
export function explainDenial(claims: Claims, { allow }: Pick<IdentityProviderPlan, 'allow'>): string {
  return allow.map(({ claim }) => `${claim}: ${explainUnmet(claim, claims)}`).join('; ')
}

function explainUnmet(claim: string, claims: Claims): string {
  if (claim !== 'email_domain' && claim !== 'email')
    return readClaim(claims, claim) === undefined ? 'there is no such claim' : 'another value'
  if (typeof claims.email !== 'string') return 'there is no email'
  if (!isVerified(claims)) return 'the email is not verified (email_verified)'
  return claim === 'email' ? 'another address' : 'another domain'
}

/** An address that the identity provider has not verified may be anybody’s. */
function isDomainAmong(domains: readonly string[], claims: Claims): boolean {
  const { email } = claims
  if (typeof email !== 'string' || !isVerified(claims)) return false
  const at = email.lastIndexOf('@')
  const domain = at < 1 ? undefined : foldCase(email.slice(at + 1))
  return domain !== undefined && domains.some((candidate) => foldCase(candidate) === domain)
}

function isAddressAmong(addresses: readonly string[], claims: Claims): boolean {
  const { email } = claims
  if (typeof email !== 'string' || !isVerified(claims)) return false
  return addresses.some((candidate) => foldCase(candidate) === foldCase(email))
}

/** ASCII alone: `toLowerCase` makes one letter of several (the Kelvin sign is a k), and so one address of two. */
function foldCase(text: string): string {
  return text.replace(/[A-Z]/g, (letter) => letter.toLowerCase())
}

function isVerified({ email_verified: verified }: Claims): boolean {
  return verified === true || verified === 'true'
}

/** Whether the identity provider says that it has not verified the address; some say nothing of it. */
export function isSaidUnverified(claims: Claims): boolean {
  return Object.hasOwn(claims, 'email_verified') && !isVerified(claims)
}

/** A claim by its name, or by a path with dots into objects. */
export function readClaim(claims: Claims, name: string): unknown {
  if (Object.hasOwn(claims, name)) return claims[name]
  let value: unknown = claims
  for (const part of name.split('.')) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, part)) return undefined
    value = (value as Record<string, unknown>)[part]
  }
  return value
}

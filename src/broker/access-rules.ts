import type { ClaimCondition, IdentityProviderPlan } from '../core/plan.ts'

export type Claims = Readonly<Record<string, unknown>>

/** Whether a user may sign in: where nothing is demanded everyone may, else who meets one condition. */
export function mayUserSignIn(claims: Claims, { allow }: Pick<IdentityProviderPlan, 'allow'>): boolean {
  return allow.length === 0 || allow.some((condition) => isMet(condition, claims))
}

/** The scopes that a user may have, out of those that there are. */
export function listUserScopes(
  claims: Claims,
  { grant }: Pick<IdentityProviderPlan, 'grant'>,
  known: ReadonlySet<string>,
): ReadonlySet<string> {
  if (grant === undefined) return known
  const granted = grant.filter(({ when }) => when === undefined || isMet(when, claims)).flatMap(({ scopes }) => scopes)
  return new Set(granted.filter((scope) => known.has(scope)))
}

function isMet({ claim, values }: ClaimCondition, claims: Claims): boolean {
  if (claim === 'email_domain') return isDomainAmong(values, claims)
  const held = readClaim(claims, claim)
  const texts = (Array.isArray(held) ? held : [held]).map((value) =>
    typeof value === 'number' || typeof value === 'boolean' ? String(value) : value,
  )
  return texts.some((text) => typeof text === 'string' && values.includes(text))
}

/** An address that the identity provider has not verified may be anybody’s. */
function isDomainAmong(domains: readonly string[], { email, email_verified: verified }: Claims): boolean {
  if (typeof email !== 'string' || (verified !== true && verified !== 'true')) return false
  const at = email.lastIndexOf('@')
  const domain = at < 1 ? undefined : email.slice(at + 1).toLowerCase()
  return domain !== undefined && domains.some((candidate) => candidate.toLowerCase() === domain)
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

import type { ClaimCondition, IdentityProviderPlan } from '../core/plan.ts'

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

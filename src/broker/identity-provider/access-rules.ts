import { type Claims, isVerified, meetsCondition, readClaim } from '../../core/claim-condition.ts'
import type { IdentityProviderPlan } from '../../core/plan/identity-provider-plan.ts'
import { isLeftOut } from '../../oauth/groups.ts'

/** Whether a user may sign in: where nothing is demanded everyone may, else who meets one condition. */
export function mayUserSignIn(claims: Claims, { allow }: Pick<IdentityProviderPlan, 'allow'>): boolean {
  return allow.length === 0 || allow.some((condition) => meetsCondition(condition, claims))
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
  const granted = grant.filter(({ when }) => when === undefined || meetsCondition(when, claims)).flatMap(({ scopes }) => scopes)
  return new Set(granted.filter((scope) => known.has(scope)))
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
  if (claim !== 'email_domain' && claim !== 'email') return explainOther(claim, claims)
  if (typeof claims.email !== 'string') return 'there is no email'
  if (!isVerified(claims)) return 'the email is not verified (email_verified)'
  return claim === 'email' ? 'another address' : 'another domain'
}

function explainOther(claim: string, claims: Claims): string {
  if (readClaim(claims, claim) !== undefined) return 'another value'
  return isLeftOut(claims, claim)
    ? 'left out by Microsoft Entra ID, since the user is in too many groups: have it send only those assigned to the application'
    : 'there is no such claim'
}

/** Whether the identity provider says that it has not verified the address; some say nothing of it. */
export function isSaidUnverified(claims: Claims): boolean {
  return Object.hasOwn(claims, 'email_verified') && !isVerified(claims)
}

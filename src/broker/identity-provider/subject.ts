import type { IdentityProviderPlan } from '../../core/plan/identity-provider-plan.ts'
import { IdentityProviderError } from './error.ts'

type ProviderPlan = Pick<IdentityProviderPlan, 'issuer' | 'oauth'>

/** The claim that identifies users. Plain OAuth has no `sub`: the configuration names a claim. */
export function findSubjectClaim({ oauth }: Pick<ProviderPlan, 'oauth'>): string {
  return oauth?.subjectClaim ?? 'sub'
}

/** Whether the subjects of an issuer's tokens are users of the identity provider. Only OpenID Connect has such tokens. */
export function isSubjectIssuer(plan: ProviderPlan, issuer: string): boolean {
  return plan.oauth === undefined && plan.issuer === issuer
}

/** The value of the claim that identifies a user, as text. */
export function formatSubject(claim: string, value: unknown): string {
  if ((typeof value === 'string' && value !== '') || Number.isSafeInteger(value)) return String(value)
  throw new IdentityProviderError('unavailable', `the userinfo endpoint: the claim ${claim} identifies no user`)
}

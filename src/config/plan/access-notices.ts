import type { ClaimCondition, IdentityProviderPlan } from '../../core/plan.ts'
import { isPublicMail } from '../../identity/public-users.ts'

/** Says at every start that the public may sign in. */
export function createAccessNotices(provider: IdentityProviderPlan | undefined): string[] {
  if (provider === undefined) return []
  const { allow, openTo } = provider
  return [
    ...(openTo === undefined
      ? []
      : [
          `identity_provider.allow: missing, so ${openTo} may sign in and use the servers. Name who may, by email, email_domain or another claim.`,
        ]),
    ...allow.flatMap(createMailNotices),
  ]
}

function createMailNotices({ claim, values }: ClaimCondition): string[] {
  if (claim !== 'email_domain') return []
  return values
    .filter(isPublicMail)
    .map((domain) => `identity_provider.allow: everybody can have an address of ${domain}. Name single addresses with email.`)
}

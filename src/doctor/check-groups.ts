import { findGroupSetups } from '../core/group-setup.ts'
import type { BrokerPlan } from '../core/plan/broker-plan.ts'
import type { IdentityProviderPlan } from '../core/plan/identity-provider-plan.ts'
import type { ServerPlan } from '../core/plan/server-plan.ts'
import { findKindOfIssuer } from '../identity/known-issuers.ts'
import type { Finding, Findings } from './finding.ts'
import type { Metadata } from './probe-issuer.ts'

/** Whether the groups that a server decides by arrive without being set up at the issuer. */
export function checkGroups(server: ServerPlan, broker: BrokerPlan | undefined, about: Findings): Finding[] {
  return findGroupSetups(server, broker).map(({ issuer, setup, isUnknown }) =>
    isUnknown
      ? about.problem('groups_unknown', `It decides by groups, and ${issuer} names none: no condition on groups holds.`, setup)
      : about.warning('groups_setup', `It decides by groups, which ${issuer} sends only once that is set up there.`, setup),
  )
}

/** The claims of users that servers decide by, as entries of `access` name them. */
export function listPolicyClaims(servers: readonly ServerPlan[], groupsClaim: string | undefined): readonly string[] {
  const named = servers.flatMap(({ policy }) => [
    ...(policy.readsGroups === true && groupsClaim !== undefined ? [groupsClaim] : []),
    ...(policy.access?.entries ?? []).flatMap(({ claim }) => claim?.claim ?? []),
  ])
  return [...new Set(named.map((claim) => (claim === 'email_domain' ? 'email' : claim)))]
}

/**
 * Whether the metadata lists the claims that servers decide by (OpenID Connect Discovery §3, `claims_supported`). Known products are left
 * out: what an operator adds to their tokens is never in their metadata.
 */
export function checkAnnouncedClaims(
  { claims_supported: listed }: Metadata,
  { kind, issuer }: Pick<IdentityProviderPlan, 'kind' | 'issuer'>,
  claims: readonly string[],
  about: Findings,
): Finding[] {
  if (kind !== 'oidc' || findKindOfIssuer(issuer) !== undefined || !Array.isArray(listed)) return []
  // A path with dots leads into the claim that it begins with.
  const missing = claims.filter((claim) => !listed.includes(claim) && !listed.includes(claim.split('.')[0]))
  if (missing.length === 0) return []
  const names = missing.map((claim) => `\`${claim}\``).join(', ')
  return [
    about.warning(
      'claim_unannounced',
      `Its metadata does not list ${names} among \`claims_supported\`, and access to servers depends on it.`,
      'Correct the name, or see to it that the ID token or the userinfo has the claim, which may take a scope under `scopes`; the list of the metadata need not be complete.',
    ),
  ]
}

import { findGroupSetups } from '../../core/group-setup.ts'
import type { BrokerPlan } from '../../core/plan/broker-plan.ts'
import type { IdentityProviderPlan } from '../../core/plan/identity-provider-plan.ts'
import type { ClaimCondition } from '../../core/plan/issuer-plan.ts'
import type { ServerPlan } from '../../core/plan/server-plan.ts'
import { findUngrantedScopes } from '../../core/ungranted-scopes.ts'
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
    .map((domain) => `identity_provider.allow: anyone can get an address of ${domain}. List single addresses with email.`)
}

/** Scopes that no user can have are mostly misspelt, in the server or in the `grant`. */
export function createGrantNotices(servers: readonly ServerPlan[], broker: BrokerPlan | undefined): string[] {
  if (broker === undefined) return []
  return servers.flatMap((server) => {
    const { ofBase, ofRules } = findUngrantedScopes(server, broker)
    const name = `server ${server.name}`
    return [
      ...(ofBase.length === 0
        ? []
        : [`${name}: unusable: every request needs ${ofBase.join(', ')}, which no \`grant\` of \`identity_provider\` gives.`]),
      ...(ofRules.length === 0
        ? []
        : [
            `${name}: rules need ${ofRules.join(', ')}, which no \`grant\` of \`identity_provider\` gives: no user can do what they protect.`,
          ]),
    ]
  })
}

/** Most products send groups only after a setup step: until then users are in no group for policy. */
export function createGroupSetupNotices(servers: readonly ServerPlan[], broker: BrokerPlan | undefined): string[] {
  return servers.flatMap((server) =>
    findGroupSetups(server, broker).map(({ issuer, setup, isUnknown }) => {
      const outcome = isUnknown
        ? 'Until then no condition on groups holds.'
        : 'Once that is done, say so by `groups_claim`, and this notice goes.'
      return `server ${server.name}: decides by groups of ${issuer}. ${setup} ${outcome}`
    }),
  )
}

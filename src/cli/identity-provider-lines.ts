import { BROKER_PATHS } from '../core/broker-paths.ts'
import type { BrokerPlan, IdentityProviderPlan } from '../core/plan.ts'

/** Whom users sign in with, what has to be registered there, and what the proxy will do. */
export function formatIdentityProvider({ issuer, identityProvider: plan }: BrokerPlan): string[] {
  return [
    `Users sign in with ${plan.name} (kind ${plan.kind}, ${plan.issuer}). Register there the redirect URI ${issuer}${BROKER_PATHS.callback}.`,
    `  Asks for ${formatScopes(plan)}${formatParameters(plan)} with PKCE; authenticates as ${plan.clientId} by ${plan.clientAuthentication.method}.`,
    ...plan.notes.map((note) => `  ${note}`),
    `  ${formatAdmission(plan)}`,
  ]
}

function formatScopes({ scopes }: IdentityProviderPlan): string {
  return scopes.length === 0 ? 'no scopes' : `the scopes ${scopes.join(' ')}`
}

function formatParameters({ authorizationParameters }: IdentityProviderPlan): string {
  const names = Object.keys(authorizationParameters)
  return names.length === 0 ? '' : `, sends ${names.join(' and ')}`
}

function formatAdmission({ allow }: IdentityProviderPlan): string {
  if (allow.length === 0) return 'Every user of it may sign in.'
  const conditions = allow.map(({ claim, values }) => `${claim} is ${values.join(' or ')}`)
  return `May sign in: users whose ${conditions.join(', or whose ')}.`
}

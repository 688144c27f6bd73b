import { BROKER_PATHS } from '../core/broker-paths.ts'
import type { BrokerPlan } from '../core/plan/broker-plan.ts'
import type { IdentityProviderPlan } from '../core/plan/identity-provider-plan.ts'

/** Whom users sign in with, what has to be registered there, and what the proxy will do. */
export function formatIdentityProvider({ issuer, identityProvider: plan }: BrokerPlan): string[] {
  const callback = `${issuer}${BROKER_PATHS.callback}`
  return [
    `Users sign in with ${plan.name} (kind ${plan.kind}, ${plan.issuer}). ${formatRegistration(plan, callback)}`,
    `  Asks for ${formatScopes(plan)}${formatParameters(plan)} with PKCE; authenticates ${formatClient(plan)}.`,
    ...plan.notes.map((note) => `  ${note}`),
    `  ${formatAdmission(plan)}`,
    `  ${formatUnrefreshed(plan)}`,
  ]
}

/** How long users go on whom the provider gives no refresh token for. */
export function formatUnrefreshed({ name, unrefreshedSeconds }: IdentityProviderPlan): string {
  return `Users for whom ${name} gives no refresh token sign in again at most ${unrefreshedSeconds} s after its last word on them (identity_provider.unrefreshed_seconds).`
}

function formatRegistration({ asgardeo }: IdentityProviderPlan, callback: string): string {
  if (asgardeo === undefined) return `Register there the redirect URI ${callback}.`
  const { registration, applicationName, admin } = asgardeo
  const what = registration === 'application' ? `the application ${applicationName}` : 'an application for each MCP client'
  return `Makes ${what} there with the redirect URI ${callback}, as ${admin.clientId}.`
}

function formatClient({ asgardeo, clientId, clientAuthentication }: IdentityProviderPlan): string {
  return asgardeo === undefined ? `as ${clientId} by ${clientAuthentication.method}` : 'as that application by client_secret_post'
}

function formatScopes({ scopes }: IdentityProviderPlan): string {
  return scopes.length === 0 ? 'no scopes' : `the scopes ${scopes.join(' ')}`
}

function formatParameters({ authorizationParameters }: IdentityProviderPlan): string {
  const names = Object.keys(authorizationParameters)
  return names.length === 0 ? '' : `, sends ${names.join(' and ')}`
}

function formatAdmission({ allow, openTo }: IdentityProviderPlan): string {
  if (allow.length === 0) return `May sign in: ${openTo ?? 'every user of it'}.`
  const conditions = allow.map(({ claim, values }) => `${claim} is ${values.join(' or ')}`)
  return `May sign in: users whose ${conditions.join(', or whose ')}.`
}

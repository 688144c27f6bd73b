import type { BrokerPlan } from './plan/broker-plan.ts'
import type { ServerPlan } from './plan/server-plan.ts'

/** Scopes that a server requires and that no user or client can get. */
export interface UngrantedScopes {
  /** Those that every request needs. */
  readonly ofBase: readonly string[]
  /** Further ones of rules. */
  readonly ofRules: readonly string[]
}

/** Finds the scopes that no `grant` gives to users of the broker, and no client of the configuration has for itself. */
export function findUngrantedScopes(server: ServerPlan, broker: BrokerPlan): UngrantedScopes {
  const { grant } = broker.identityProvider
  // Tokens of other issuers have what those say.
  if (grant === undefined || server.issuers.some(({ issuer }) => issuer !== broker.issuer)) return { ofBase: [], ofRules: [] }
  const { baseScopes, rules, hierarchy } = server.policy
  const held = [...grant.flatMap(({ scopes }) => scopes), ...listMachineScopes(server, broker)]
  const given = new Set(held.flatMap((scope) => [scope, ...(hierarchy[scope] ?? [])]))
  const findMissing = (scopes: readonly string[]) => [...new Set(scopes)].filter((scope) => !given.has(scope))
  const ofBase = findMissing(baseScopes)
  return { ofBase, ofRules: findMissing(rules.flatMap(({ scopes }) => scopes)).filter((scope) => !ofBase.includes(scope)) }
}

/** What clients of the configuration get for themselves. */
function listMachineScopes({ name, policy }: ServerPlan, { clients }: BrokerPlan): readonly string[] {
  const machines = clients.filter(
    ({ grants, servers }) => grants.includes('client_credentials') && (servers === undefined || servers.includes(name)),
  )
  return machines.flatMap(({ scopes }) => scopes ?? policy.baseScopes)
}

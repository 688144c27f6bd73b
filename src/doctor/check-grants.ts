import type { BrokerPlan, ServerPlan } from '../core/plan.ts'
import type { Finding, Findings } from './finding.ts'

/** Whether users of the broker can have the scopes that a server asks for: what no `grant` gives, nobody has. */
export function checkGrants(server: ServerPlan, broker: BrokerPlan, about: Findings): Finding[] {
  const { grant } = broker.identityProvider
  // Tokens of other issuers have what those say.
  if (grant === undefined || server.issuers.some(({ issuer }) => issuer !== broker.issuer)) return []
  const { baseScopes, rules, hierarchy } = server.policy
  const held = grant.flatMap(({ scopes }) => scopes).flatMap((scope) => [scope, ...(hierarchy[scope] ?? [])])
  const forMachines = listMachineScopes(server, broker).flatMap((scope) => [scope, ...(hierarchy[scope] ?? [])])
  const given = new Set([...held, ...forMachines])
  const findMissing = (scopes: readonly string[]) => [...new Set(scopes)].filter((scope) => !given.has(scope)).map(quote)
  const ofBase = findMissing(baseScopes)
  const ofRules = findMissing(rules.flatMap(({ scopes }) => scopes)).filter((scope) => !ofBase.includes(scope))
  return [
    ...(ofBase.length === 0 ? [] : [explainBase(ofBase, about)]),
    ...(ofRules.length === 0 ? [] : [explainRules(ofRules, about)]),
  ]
}

/** What clients of the configuration get for themselves. */
function listMachineScopes({ name, policy }: ServerPlan, { clients }: BrokerPlan): readonly string[] {
  const machines = clients.filter(
    ({ grants, servers }) => grants.includes('client_credentials') && (servers === undefined || servers.includes(name)),
  )
  return machines.flatMap(({ scopes }) => scopes ?? policy.baseScopes)
}

function explainBase(scopes: readonly string[], about: Findings): Finding {
  return about.problem(
    'base_scope_not_granted',
    `Nobody can use it: every request needs ${scopes.join(', ')}, which no \`grant\` of \`identity_provider\` gives.`,
    'Add the scope to a `grant`, or correct `scopes` of the server.',
  )
}

function explainRules(scopes: readonly string[], about: Findings): Finding {
  return about.warning(
    'rule_scope_not_granted',
    `Its rules ask for ${scopes.join(', ')}, which no \`grant\` of \`identity_provider\` gives: nobody can do what they protect.`,
    'Add the scope to a `grant`, or correct the rule.',
  )
}

function quote(scope: string): string {
  return `\`${scope}\``
}

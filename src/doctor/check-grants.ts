import type { BrokerPlan } from '../core/plan/broker-plan.ts'
import type { ServerPlan } from '../core/plan/server-plan.ts'
import { findUngrantedScopes } from '../core/ungranted-scopes.ts'
import type { Finding, Findings } from './finding.ts'

/** Whether users of the broker can have the scopes that a server asks for: a scope that no `grant` gives is out of reach. */
export function checkGrants(server: ServerPlan, broker: BrokerPlan, about: Findings): Finding[] {
  const { ofBase, ofRules } = findUngrantedScopes(server, broker)
  return [
    ...(ofBase.length === 0 ? [] : [explainBase(ofBase.map(quote), about)]),
    ...(ofRules.length === 0 ? [] : [explainRules(ofRules.map(quote), about)]),
  ]
}

function explainBase(scopes: readonly string[], about: Findings): Finding {
  return about.problem(
    'base_scope_not_granted',
    `It is unusable: every request needs ${scopes.join(', ')}, which no \`grant\` of \`identity_provider\` gives.`,
    'Add the scope to a `grant`, or correct `scopes` of the server.',
  )
}

function explainRules(scopes: readonly string[], about: Findings): Finding {
  return about.warning(
    'rule_scope_not_granted',
    `Its rules ask for ${scopes.join(', ')}, which no \`grant\` of \`identity_provider\` gives: no user can do what they protect.`,
    'Add the scope to a `grant`, or correct the rule.',
  )
}

function quote(scope: string): string {
  return `\`${scope}\``
}

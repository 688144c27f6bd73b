import type { PolicyPlan, RulePlan } from '../core/plan/policy-plan.ts'
import type { ServerPlan } from '../core/plan/server-plan.ts'
import { SAMPLE_SCOPES, SAMPLE_USERS, type Scope, type User } from './users.ts'

/** Who can sign in before some servers, and what for. */
export interface SandboxScopes {
  readonly scopes: readonly Scope[]
  /** Scopes that all users may grant. */
  readonly defaultScopes: readonly string[]
  readonly users: readonly User[]
}

/** Scopes that the provider has a meaning of its own for. */
const RESERVED = new Set(['openid', 'offline_access'])

/**
 * Hands the scopes that servers ask for to the sample users: what whole servers, methods, all tools or all prompts need to both, what
 * single tools, prompts and resources need besides to the administrator only, so that a refusal and a step-up can be seen.
 */
export function assignScopes(servers: readonly ServerPlan[]): SandboxScopes {
  const policies = servers.map(({ policy }) => policy)
  const usual = withSample(unique(policies.flatMap(listUsual)))
  const rest = unique(policies.flatMap(({ rules }) => rules.flatMap(({ scopes }) => scopes)))
  const names = unique([...usual, ...rest])
  const [alice, bob] = SAMPLE_USERS
  return {
    scopes: names.map((name) => ({ name, description: describe(name, usual) })),
    defaultScopes: usual,
    users: [
      { ...alice, mayGrant: usual },
      { ...bob, mayGrant: names },
    ],
  }
}

function listUsual({ baseScopes, rules }: PolicyPlan): string[] {
  return [...baseScopes, ...rules.filter(isUsual).flatMap(({ scopes }) => scopes)]
}

/** Whether a rule is for whole methods or paths, or for all tools or prompts. */
function isUsual({ tool = '*', prompt = '*', resource }: RulePlan): boolean {
  return tool === '*' && prompt === '*' && resource === undefined
}

/** A token without any scope is refused to clients, so there must be something to grant. */
function withSample(scopes: readonly string[]): readonly string[] {
  return scopes.length > 0 ? scopes : SAMPLE_SCOPES.slice(0, 1).map(({ name }) => name)
}

function describe(scope: string, usual: readonly string[]): string {
  const sample = SAMPLE_SCOPES.find(({ name }) => name === scope)?.description
  return sample ?? (usual.includes(scope) ? 'Use the MCP server for you' : 'Use what the MCP server reserves for those with')
}

function unique(scopes: readonly string[]): string[] {
  return [...new Set(scopes)].filter((scope) => !RESERVED.has(scope))
}

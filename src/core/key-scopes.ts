import type { AccessKey } from './access-key.ts'
import type { ServerPlan } from './plan/server-plan.ts'

type KeyServer = Pick<ServerPlan, 'name' | 'policy' | 'scopesSupported'>

/**
 * What is odd about the scopes of an access key, for its operator. It is no mistake for certain: an MCP server that is told who calls may ask
 * for scopes itself, and a server may need others after a reload.
 */
export function findKeyScopeNotices({ scopes }: Pick<AccessKey, 'scopes'>, servers: readonly KeyServer[]): string[] {
  const lacking = servers.flatMap(({ name, policy: { baseScopes, hierarchy } }) => {
    const held = new Set(scopes.flatMap((scope) => [scope, ...(hierarchy[scope] ?? [])]))
    const missing = baseScopes.filter((scope) => !held.has(scope))
    return missing.length === 0
      ? []
      : [`The server ${name} needs the scope ${missing.join(' ')} for every request, and the key does not have it.`]
  })
  const asked = new Set(servers.flatMap(listAsked))
  const unasked = scopes.filter((scope) => !asked.has(scope))
  if (unasked.length === 0) return lacking
  const names = servers.map(({ name }) => name).join(' and ')
  return [...lacking, `Nothing in the configuration of ${names} asks for the scope ${unasked.join(' ')}.`]
}

function listAsked({ policy, scopesSupported }: KeyServer): readonly string[] {
  const { baseScopes, rules, hierarchy, expressionScopes = [] } = policy
  const ofRules = rules.flatMap(({ scopes }) => scopes)
  return [
    ...baseScopes,
    ...ofRules,
    ...expressionScopes,
    ...scopesSupported,
    ...Object.keys(hierarchy),
    ...Object.values(hierarchy).flat(),
  ]
}

import { normalizeGroup } from '../../core/group-name.ts'
import type { AccessEntryPlan, AccessPlan, PolicyPlan, RulePlan } from '../../core/plan/policy-plan.ts'
import { compileExpression } from '../../policy/expression/expression.ts'
import { closeHierarchy } from '../derive/scope-hierarchy.ts'
import type { AccessEntryConfig, RuleConfig } from '../schema/access.ts'
import type { Config } from '../schema/schema.ts'
import type { ServerConfig } from '../schema/server.ts'

/** What the top of a configuration says of access to every server. */
export type GeneralAccess = Pick<Config, 'access' | 'access_mode'>

/**
 * Settles who may do what on a server.
 *
 * @param index - position of the server, for the places of its entries
 */
export function createPolicyPlan(server: ServerConfig, index: number, general: GeneralAccess): PolicyPlan {
  const access = createAccessPlan(server, index, general)
  return {
    baseScopes: server.scopes,
    rules: server.rules.map(createRulePlan),
    hierarchy: closeHierarchy(server.scope_hierarchy).closed,
    unlistedOperations: server.unlisted_operations ?? 'permit',
    ...(!server.list_step_up && { listStepUp: false }),
    ...(access && { access }),
    ...(readsGroups(server.rules, access) && { readsGroups: true }),
    ...listExpressionScopes(server.rules, access),
  }
}

function readsGroups(rules: readonly RuleConfig[], access: AccessPlan | undefined): boolean {
  const entries = access?.entries ?? []
  return (
    entries.some(({ groups, who }) => groups !== undefined || (who !== undefined && compileExpression(who, 'who').readsGroups)) ||
    rules.some(({ require }) => require !== undefined && compileExpression(require, 'require').readsGroups)
  )
}

function listExpressionScopes(
  rules: readonly RuleConfig[],
  access: AccessPlan | undefined,
): Pick<PolicyPlan, 'expressionScopes'> {
  const ofEntries = (access?.entries ?? []).flatMap(({ who }) =>
    who === undefined ? [] : [...compileExpression(who, 'who').scopes],
  )
  const ofRules = rules.flatMap(({ require }) => (require === undefined ? [] : [...compileExpression(require, 'require').scopes]))
  const scopes = [...new Set([...ofEntries, ...ofRules])]
  return scopes.length === 0 ? {} : { expressionScopes: scopes }
}

/** Entries of a server and those at the top are one list. */
function createAccessPlan(server: ServerConfig, index: number, general: GeneralAccess): AccessPlan | undefined {
  if (server.access === undefined && general.access === undefined) return undefined
  const own = (server.access ?? []).map((entry, at) => createEntryPlan(entry, `servers[${index}].access[${at}]`))
  const others = (general.access ?? []).map((entry, at) => createEntryPlan(entry, `access[${at}]`))
  return { mode: server.access_mode ?? general.access_mode, entries: [...own, ...others] }
}

function createEntryPlan(entry: AccessEntryConfig, label: string): AccessEntryPlan {
  const { groups, claim, values, who, tools = [], prompts = [], resources = [], methods = [] } = entry
  return {
    label,
    ...(groups && { groups: groups.map(normalizeGroup) }),
    ...(claim !== undefined && values !== undefined && { claim: { claim, values } }),
    ...(who !== undefined && { who }),
    tools,
    prompts,
    resources,
    methods,
  }
}

function createRulePlan(rule: RuleConfig): RulePlan {
  const {
    method,
    tool,
    prompt,
    resource,
    path,
    scopes = [],
    require,
    deny,
    reason,
    on_deny: onDeny,
    mode,
    audit_arguments,
  } = rule
  return {
    ...(method === undefined ? {} : { method }),
    ...(tool === undefined ? {} : { tool }),
    ...(prompt === undefined ? {} : { prompt }),
    ...(resource === undefined ? {} : { resource }),
    ...(path === undefined ? {} : { path }),
    scopes,
    ...(require === undefined ? {} : { require }),
    ...(deny === undefined ? {} : { deny }),
    ...(reason === undefined ? {} : { reason }),
    ...(onDeny === 'hide' ? { onDeny } : {}),
    ...(mode === 'shadow' ? { mode } : {}),
    ...(audit_arguments === true && { recordArguments: true }),
  }
}

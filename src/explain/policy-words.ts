import type { AccessEntryPlan, PolicyPlan, RulePlan } from '../core/plan/policy-plan.ts'
import { compileResourcePattern } from '../policy/target/resource-pattern.ts'
import { createWork } from '../policy/work.ts'

/** Who an entry of `access` is for: a condition in each line, all of which must hold. */
export function listConditions({ groups, claim, who }: AccessEntryPlan): string[] {
  const conditions = [
    ...(groups ? [`groups ${groups.join(', ')}`] : []),
    ...(claim ? [`claim ${claim.claim}: ${claim.values.join(', ')}`] : []),
    ...(who === undefined ? [] : [who]),
  ]
  return conditions.length > 0 ? conditions : ['everyone']
}

/** What it opens, a kind in each line. */
export function listOpened(entry: AccessEntryPlan): string[] {
  return (['tools', 'prompts', 'resources', 'methods'] as const)
    .filter((kind) => entry[kind].length > 0)
    .map((kind) => `${kind} ${entry[kind].join(', ')}`)
}

/** An entry of `access` in a line. */
export function formatEntry(entry: AccessEntryPlan): string {
  return `${listConditions(entry).join(' and ')}: ${listOpened(entry).join('; ')}`
}

/** What a rule is about: `tool refund`. */
export function formatMatcher(rule: RulePlan): string {
  return (['method', 'tool', 'prompt', 'resource', 'path'] as const)
    .flatMap((kind) => (rule[kind] === undefined ? [] : [`${kind} ${rule[kind]}`]))
    .join(', ')
}

/** What a rule needs besides scopes, and what it does. */
export function listNeeds({ require, deny, onDeny, mode }: RulePlan): string[] {
  return [
    ...(require === undefined ? [] : [`require ${require}`]),
    ...(deny === true ? ['denied'] : []),
    ...(onDeny === 'hide' ? ['hidden from those who may not'] : []),
    ...(mode === 'shadow' ? ['shadow: not enforced'] : []),
  ]
}

/**
 * What stands behind a check of a decision (`scopes`, `rules[2]`, `access[0]`), in words; empty where the name says it all.
 *
 * @param resource - the URI, where a resource is asked for
 */
export function describeCheck(check: string, { baseScopes, rules, access }: PolicyPlan, resource?: string): string {
  if (check === 'scopes') return `every request needs ${baseScopes.join(' ')}`
  const entry = access?.entries.find(({ label }) => label === check)
  if (entry !== undefined) return formatEntry(entry)
  const rule = rules.find((_, index) => check === `rules[${index}]`)
  if (rule === undefined) return ''
  const scopes = rule.scopes.length > 0 ? [`scopes ${rule.scopes.join(' ')}`] : []
  const needs = `${formatMatcher(rule)}: ${[...scopes, ...listNeeds(rule)].join('; ') || 'nothing more'}`
  return isAboutReading(rule, resource)
    ? `${needs} (about what an MCP server may read the URI as, not about the URI as it is written)`
    : needs
}

/** A rule restricts whatever a URI may mean: a server may ignore its host, or resolve its dots. */
function isAboutReading(rule: RulePlan, resource: string | undefined): boolean {
  if (rule.resource === undefined || resource === undefined) return false
  return !compileResourcePattern(rule.resource).names(resource, createWork())
}

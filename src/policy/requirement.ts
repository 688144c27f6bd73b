import type { PolicyPlan } from '../core/plan/policy-plan.ts'

/** A scope that is needed, and the scopes that imply it. */
export interface Requirement {
  /** What asks for it: `scopes` of the server, or `rules[2]`. */
  readonly label: string
  readonly scope: string
  /** The scope itself first. */
  readonly heldBy: readonly string[]
}

export type CreateRequirement = (scope: string, label: string) => Requirement

/** @param hierarchy - scope → scopes that it implies, transitively closed */
export function createRequirements(hierarchy: PolicyPlan['hierarchy']): CreateRequirement {
  const entries = Object.entries(hierarchy)
  return (scope, label) => {
    const broader = entries.filter(([, implied]) => implied.includes(scope)).map(([holder]) => holder)
    return { label, scope, heldBy: [scope, ...broader] }
  }
}

/** Whether scopes satisfy all requirements. */
export function holdsAll(scopes: ReadonlySet<string>, requirements: readonly Requirement[]): boolean {
  for (const { heldBy } of requirements) {
    if (!holdsOne(scopes, heldBy)) return false
  }
  return true
}

function holdsOne(scopes: ReadonlySet<string>, sufficient: readonly string[]): boolean {
  for (const scope of sufficient) {
    if (scopes.has(scope)) return true
  }
  return false
}

const NONE: readonly string[] = []

/** The scopes of requirements that are not satisfied, sorted. */
export function listMissing(scopes: ReadonlySet<string>, requirements: readonly Requirement[]): readonly string[] {
  // Most callers have them all: every call comes here.
  if (holdsAll(scopes, requirements)) return NONE
  return sortScopes(requirements.filter(({ heldBy }) => !holdsOne(scopes, heldBy)))
}

/** Each scope once, sorted. */
export function sortScopes(requirements: readonly Requirement[]): readonly string[] {
  return [...new Set(requirements.map(({ scope }) => scope))].sort()
}

import type { Operation } from '../core/operation.ts'
import type { RulePlan } from '../core/plan/policy-plan.ts'
import { compileNamePattern } from './target/name-pattern.ts'
import { compileResourcePattern } from './target/resource-pattern.ts'
import type { Target } from './target/target.ts'
import { spend, type Work } from './work.ts'

/** A scope that is needed, and the scopes that imply it. */
export interface Requirement {
  readonly scope: string
  /** The scope itself first. */
  readonly heldBy: readonly string[]
}

/** A rule, ready to be asked about operations. */
export interface CompiledRule {
  readonly requirements: readonly Requirement[]
  /** Whether it names operations at all; otherwise it is about the path alone. */
  readonly namesOperations: boolean
  /** Whether it is about the operation's method and kind of target. */
  concerns(operation: Operation): boolean
  /** Whether its scopes are needed: it is about something that the target may be. */
  restricts(target: Target, work: Work): boolean
  /** Whether it is about the target as that was written. */
  names(target: Target, work: Work): boolean
  /** Whether it is about this reading of the target. */
  namesReading(reading: string, work: Work): boolean
}

/**
 * @param rule - all of its conditions must hold
 * @param requirements - of its scopes
 */
export function compileRule(rule: RulePlan, requirements: readonly Requirement[]): CompiledRule {
  const matchMethod = compileMethod(rule.method)
  const target = compileTarget(rule)
  return {
    requirements,
    namesOperations: rule.method !== undefined || target !== undefined,
    concerns: ({ method, targetKind }) => matchMethod(method) && (target === undefined || target.kind === targetKind),
    restricts: target?.restricts ?? always,
    names: target?.names ?? always,
    namesReading: target?.namesReading ?? always,
  }
}

const always = (): boolean => true

/** `tools/*` is every method that begins with `tools/`. */
function compileMethod(method: string | undefined): (method: string) => boolean {
  if (method === undefined) return always
  if (!method.endsWith('*')) return (name) => name === method
  const family = method.slice(0, -1)
  return (name) => name.startsWith(family)
}

interface TargetRule extends Pick<CompiledRule, 'restricts' | 'names' | 'namesReading'> {
  readonly kind: NonNullable<Operation['targetKind']>
}

function compileTarget({ tool, prompt, resource }: RulePlan): TargetRule | undefined {
  if (tool !== undefined) return compileName('tool', tool)
  if (prompt !== undefined) return compileName('prompt', prompt)
  return resource === undefined ? undefined : compileResource(resource)
}

/** Names are compared letter by letter. */
function compileName(kind: TargetRule['kind'], pattern: string): TargetRule {
  const fits = compileNamePattern(pattern)
  const names = ({ name }: Target, work: Work): boolean => {
    spend(work, name?.length ?? 0)
    return name !== undefined && fits(name)
  }
  return { kind, names, restricts: (target, work) => target.isUnknown || names(target, work), namesReading: fits }
}

function compileResource(resource: string): TargetRule {
  const pattern = compileResourcePattern(resource)
  return {
    kind: 'resource',
    restricts: ({ isUnknown, folded, beginnings }, work) =>
      isUnknown || folded.some((reading) => pattern.restricts(reading, work)) || beginnings.some(pattern.mayRestrict),
    names: ({ isUnknown, name }, work) => !isUnknown && name !== undefined && pattern.names(name, work),
    namesReading: pattern.namesReading,
  }
}

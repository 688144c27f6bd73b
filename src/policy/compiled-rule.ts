import type { Operation } from '../core/operation.ts'
import type { RulePlan } from '../core/plan/policy-plan.ts'
import { type CompiledExpression, compileExpression } from './expression/expression.ts'
import type { CreateRequirement, Requirement } from './requirement.ts'
import { compileMethod, compileMethodSpellings, compileName, compileResource, type TargetPattern } from './target-pattern.ts'

/** A rule, ready to be asked about operations. */
export interface CompiledRule extends Pick<TargetPattern, 'restricts' | 'names' | 'namesReading' | 'covers'> {
  /** Where it stands in the server's configuration: `rules[2]`. */
  readonly label: string
  /** The scopes that it asks for. */
  readonly requirements: readonly Requirement[]
  /** What it asks for besides scopes, or in another way than by a challenge; undefined for scopes alone. */
  readonly condition: RuleCondition | undefined
  /** Whether it names operations at all; otherwise it is about the path alone. */
  readonly namesOperations: boolean
  readonly isShadow: boolean
  /** Whether the audit log keeps the arguments of what it matches. */
  readonly recordsArguments: boolean
  /** Whether it is about the operation's method, in whatever spelling, and kind of target. */
  concerns(operation: Operation): boolean
  /** Whether it is about the method letter by letter. */
  namesMethod(method: string): boolean
}

/** What must hold besides scopes that a challenge can ask for. */
export interface RuleCondition {
  readonly label: string
  readonly denies: boolean
  readonly require: CompiledExpression | undefined
  /** Scopes whose lack is no reason for a challenge: it is hidden, or only logged. */
  readonly requirements: readonly Requirement[]
  readonly hides: boolean
  readonly isShadow: boolean
  /** What callers are told. */
  readonly message: string | undefined
}

/**
 * @param rule - all of its conditions must hold
 * @param index - position in the server's `rules`
 * @param require - makes the requirements of its scopes
 */
export function compileRule(rule: RulePlan, index: number, require: CreateRequirement): CompiledRule {
  const label = `rules[${index}]`
  const requirements = rule.scopes.map((scope) => require(scope, label))
  const restrictsMethod = compileMethodSpellings(rule.method)
  const target = compileTarget(rule)
  const asksByChallenge = rule.mode !== 'shadow' && rule.onDeny !== 'hide'
  return {
    label,
    requirements: asksByChallenge ? requirements : [],
    condition: compileCondition(rule, label, asksByChallenge ? [] : requirements),
    isShadow: rule.mode === 'shadow',
    recordsArguments: rule.recordArguments === true,
    namesOperations: rule.method !== undefined || target !== undefined,
    concerns: ({ method, targetKind }) => restrictsMethod(method) && (target === undefined || target.kind === targetKind),
    namesMethod: compileMethod(rule.method),
    restricts: target?.restricts ?? always,
    names: target?.names ?? always,
    namesReading: target?.namesReading ?? always,
    covers: target?.covers ?? always,
  }
}

const always = (): boolean => true

function compileCondition(rule: RulePlan, label: string, requirements: readonly Requirement[]): RuleCondition | undefined {
  const denies = rule.deny === true
  if (!denies && rule.require === undefined && requirements.length === 0) return undefined
  return {
    label,
    denies,
    require: rule.require === undefined ? undefined : compileExpression(rule.require, 'require'),
    requirements,
    hides: rule.onDeny === 'hide',
    isShadow: rule.mode === 'shadow',
    message: rule.reason,
  }
}

function compileTarget({ tool, prompt, resource }: RulePlan): TargetPattern | undefined {
  if (tool !== undefined) return compileName('tool', tool)
  if (prompt !== undefined) return compileName('prompt', prompt)
  return resource === undefined ? undefined : compileResource(resource)
}

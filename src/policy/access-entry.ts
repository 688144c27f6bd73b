import { meetsCondition } from '../core/claim-condition.ts'
import type { Operation } from '../core/operation.ts'
import type { AccessEntryPlan } from '../core/plan/policy-plan.ts'
import { type CompiledExpression, compileExpression } from './expression/expression.ts'
import type { Inquiry } from './inquiry.ts'
import type { Target } from './target/target.ts'
import { compileMethod, compileName, compileResource } from './target-pattern.ts'
import type { Work } from './work.ts'

/** An entry of `access`, ready to be asked about principals and operations. */
export interface AccessEntry {
  readonly label: string
  /** Whether it opens the operation for those whom it fits. */
  opens(operation: Operation, target: Target, work: Work): boolean
  /** Whether it opens some of what a URI template may become. */
  opensSome(template: string): boolean
  /** Scopes that its expression asks for by name. */
  readonly scopes: ReadonlySet<string>
  /** Whether it looks at the groups of the principal. */
  readonly readsGroups: boolean
  /** Why it does not fit the caller; undefined when it fits. */
  findMismatch(inquiry: Inquiry): string | undefined
}

/**
 * @param plan - patterns and the expression are compiled here
 * @param isShadow - whether `access` is only tried
 */
export function compileAccessEntry(plan: AccessEntryPlan, isShadow: boolean): AccessEntry {
  const methods = plan.methods.map(compileMethod)
  const resources = plan.resources.map(compileResource)
  const targets = [
    ...plan.tools.map((pattern) => compileName('tool', pattern)),
    ...plan.prompts.map((pattern) => compileName('prompt', pattern)),
    ...resources,
  ]
  const opensMethod = (method: string): boolean => methods.some((fits) => fits(method))
  const who = plan.who === undefined ? undefined : compileExpression(plan.who, 'who')
  return {
    label: plan.label,
    opens: ({ method, targetKind }, target, work) =>
      opensMethod(method) || targets.some((pattern) => pattern.kind === targetKind && pattern.covers(target, work)),
    opensSome: (template) => opensMethod('resources/read') || resources.some((pattern) => pattern.overlaps(template)),
    scopes: who?.scopes ?? NONE,
    readsGroups: plan.groups !== undefined || who?.readsGroups === true,
    findMismatch: (inquiry) => findMismatch(plan, who && { expression: who, isShadow }, inquiry),
  }
}

const NONE: ReadonlySet<string> = new Set()

function findMismatch(
  { groups, claim }: AccessEntryPlan,
  who: { readonly expression: CompiledExpression; readonly isShadow: boolean } | undefined,
  inquiry: Inquiry,
): string | undefined {
  const { principal } = inquiry
  if (groups !== undefined && !groups.some((group) => principal.groups.includes(group)))
    return principal.groupsUnknown === undefined
      ? `the principal is in none of the groups ${groups.join(', ')}`
      : `the groups of the principal are not known: ${principal.groupsUnknown}`
  if (claim !== undefined && !meetsCondition(claim, principal.claims)) return `the claim ${claim.claim} has none of the values`
  if (who === undefined) return undefined
  const outcome = inquiry.evaluate(who.expression, undefined, who.isShadow)
  if (outcome.value === true) return undefined
  // An error means that the entry does not fit: adding an entry never denies.
  return outcome.value === 'error' ? `who: ${outcome.reason}` : `who is ${outcome.value}`
}

import type { Operation } from '../core/operation.ts'
import type { PolicyPlan, RulePlan } from '../core/plan.ts'
import type { Decision, PolicyEngine, PolicyQuestion } from '../core/ports.ts'
import type { Principal } from '../core/principal.ts'
import { type CompiledRule, compileRule, type Requirement, readTarget, type TargetReadings } from './compiled-rule.ts'

/** A policy engine that decides by scopes alone. */
export interface ScopePolicy extends PolicyEngine {
  /** Every scope that the policy knows: base scopes, those of rules, and both sides of the hierarchy. */
  readonly knownScopes: ReadonlySet<string>
}

/**
 * Creates the policy of one server.
 *
 * A request needs the base scopes, the scopes of every rule that names its path alone, and for each of its operations the scopes of
 * every rule that matches it. A client's answers to requests of the server need no more than the request itself. Holding a scope that
 * implies another satisfies both. A refusal names every scope that the whole request needs, sorted, so that one challenge is enough.
 *
 * With `unlistedOperations: 'deny'` an operation is refused unless a rule names it by method or target (a rule about a path alone names
 * no operation). Left open is what every client needs to begin: `initialize`, `ping`, `server/discover`, notifications, answers, the
 * event stream (GET) and the end of the MCP session (DELETE); and a list method (`tools/list`, `prompts/list`, `resources/list`,
 * `resources/templates/list`) where a rule names something that it lists.
 *
 * Resource URIs are matched in every reading that an upstream may give them (see resource-uri.ts): a rule that restricts applies if one
 * of them matches, a rule that opens only if each is named.
 *
 * @param plan - base scopes, rules and hierarchy; patterns are compiled here
 */
export function createScopePolicy(plan: PolicyPlan): ScopePolicy {
  const require = createRequirement(plan.hierarchy)
  const paths = new Set(plan.rules.flatMap(({ path }) => (path === undefined ? [] : [path])))
  const byPath = new Map([...paths].map((path) => [path, compilePath(plan, path, require)]))
  const elsewhere = compilePath(plan, undefined, require)
  return {
    knownScopes: collectKnownScopes(plan),
    decide: (principal, question) => decide(principal, question, byPath.get(question.path) ?? elsewhere),
  }
}

const PERMIT: Decision = Object.freeze({ effect: 'permit' })

/** What applies on one path. */
interface PathPolicy {
  /** Scopes that every request needs. */
  readonly requirements: readonly Requirement[]
  readonly findVerdict: (operation: Operation) => Verdict
}

/** What the rules say of an operation. */
interface Verdict {
  readonly targetKind: Operation['targetKind']
  readonly requirements: readonly Requirement[]
  readonly isOpen: boolean
}

function decide(principal: Principal, question: PolicyQuestion, policy: PathPolicy): Decision {
  for (const operation of question.operations) {
    if (!policy.findVerdict(operation).isOpen) return { effect: 'deny', reason: `no rule names ${describe(operation)}` }
  }
  if (!holdsAll(principal, policy.requirements)) return denyFor(principal, question, policy)
  for (const operation of question.operations) {
    if (!holdsAll(principal, policy.findVerdict(operation).requirements)) return denyFor(principal, question, policy)
  }
  return PERMIT
}

function holdsAll({ scopes }: Principal, requirements: readonly Requirement[]): boolean {
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

function denyFor(principal: Principal, question: PolicyQuestion, policy: PathPolicy): Decision {
  const needed = [
    policy.requirements,
    ...question.operations.map((operation) => policy.findVerdict(operation).requirements),
  ].flat()
  const missing = sortScopes(needed.filter(({ heldBy }) => !holdsOne(principal.scopes, heldBy)))
  const what = question.operations.map(describe).join(', ') || 'the request'
  return { effect: 'deny', scopes: sortScopes(needed), missing, reason: `${what.slice(0, 300)}: missing ${missing.join(' ')}` }
}

function sortScopes(requirements: readonly Requirement[]): readonly string[] {
  return [...new Set(requirements.map(({ scope }) => scope))].sort()
}

function describe({ kind, method, target }: Operation): string {
  if (kind === 'response') return 'an answer'
  return target === undefined
    ? JSON.stringify(method.slice(0, 64))
    : `${JSON.stringify(method.slice(0, 64))} ${JSON.stringify(target.slice(0, 128))}`
}

type CreateRequirement = (scope: string) => Requirement

function createRequirement(hierarchy: PolicyPlan['hierarchy']): CreateRequirement {
  const entries = Object.entries(hierarchy)
  return (scope) => {
    const broader = entries.filter(([holder, implied]) => holder !== scope && implied.includes(scope)).map(([holder]) => holder)
    return { scope, heldBy: [scope, ...broader] }
  }
}

function collectKnownScopes({ baseScopes, rules, hierarchy }: PolicyPlan): ReadonlySet<string> {
  const ofRules = rules.flatMap(({ scopes }) => scopes)
  return new Set([...baseScopes, ...ofRules, ...Object.keys(hierarchy), ...Object.values(hierarchy).flat()])
}

function compilePath(plan: PolicyPlan, path: string | undefined, require: CreateRequirement): PathPolicy {
  const plans = plan.rules.filter((rule) => rule.path === undefined || rule.path === path)
  const rules = plans.map((rule) => compileRule(rule, rule.scopes.map(require)))
  const ofPath = rules.filter((rule) => !rule.namesOperations).flatMap((rule) => rule.requirements)
  const ofOperations = rules.filter((rule) => rule.namesOperations)
  const lists = plan.unlistedOperations === 'permit' ? undefined : findOpenLists(plans)
  return {
    requirements: [...plan.baseScopes.map(require), ...ofPath],
    findVerdict: createVerdictMemory((operation) => judge(operation, ofOperations, lists)),
  }
}

/** @param lists - list methods that are open; undefined when every operation is */
function judge(operation: Operation, rules: readonly CompiledRule[], lists: ReadonlySet<string> | undefined): Verdict {
  const { targetKind, method } = operation
  const readings = readTarget(operation)
  const concerned = rules.filter((rule) => rule.concerns(operation))
  const requirements = concerned.filter((rule) => restricts(rule, readings)).flatMap((rule) => rule.requirements)
  const isOpen = lists === undefined || BEGINNINGS.has(method) || lists.has(method) || isNamed(readings, concerned)
  return { targetKind, requirements, isOpen }
}

function restricts(rule: CompiledRule, { same, further, beginnings }: TargetReadings): boolean {
  if (further === undefined || [...same, ...further].some((reading) => rule.fits(reading))) return true
  return beginnings.some((beginning) => rule.mayFit(beginning))
}

function isNamed({ same }: TargetReadings, rules: readonly CompiledRule[]): boolean {
  return same.every((reading) => rules.some((rule) => rule.fits(reading)))
}

const BEGINNINGS: ReadonlySet<string> = new Set(['initialize', 'ping', 'server/discover'])

/** The list methods of what rules name. */
function findOpenLists(rules: readonly RulePlan[]): ReadonlySet<string> {
  const open = new Set<string>()
  for (const { method = '', tool, prompt, resource } of rules) {
    if (tool !== undefined || method.startsWith('tools/')) open.add('tools/list')
    if (prompt !== undefined || method.startsWith('prompts/')) open.add('prompts/list')
    if (resource === undefined && !method.startsWith('resources/')) continue
    open.add('resources/list')
    open.add('resources/templates/list')
  }
  return open
}

const ANSWER: Verdict = { targetKind: undefined, requirements: [], isOpen: true }
const MAX_REMEMBERED = 2_000
const MAX_REMEMBERED_LENGTH = 256

/** Remembers verdicts, since clients ask for the same few operations again and again. Full, it forgets them all and begins anew. */
function createVerdictMemory(judgeOperation: (operation: Operation) => Verdict): (operation: Operation) => Verdict {
  const byMethod = new Map<string, Map<string | undefined, Verdict>>()
  let remembered = 0
  const remember = (operation: Operation): Verdict => {
    const verdict = judgeOperation(operation)
    if (operation.method.length + (operation.target?.length ?? 0) > MAX_REMEMBERED_LENGTH) return verdict
    if (remembered++ >= MAX_REMEMBERED) {
      byMethod.clear()
      remembered = 1
    }
    const ofMethod = byMethod.get(operation.method) ?? new Map<string | undefined, Verdict>()
    byMethod.set(operation.method, ofMethod.set(operation.target, verdict))
    return verdict
  }
  return (operation) => {
    if (operation.kind === 'response') return ANSWER
    const known = byMethod.get(operation.method)?.get(operation.target)
    const verdict = known !== undefined && known.targetKind === operation.targetKind ? known : remember(operation)
    return !verdict.isOpen && isPlainNotification(operation) ? { ...verdict, isOpen: true } : verdict
  }
}

/** Notifications ask for nothing, as long as they are ones. */
function isPlainNotification({ kind, method }: Operation): boolean {
  return kind === 'notification' && method.startsWith('notifications/')
}

import type { Operation } from '../core/operation.ts'
import type { PolicyPlan, RulePlan } from '../core/plan/policy-plan.ts'
import type { Decision, PolicyEngine, PolicyQuestion } from '../core/ports.ts'
import type { Principal } from '../core/principal.ts'
import { type CompiledRule, compileRule, type Requirement } from './compiled-rule.ts'
import { listNamedParts } from './target/resource-pattern.ts'
import type { NamedParts } from './target/resource-uri.ts'
import { readTarget, type Target } from './target/target.ts'
import { createVerdictMemory, type Verdict } from './verdict-memory.ts'
import { createWork, type Work } from './work.ts'

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
 * Resource URIs are matched in every reading that an upstream may give them (see uri-steps.ts): a rule that restricts applies if one of
 * them matches, a rule that opens only if each is named. Where rules are about resources, a URI with too many readings is refused.
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
  readonly findVerdict: (operation: Operation, work: Work) => Verdict
}

function decide(principal: Principal, { operations }: PolicyQuestion, policy: PathPolicy): Decision {
  const work = createWork()
  const verdicts: Verdict[] = []
  for (const operation of operations) {
    const verdict = operation.kind === 'response' ? ANSWER : policy.findVerdict(operation, work)
    if (!verdict.isOpen && !isPlainNotification(operation))
      return { effect: 'deny', reason: `no rule names ${describe(operation)}` }
    if (verdict.flaw !== undefined) return refuseUnclear(operation, verdict.flaw)
    verdicts.push(verdict)
  }
  if (!holdsAll(principal, policy.requirements)) return denyFor(principal, operations, policy, verdicts)
  for (const { requirements } of verdicts) {
    if (!holdsAll(principal, requirements)) return denyFor(principal, operations, policy, verdicts)
  }
  return PERMIT
}

function refuseUnclear(operation: Operation, flaw: string): Decision {
  return { effect: 'deny', code: 'resource_uri_ambiguous', reason: `${describe(operation)} ${flaw}` }
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

function denyFor(
  principal: Principal,
  operations: readonly Operation[],
  policy: PathPolicy,
  verdicts: readonly Verdict[],
): Decision {
  const needed = [policy.requirements, ...verdicts.map(({ requirements }) => requirements)].flat()
  const missing = sortScopes(needed.filter(({ heldBy }) => !holdsOne(principal.scopes, heldBy)))
  const what = operations.map(describe).join(', ') || 'the request'
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
  const ofOperations: OperationRules = {
    rules: rules.filter((rule) => rule.namesOperations),
    lists: plan.unlistedOperations === 'permit' ? undefined : findOpenLists(plans),
    parts: findNamedParts(plans),
  }
  return {
    requirements: [...plan.baseScopes.map(require), ...ofPath],
    findVerdict: createVerdictMemory((operation, work) => judge(operation, ofOperations, work)),
  }
}

interface OperationRules {
  readonly rules: readonly CompiledRule[]
  /** List methods that are open; undefined when every operation is. */
  readonly lists: ReadonlySet<string> | undefined
  /** What rules say of resource URIs; undefined when none does. */
  readonly parts: NamedParts | undefined
}

function findNamedParts(rules: readonly RulePlan[]): NamedParts | undefined {
  const patterns = rules.flatMap(({ resource }) => (resource === undefined ? [] : [resource]))
  return patterns.length === 0 ? undefined : listNamedParts(patterns)
}

function judge(operation: Operation, { rules, lists, parts }: OperationRules, work: Work): Verdict {
  const { targetKind, method } = operation
  const target = readTarget(operation, parts, work)
  const concerned = rules.filter((rule) => rule.concerns(operation))
  const isListed = lists === undefined || BEGINNINGS.has(method) || lists.has(method)
  const isOpen = isListed || isNamed(target, concerned, work)
  if (target.flaw !== undefined) return { targetKind, requirements: [], isOpen, flaw: target.flaw }
  const requirements = concerned.filter((rule) => rule.restricts(target, work)).flatMap((rule) => rule.requirements)
  return work.left < 0 ? TOO_MUCH : { targetKind, requirements, isOpen, flaw: undefined }
}

const TOO_MUCH: Verdict = {
  targetKind: undefined,
  requirements: [],
  isOpen: true,
  flaw: 'and what else the message names are too much to compare with the rules',
}

/** Whether rules are about the target as it was written, and about whatever else it may mean. */
function isNamed(target: Target, rules: readonly CompiledRule[], work: Work): boolean {
  if (!rules.some((rule) => rule.names(target, work))) return false
  return target.readings.every((reading) => rules.some((rule) => rule.namesReading(reading, work)))
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

const ANSWER: Verdict = { targetKind: undefined, requirements: [], isOpen: true, flaw: undefined }

/** Notifications ask for nothing, as long as they are ones. */
function isPlainNotification({ kind, method }: Operation): boolean {
  return kind === 'notification' && method.startsWith('notifications/')
}

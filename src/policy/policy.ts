import type { PolicyEngine } from '../core/decision.ts'
import type { Operation } from '../core/operation.ts'
import type { AccessPlan, PolicyPlan, RulePlan } from '../core/plan/policy-plan.ts'
import { type AccessEntry, compileAccessEntry } from './access-entry.ts'
import { findApplicable, findApplicableToTemplate, type OperationRules } from './applicable.ts'
import { createApplicableMemory } from './applicable-memory.ts'
import { type CompiledRule, compileRule } from './compiled-rule.ts'
import { decide, type PathPolicy } from './decide.ts'
import { decideApart } from './decide-apart.ts'
import { Inquiry } from './inquiry.ts'
import { ItemFilter, type ListRules } from './list-filter.ts'
import { type CreateRequirement, createRequirements } from './requirement.ts'
import { listNamedParts } from './target/resource-pattern.ts'
import type { NamedParts } from './target/resource-uri.ts'
import { createWork } from './work.ts'

/** Decides by access entries, rules and scopes. */
export interface Policy extends PolicyEngine {
  /** Every scope that the policy knows: base scopes, those of rules, and both sides of the hierarchy. */
  readonly knownScopes: ReadonlySet<string>
  /** Those, and what expressions ask for by name: a caller who loses one of them may lose what it opens. */
  readonly comparedScopes: ReadonlySet<string>
}

/**
 * Creates the policy of one server.
 *
 * - **Base scopes and rules about a path alone** hold for every request.
 * - **`access`** opens operations: one entry that fits principal and operation is enough. Free of it is what every client needs to begin:
 *   `initialize`, `ping`, `server/discover`, notifications, answers, lists and `subscriptions/listen` (which show only what may be used),
 *   the event stream (GET) and the end of the MCP session (DELETE).
 * - **Rules** ask for more: all that match must hold.
 *
 * A refusal for scopes names every scope that the whole request needs, sorted, so that one challenge is enough; holding a scope that
 * implies another satisfies both. It is given only where nothing else is in the way.
 *
 * With `unlistedOperations: 'deny'` an operation is refused unless a rule names it by method or target. Left open is what every client
 * needs to begin, and a list method where a rule names something that it lists.
 *
 * Resource URIs are matched in every reading that an upstream may give them (see target/uri-steps.ts): what restricts applies if one of
 * them matches, what opens only if each does. Where patterns are about resources, a URI with too many readings is refused.
 *
 * @param plan - patterns and expressions are compiled here
 * @throws ExpressionError when an expression is none; the configuration is checked for that before
 */
export function createPolicy(plan: PolicyPlan): Policy {
  const compiled = compilePlan(plan)
  const paths = new Set(plan.rules.flatMap(({ path }) => (path === undefined ? [] : [path])))
  const byPath = new Map([...paths].map((path) => [path, compilePath(plan, compiled, path)]))
  const elsewhere = compilePath(plan, compiled, undefined)
  const knownScopes = collectKnownScopes(plan)
  const findPath = (path: string): ServedPath => byPath.get(path) ?? elsewhere
  return {
    knownScopes,
    comparedScopes: collectComparedScopes(knownScopes, compiled),
    decide: (principal, { path, operations, facts, onOutcome }, onStep) => {
      // Facts are read only where an expression looks at them.
      const about = { path, facts, readArguments: (operation: Operation) => facts.readArguments(operation) }
      return decide(new Inquiry(principal, about, createWork(), onStep), operations, findPath(path).policy, onOutcome)
    },
    decideApart: compiled.rules.some(({ rule }) => rule.condition?.require?.readsArguments === true)
      ? (principal, question, sender) => decideApart(principal, question, findPath(question.path).policy, sender)
      : undefined,
    createListFilter: (principal, facts) => {
      const { policy, lists } = findPath(facts.path)
      return lists && new ItemFilter(principal, facts, policy, lists)
    },
  }
}

/** What applies on one path, to calls and to lists; lists are undefined where they need not be filtered. */
interface ServedPath {
  readonly policy: PathPolicy
  readonly lists: ListRules | undefined
}

/** Rules in their order, and entries of `access`. */
interface CompiledPlan {
  readonly rules: readonly { readonly plan: RulePlan; readonly rule: CompiledRule }[]
  readonly entries: readonly AccessEntry[]
  readonly require: CreateRequirement
}

function compilePlan({ rules, access, hierarchy }: PolicyPlan): CompiledPlan {
  const require = createRequirements(hierarchy)
  return {
    rules: rules.map((plan, index) => ({ plan, rule: compileRule(plan, index, require) })),
    entries: (access?.entries ?? []).map((entry) => compileAccessEntry(entry, access?.mode === 'shadow')),
    require,
  }
}

function compilePath(plan: PolicyPlan, { rules: all, entries, require }: CompiledPlan, path: string | undefined): ServedPath {
  const here = all.filter(({ plan: { path: own } }) => own === undefined || own === path)
  const ofPath = here.map(({ rule }) => rule).filter(({ namesOperations }) => !namesOperations)
  const { access, unlistedOperations } = plan
  const openLists = unlistedOperations === 'permit' ? undefined : findOpenLists(here.map(({ plan: rule }) => rule))
  const given = selectGiven('enforce', here, entries, access, openLists)
  // Found apart, so that what is only tried neither restricts nor opens anything, and uses up nothing.
  const tried = selectGiven('shadow', here, entries, access, undefined)
  const hasShadow = tried.rules.length > 0 || access?.mode === 'shadow'
  const policy: PathPolicy = {
    requirements: [
      ...plan.baseScopes.map((scope) => require(scope, 'scopes')),
      ...ofPath.flatMap(({ requirements }) => requirements),
    ],
    conditions: ofPath.flatMap(({ condition }) => condition ?? []),
    recordsArguments: ofPath.some((rule) => rule.recordsArguments),
    findApplicable: createApplicableMemory((operation, work) => findApplicable(operation, given, work)),
    findTried: hasShadow ? createApplicableMemory((operation, work) => findApplicable(operation, tried, work)) : undefined,
    accessMode: access?.mode,
  }
  return { policy, lists: needsFilter(plan, given.rules) ? createListRules(plan, given) : undefined }
}

/** What is enforced of the rules and entries on a path, or what is only tried. */
function selectGiven(
  mode: AccessPlan['mode'],
  here: CompiledPlan['rules'],
  entries: readonly AccessEntry[],
  access: AccessPlan | undefined,
  openLists: OperationRules['openLists'],
): OperationRules {
  const chosen = here.filter(({ rule }) => rule.isShadow === (mode === 'shadow'))
  const rules = chosen.map(({ rule }) => rule).filter(({ namesOperations }) => namesOperations)
  const isAccessChosen = access?.mode === mode
  const patterns = [
    ...chosen.flatMap(({ plan: { resource } }) => resource ?? []),
    ...(isAccessChosen ? access.entries.flatMap(({ resources }) => resources) : []),
  ]
  return { rules, entries: isAccessChosen ? entries : [], openLists, parts: findNamedParts(patterns, rules) }
}

/** Where scopes alone decide, lists pass as they are. */
function needsFilter({ access, listStepUp }: PolicyPlan, rules: readonly CompiledRule[]): boolean {
  if (access?.mode === 'enforce') return true
  return rules.some(({ condition, requirements }) => {
    return condition !== undefined || (listStepUp === false && requirements.length > 0)
  })
}

function createListRules({ listStepUp = true }: PolicyPlan, given: OperationRules): ListRules {
  return {
    showsStepUp: listStepUp,
    findForTemplate: createApplicableMemory((operation, work) => findApplicableToTemplate(operation, given, work)),
  }
}

/** Undefined where nothing depends on what a resource URI may mean. */
function findNamedParts(patterns: readonly string[], rules: readonly CompiledRule[]): NamedParts | undefined {
  const isCompared = rules.some(({ condition }) => condition?.require?.readsResourceTarget === true)
  return patterns.length === 0 && !isCompared ? undefined : listNamedParts(patterns)
}

/** The list methods of what rules name. */
function findOpenLists(rules: readonly RulePlan[]): ReadonlySet<string> {
  const open = new Set<string>()
  for (const { method = '', tool, prompt, resource, mode } of rules) {
    if (mode === 'shadow') continue
    if (tool !== undefined || method.startsWith('tools/')) open.add('tools/list')
    if (prompt !== undefined || method.startsWith('prompts/')) open.add('prompts/list')
    if (resource === undefined && !method.startsWith('resources/')) continue
    open.add('resources/list')
    open.add('resources/templates/list')
  }
  return open
}

function collectKnownScopes({ baseScopes, rules, hierarchy }: PolicyPlan): ReadonlySet<string> {
  const ofRules = rules.flatMap(({ scopes }) => scopes)
  return new Set([...baseScopes, ...ofRules, ...Object.keys(hierarchy), ...Object.values(hierarchy).flat()])
}

function collectComparedScopes(known: ReadonlySet<string>, { rules, entries }: CompiledPlan): ReadonlySet<string> {
  const ofRules = rules.flatMap(({ rule }) => [...(rule.condition?.require?.scopes ?? [])])
  return new Set([...known, ...ofRules, ...entries.flatMap(({ scopes }) => [...scopes])])
}

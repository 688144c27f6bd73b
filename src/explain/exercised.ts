import type { PolicyEngine } from '../core/decision.ts'
import type { Plan } from '../core/plan/plan.ts'
import type { AccessEntryPlan, PolicyPlan, RulePlan } from '../core/plan/policy-plan.ts'
import type { ServerPlan } from '../core/plan/server-plan.ts'
import { createPolicy } from '../policy/policy.ts'
import type { SettledCase } from './case.ts'
import { LISTS } from './explanation.ts'
import { formatEntry, formatMatcher } from './policy-words.ts'
import { createQuestion, type NamedOperation } from './request.ts'

/**
 * Rules that no case is about, and access entries that open nothing in any case.
 *
 * @returns each in words, with its place
 */
export function listUnexercised(plan: Plan, cases: readonly SettledCase[]): string[] {
  const found = plan.servers.flatMap((server) => {
    const own = cases.filter((one) => one.server === server)
    return [...listUnopened(server, own, plan.limits), ...listUnmatched(server, own, plan.limits)]
  })
  // An entry at the top is one of every server, and one that it opens something at is enough.
  const labels = Map.groupBy(found, ({ label }) => label)
  const servers = (label: string) =>
    plan.servers.filter(({ policy }) => policy.access?.entries.some((entry) => entry.label === label))
  return [...labels].flatMap(([label, all]) =>
    all.length < servers(label).length ? [] : all.slice(0, 1).map(({ words }) => words),
  )
}

interface Unexercised {
  readonly label: string
  readonly words: string
}

const NOTHING: PolicyPlan = { baseScopes: [], rules: [], hierarchy: {}, unlistedOperations: 'permit' }

function listUnopened({ policy }: ServerPlan, cases: readonly SettledCase[], limits: Plan['limits']): Unexercised[] {
  return (policy.access?.entries ?? [])
    .filter((entry) => !isOpening(entry, cases, limits))
    .map((entry) => ({ label: entry.label, words: `${entry.label}: ${formatEntry(entry)}` }))
}

/** Asks about each entry by itself: the decision looks no further than the first that fits. */
function isOpening(entry: AccessEntryPlan, cases: readonly SettledCase[], limits: Plan['limits']): boolean {
  const policy = createPolicy({ ...NOTHING, access: { mode: 'enforce', entries: [entry] } })
  return cases.some((one) => listChecks(policy, one, limits).has(entry.label))
}

function listUnmatched({ name, policy }: ServerPlan, cases: readonly SettledCase[], limits: Plan['limits']): Unexercised[] {
  // A scope that no principal has makes every rule that matches show itself.
  const matching = createPolicy({ ...NOTHING, rules: policy.rules.map(toMatcher) })
  const seen = new Set(cases.flatMap((one) => [...listChecks(matching, one, limits)]))
  return policy.rules.flatMap((rule, index) =>
    seen.has(`rules[${index}]`)
      ? []
      : [{ label: `${name} ${index}`, words: `rules[${index}] of server ${name}: ${formatMatcher(rule)}` }],
  )
}

function toMatcher({ method, tool, prompt, resource, path }: RulePlan): RulePlan {
  return {
    ...(method !== undefined && { method }),
    ...(tool !== undefined && { tool }),
    ...(prompt !== undefined && { prompt }),
    ...(resource !== undefined && { resource }),
    ...(path !== undefined && { path }),
    scopes: ['exercised'],
  }
}

/** The checks that a case leads to: rules that match, entries that hold. */
function listChecks(policy: PolicyEngine, settled: SettledCase, limits: Plan['limits']): ReadonlySet<string> {
  const { principal, server, circumstances } = settled
  const checks = new Set<string>()
  for (const operation of listOperations(settled))
    policy.decide(principal, createQuestion(operation, server, circumstances, limits), ({ check, outcome }) => {
      if (outcome === 'holds' || check.startsWith('rules[')) checks.add(check)
    })
  return checks
}

/** A list shows what the use of each item comes to. */
function listOperations({ ask }: SettledCase): readonly NamedOperation[] {
  if ('operation' in ask) return [ask.operation]
  const kind = ask.list === 'resource_template' ? 'resource' : ask.list
  return [
    { kind: 'method', name: LISTS[ask.list], argsText: undefined },
    ...ask.of.map((name): NamedOperation => ({ kind, name, argsText: undefined })),
  ]
}

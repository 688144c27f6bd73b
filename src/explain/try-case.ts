import type { Plan } from '../core/plan/plan.ts'
import { outcomeOf } from './answer.ts'
import type { CaseList, CaseOperation, SettledCase } from './case.ts'
import { createExplainer, type Explainer, type Explanation } from './explanation.ts'

/** What a case came to. */
export interface Trial {
  readonly isExpected: boolean
  readonly expected: string
  readonly got: string
  /** How an operation was decided; for a list, the decision about the use of each item that surprises. */
  readonly explanations: readonly TrialExplanation[]
}

export interface TrialExplanation extends Explanation {
  /** Of a list. The decision about its use without arguments may differ from what the list shows, which knows none. */
  readonly item?: { readonly name: string; readonly isShown: boolean }
}

/** Tries each case on the policy of its server. */
export function tryCases(cases: readonly SettledCase[], { servers, limits }: Plan): readonly Trial[] {
  const explainers = new Map(servers.map((server) => [server, createExplainer(server, limits)]))
  return cases.map((settled) => tryCase(settled, explainers.get(settled.server) as Explainer))
}

function tryCase(settled: SettledCase, explainer: Explainer): Trial {
  const { ask } = settled
  return 'operation' in ask ? tryOperation(settled, ask, explainer) : tryList(settled, ask, explainer)
}

function tryOperation(
  settled: SettledCase,
  { operation, expect, scopes, wouldDeny }: CaseOperation,
  explainer: Explainer,
): Trial {
  const { principal, circumstances } = settled
  const explanation = explainer.explain(principal, operation, circumstances)
  const outcome = outcomeOf(explanation.decision)
  const asked = scopes === undefined ? '' : ` for ${formatNames(scopes.toSorted(), ' ')}`
  const challenged = explanation.answer?.challengeScopes
  const shadow = compareTried(wouldDeny, explanation)
  const enforced = `${outcome}${challenged && (scopes !== undefined || expect !== outcome) ? ` for ${formatNames(challenged, ' ')}` : ''}`
  const expected = `${expect}${asked}${shadow.expected}`
  const got = `${enforced}${shadow.got}`
  const isExpected = shadow.isExpected && outcome === expect && (scopes === undefined || `${expect}${asked}` === enforced)
  return { isExpected, expected, got, explanations: isExpected ? [] : [explanation] }
}

/** What is in shadow mode, where the case says something of it. */
function compareTried(
  wanted: CaseOperation['wouldDeny'],
  { decision, steps }: Explanation,
): Pick<Trial, 'isExpected' | 'expected' | 'got'> {
  if (wanted === undefined) return { isExpected: true, expected: '', got: '' }
  const denies = decision.wouldDeny !== undefined
  // Of entries one that fits is enough: what denies is `access` as a whole.
  const labels = steps.filter(({ isShadow, outcome, check }) => isShadow && outcome === 'fails' && isDeciding(check))
  const found = [...new Set(labels.map(({ check }) => check))].toSorted()
  const isExpected =
    typeof wanted === 'boolean'
      ? denies === wanted
      : denies === wanted.length > 0 && formatNames(wanted.toSorted()) === formatNames(found)
  return { isExpected, expected: formatTried(wanted), got: formatTried(denies && (found.length === 0 || found)) }
}

function isDeciding(check: string): boolean {
  return check === 'access' || check.startsWith('rules[')
}

function formatTried(denied: boolean | readonly string[]): string {
  if (denied === true) return ', would be denied'
  if (denied === false || denied.length === 0) return ', would not be denied'
  return `, would be denied by ${formatNames(denied.toSorted())}`
}

function tryList(settled: SettledCase, { list, of, shows }: CaseList, explainer: Explainer): Trial {
  const { principal, circumstances } = settled
  const shown = of.filter((name) => explainer.findListed(principal, list, name, circumstances).isShown)
  const surprising = of.filter((name) => shown.includes(name) !== shows.includes(name))
  const kind = list === 'resource_template' ? 'resource' : list
  return {
    isExpected: surprising.length === 0,
    expected: `shows ${formatNames(of.filter((name) => shows.includes(name)))}`,
    got: `shows ${formatNames(shown)}`,
    explanations: surprising.map((name) => ({
      ...explainer.explain(principal, { kind, name, argsText: undefined }, circumstances),
      item: { name, isShown: shown.includes(name) },
    })),
  }
}

function formatNames(names: readonly string[], separator = ', '): string {
  return names.length === 0 ? 'nothing' : names.join(separator)
}

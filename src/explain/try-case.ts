import type { Plan } from '../core/plan/plan.ts'
import { outcomeOf } from './answer.ts'
import type { CaseList, CaseOperation, SettledCase } from './case.ts'
import { createListQuestion, type Explanation, explain } from './explanation.ts'

/** What a case came to. */
export interface Trial {
  readonly isExpected: boolean
  readonly expected: string
  readonly got: string
  /** How an operation was decided; for a list, the decision about the use of each item that surprises. */
  readonly explanations: readonly Explanation[]
}

/** Tries a case on the policy of its server. */
export function tryCase(settled: SettledCase, limits: Plan['limits']): Trial {
  const { ask } = settled
  return 'operation' in ask ? tryOperation(settled, ask, limits) : tryList(settled, ask, limits)
}

function tryOperation(settled: SettledCase, { operation, expect, scopes }: CaseOperation, limits: Plan['limits']): Trial {
  const { principal, server, circumstances } = settled
  const explanation = explain(principal, operation, server, circumstances, limits)
  const outcome = outcomeOf(explanation.decision)
  const asked = scopes === undefined ? '' : ` for ${formatNames(scopes.toSorted(), ' ')}`
  const challenged = explanation.answer?.challengeScopes
  const expected = `${expect}${asked}`
  const got = `${outcome}${challenged && (scopes !== undefined || expect !== outcome) ? ` for ${formatNames(challenged, ' ')}` : ''}`
  const isExpected = outcome === expect && (scopes === undefined || expected === got)
  return { isExpected, expected, got, explanations: isExpected ? [] : [explanation] }
}

function tryList(settled: SettledCase, { list, of, shows }: CaseList, limits: Plan['limits']): Trial {
  const { principal, server, circumstances } = settled
  const ask = createListQuestion(server, circumstances, limits)
  const shown = of.filter((name) => ask(principal, list, name).isShown)
  const surprising = of.filter((name) => shown.includes(name) !== shows.includes(name))
  const kind = list === 'resource_template' ? 'resource' : list
  return {
    isExpected: surprising.length === 0,
    expected: `shows ${formatNames(of.filter((name) => shows.includes(name)))}`,
    got: `shows ${formatNames(shown)}`,
    explanations: surprising.map((name) =>
      explain(principal, { kind, name, argsText: undefined }, server, circumstances, limits),
    ),
  }
}

function formatNames(names: readonly string[], separator = ', '): string {
  return names.length === 0 ? 'nothing' : names.join(separator)
}

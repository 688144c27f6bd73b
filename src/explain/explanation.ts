import type { Decision, DecisionStep, ListedKind, PolicyEngine, PolicyQuestion } from '../core/decision.ts'
import type { Plan } from '../core/plan/plan.ts'
import type { ServerPlan } from '../core/plan/server-plan.ts'
import type { Principal } from '../core/principal.ts'
import { createPolicy } from '../policy/policy.ts'
import { type Answer, findAnswer, outcomeOf } from './answer.ts'
import { describeCheck } from './policy-words.ts'
import { type Circumstances, createQuestion, findEndpoint, type NamedOperation } from './request.ts'

/** A check of a decision, and what stands behind it in the configuration. */
export interface ExplainedStep extends DecisionStep {
  readonly about: string
}

/** A decision, and how it came about. */
export interface Explanation {
  readonly decision: Decision
  readonly steps: readonly ExplainedStep[]
  /** Undefined where the call passes. */
  readonly answer: Answer | undefined
  /** What the list says of the item; undefined for methods, which no list holds. */
  readonly listed: Listed | undefined
}

/** What a list shows of an item, where the MCP server has one. */
export interface Listed {
  readonly method: string
  readonly isShown: boolean
  readonly why: 'not_filtered' | 'filtered' | 'list_refused'
}

/** The lists of MCP, by what they hold. */
export const LISTS: Readonly<Record<ListedKind, string>> = {
  tool: 'tools/list',
  prompt: 'prompts/list',
  resource: 'resources/list',
  resource_template: 'resources/templates/list',
}

/** Decides as the pipeline does, and tells how. Nothing is called. */
export function explain(
  principal: Principal,
  operation: NamedOperation,
  server: ServerPlan,
  circumstances: Circumstances,
  limits: Plan['limits'],
): Explanation {
  const policy = createPolicy(server.policy)
  const steps: ExplainedStep[] = []
  const decision = policy.decide(principal, createQuestion(operation, server, circumstances, limits), (step) =>
    steps.push({ ...step, about: describeCheck(step.check, server.policy) }),
  )
  const { revision, path } = circumstances
  const isHttpSse = server.endpoints.some((endpoint) => endpoint.path === path && endpoint.kind === 'messages')
  const answer = findAnswer(decision, { principal, comparedScopes: policy.comparedScopes, revision, isHttpSse })
  const list = createListQuestion(server, circumstances, limits, policy)
  return {
    decision,
    steps,
    answer,
    listed: operation.kind === 'method' ? undefined : list(principal, operation.kind, operation.name),
  }
}

/** Asks what lists show a principal. A filter is made for one item, as one is made for each result. */
export function createListQuestion(
  server: ServerPlan,
  circumstances: Circumstances,
  limits: Plan['limits'],
  policy: PolicyEngine = createPolicy(server.policy),
): (principal: Principal, kind: ListedKind, name: string) => Listed {
  const { path, ...facts } = circumstances
  return (principal, kind, name) => {
    const method = LISTS[kind]
    const question: PolicyQuestion = createQuestion(
      { kind: 'method', name: method, argsText: undefined },
      server,
      circumstances,
      limits,
    )
    if (outcomeOf(policy.decide(principal, question)) !== 'permit') return { method, isShown: false, why: 'list_refused' }
    const filter = policy.createListFilter(principal, { path, server: server.name, ...facts })
    if (filter === undefined) return { method, isShown: true, why: 'not_filtered' }
    return { method, isShown: filter.shows(kind, name), why: 'filtered' }
  }
}

/** The circumstances where nothing is said of them. */
export function createCircumstances(server: ServerPlan, given: Partial<Circumstances>): Circumstances {
  return { path: findEndpoint(server).path, revision: '2025-11-25', address: '127.0.0.1', now: Date.now, ...given }
}

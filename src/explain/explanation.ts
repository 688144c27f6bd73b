import type { Decision, DecisionStep, ListedKind } from '../core/decision.ts'
import type { Plan } from '../core/plan/plan.ts'
import type { ServerPlan } from '../core/plan/server-plan.ts'
import type { Principal } from '../core/principal.ts'
import { createPolicy } from '../policy/policy.ts'
import { type Answer, findAnswer } from './answer.ts'
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

/** Asks the policy of one server as the pipeline does, and tells how it decides. Nothing is called. */
export interface Explainer {
  explain(principal: Principal, operation: NamedOperation, circumstances: Circumstances): Explanation
  /** What a list shows of an item. */
  findListed(principal: Principal, kind: ListedKind, name: string, circumstances: Circumstances): Listed
}

/** @param limits - of the proxy, for reading messages */
export function createExplainer(server: ServerPlan, limits: Plan['limits']): Explainer {
  const policy = createPolicy(server.policy)
  const findListed: Explainer['findListed'] = (principal, kind, name, circumstances) => {
    const method = LISTS[kind]
    const { path, ...facts } = circumstances
    const question = createQuestion({ kind: 'method', name: method, argsText: undefined }, server, circumstances, limits)
    if (policy.decide(principal, question).effect !== 'permit') return { method, isShown: false, why: 'list_refused' }
    // A filter is made for each item, as one is made for each result: each has a budget of work.
    const filter = policy.createListFilter(principal, { path, server: server.name, ...facts })
    if (filter === undefined) return { method, isShown: true, why: 'not_filtered' }
    return { method, isShown: filter.shows(kind, name), why: 'filtered' }
  }
  return {
    findListed,
    explain(principal, operation, circumstances) {
      const { kind, name } = operation
      const steps: ExplainedStep[] = []
      const resource = kind === 'resource' ? name : undefined
      const decision = policy.decide(principal, createQuestion(operation, server, circumstances, limits), (step) =>
        steps.push({ ...step, about: describeCheck(step.check, server.policy, resource) }),
      )
      const { revision, path } = circumstances
      const isHttpSse = server.endpoints.some((endpoint) => endpoint.path === path && endpoint.kind === 'messages')
      const answer = findAnswer(decision, { principal, comparedScopes: policy.comparedScopes, revision, isHttpSse })
      const listed = kind === 'method' ? undefined : findListed(principal, kind, name, circumstances)
      return { decision, steps, answer, listed }
    },
  }
}

/** The circumstances where nothing is said of them. */
export function createCircumstances(server: ServerPlan, given: Partial<Circumstances>): Circumstances {
  return { path: findEndpoint(server).path, revision: '2025-11-25', address: '127.0.0.1', now: Date.now, ...given }
}

import type { Decision, ListedKind, RequestFacts } from '../../src/core/decision.ts'
import type { Operation } from '../../src/core/operation.ts'
import type { AccessEntryPlan, PolicyPlan } from '../../src/core/plan/policy-plan.ts'
import type { Principal } from '../../src/core/principal.ts'
import { createPolicy } from '../../src/policy/policy.ts'
import { someFacts } from './request-facts.ts'

/** A principal with nothing that policy would look at, but for what a test gives it. */
export function createPrincipal(given: Partial<Principal> & { readonly scope?: string } = {}): Principal {
  const { scope = '', ...others } = given
  return {
    issuer: 'https://idp.example.com',
    subject: 'alice',
    clientId: 'client-1',
    scopes: new Set(scope.split(' ').filter((one) => one !== '')),
    groups: [],
    assurance: 'audience',
    expiresAt: Number.POSITIVE_INFINITY,
    acceptedUntil: Number.POSITIVE_INFINITY,
    claims: {},
    ...others,
  }
}

/** A policy without base scopes, where all is permitted that nothing restricts. */
export function createPolicyPlan(differences: Partial<PolicyPlan> = {}): PolicyPlan {
  return { baseScopes: [], rules: [], hierarchy: {}, unlistedOperations: 'permit', ...differences }
}

/** Entries of `access`, each with what a test says of it. */
export function accessOf(...entries: readonly Partial<AccessEntryPlan>[]): Pick<PolicyPlan, 'access'> {
  const complete = entries.map((entry, index) => ({
    label: `access[${index}]`,
    tools: [],
    prompts: [],
    resources: [],
    methods: [],
    ...entry,
  }))
  return { access: { mode: 'enforce', entries: complete } }
}

const KINDS: Readonly<Record<string, Operation['targetKind']>> = {
  'tools/call': 'tool',
  'prompts/get': 'prompt',
  'resources/read': 'resource',
  'resources/subscribe': 'resource',
  'resources/unsubscribe': 'resource',
}

let count = 0

/** A request with an id of its own. */
export function request(method: string, target?: string): Operation {
  return { kind: 'request', method, targetKind: KINDS[method], target, id: String(++count) }
}

export const callTool = (name: string): Operation => request('tools/call', name)

/** Decides on operations; `args` are those of each call. */
export function decide(
  plan: PolicyPlan,
  principal: Principal,
  operations: readonly Operation[],
  { args, ...facts }: Partial<RequestFacts> & { readonly args?: string } = {},
): Decision {
  const question = { path: '/mcp', operations, facts: { ...someFacts, readArguments: () => args, ...facts } }
  return createPolicy(plan).decide(principal, question)
}

/** `permit`, or the code of the refusal. */
export function outcomeOf(...question: Parameters<typeof decide>): string {
  const decision = decide(...question)
  return decision.effect === 'permit' ? 'permit' : decision.code
}

/** Which of some names a list shows; all where it passes as it is. */
export function shown(plan: PolicyPlan, principal: Principal, kind: ListedKind, names: readonly string[]): readonly string[] {
  const filter = createPolicy(plan).createListFilter(principal, { ...someFacts, path: '/mcp' })
  return filter === undefined ? names : names.filter((name) => filter.shows(kind, name))
}

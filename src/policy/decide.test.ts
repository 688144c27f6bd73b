import { expect, it } from 'vitest'
import { accessOf, callTool, createPolicyPlan, createPrincipal, decide, request } from '../../test/support/policies.ts'
import { someFacts } from '../../test/support/request-facts.ts'
import type { DecisionStep } from '../core/decision.ts'
import type { PolicyPlan } from '../core/plan/policy-plan.ts'
import { createPolicy } from './policy.ts'

const caller = createPrincipal()

it('a rule that hides names itself as what decided, and an entry that is missing does not', () => {
  const plan = createPolicyPlan({ rules: [{ tool: 'a', scopes: [], deny: true, onDeny: 'hide' }] })
  expect(decide(plan, caller, [callTool('a')])).toMatchObject({ code: 'target_hidden', decidedBy: 'rules[0]' })
  const closed = createPolicyPlan({ access: { mode: 'enforce', entries: [] } })
  expect(decide(closed, caller, [callTool('a')])).not.toHaveProperty('decidedBy')
})

it('a rule cannot hide what has no name, and refuses it', () => {
  const plan = createPolicyPlan({ rules: [{ method: 'tasks/*', scopes: [], deny: true, onDeny: 'hide' }] })
  expect(decide(plan, caller, [request('tasks/list')])).toMatchObject({ code: 'policy_denied', decidedBy: 'rules[0]' })
})

it('where arguments are asked for and an operation has none, it is refused, unless it is completed', () => {
  const plan = createPolicyPlan({
    rules: [
      { resource: '**', scopes: [], require: 'args.x == 1' },
      { prompt: '*', scopes: [], require: 'args.x == 1' },
    ],
  })
  expect(decide(plan, caller, [request('resources/read', 'x://y')])).toMatchObject({ code: 'policy_denied' })
  expect(decide(plan, caller, [{ ...request('completion/complete', 'p'), targetKind: 'prompt' }]).effect).toBe('permit')
  expect(decide(plan, caller, [request('prompts/get', 'p')])).toMatchObject({ code: 'policy_denied' })
})

it('of several refusals the first is told, of hidden ones all', () => {
  const plan = createPolicyPlan({
    rules: [
      { tool: 'first', scopes: [], deny: true, reason: 'One.' },
      { tool: 'second', scopes: [], deny: true, reason: 'Two.' },
      { tool: 'gone', scopes: [], deny: true, onDeny: 'hide', reason: 'Three.' },
      { tool: 'step', scopes: ['s'] },
    ],
  })
  const [first, second] = [callTool('first'), callTool('second')]
  const [gone, step] = [callTool('gone'), callTool('step')]
  expect(decide(plan, caller, [step, first, second])).toMatchObject({ code: 'policy_denied', message: 'One.' })
  expect(decide(plan, caller, [step, second, first])).toMatchObject({ code: 'policy_denied', message: 'Two.' })
  const hidden = decide(plan, caller, [first, gone, second, gone])
  expect(hidden).toMatchObject({ code: 'target_hidden', hidden: [gone, gone] })
  expect(hidden).not.toHaveProperty('message')
  expect(decide(plan, caller, [step])).toMatchObject({ code: 'scope_insufficient', scopes: ['s'], missing: ['s'] })
})

const explain = (plan: PolicyPlan, target: string): readonly DecisionStep[] => {
  const steps: DecisionStep[] = []
  const question = { path: '/mcp', operations: [callTool(target)], facts: someFacts }
  createPolicy(plan).decide(caller, question, (step) => steps.push(step))
  return steps
}

it.each(['enforce', 'shadow'] as const)('an explanation has each check and why it fails, with access in the mode %s', (mode) => {
  const { access } = accessOf({ groups: ['g'], tools: ['*'] }, { tools: ['*'], claim: { claim: 'c', values: ['v'] } })
  const plan = createPolicyPlan({ baseScopes: ['b'], ...(access && { access: { ...access, mode } }) })
  const subject = '"tools/call" "a"'
  const isShadow = mode === 'shadow'
  expect(explain(plan, 'a')).toEqual([
    { subject, check: 'access[0]', isShadow, outcome: 'fails', detail: 'the principal is in none of the groups g' },
    { subject, check: 'access[1]', isShadow, outcome: 'fails', detail: 'the claim c has none of the values' },
    { subject, check: 'access', isShadow, outcome: 'fails', detail: 'no access entry opens it' },
    { subject: 'the request', check: 'scopes', isShadow: false, outcome: 'fails', detail: 'missing b' },
  ])
})

it('an explanation says what holds, and cuts long names', () => {
  const plan = createPolicyPlan({ rules: [{ tool: '*', scopes: [], require: "operation.method == 'tools/call'" }] })
  const subject = `"tools/call" "${'x'.repeat(128)}"`
  expect(explain(plan, 'x'.repeat(500))).toEqual([{ subject, check: 'rules[0]', isShadow: false, outcome: 'holds', detail: '' }])
})

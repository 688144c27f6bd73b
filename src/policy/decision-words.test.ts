// What the log, explanations and the audit log are told of a decision.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { accessOf, callTool, createPolicyPlan, createPrincipal, decide, request } from '../../test/support/policies.ts'
import { someFacts } from '../../test/support/request-facts.ts'
import type { DecisionStep, OperationOutcome } from '../core/decision.ts'
import type { Operation } from '../core/operation.ts'
import type { AccessEntryPlan, PolicyPlan, RulePlan } from '../core/plan/policy-plan.ts'
import type { Principal } from '../core/principal.ts'
import { createPolicy } from './policy.ts'

const rules = (...list: Partial<RulePlan>[]): PolicyPlan =>
  createPolicyPlan({ rules: list.map((rule) => ({ scopes: [], ...rule })) })
const alice = createPrincipal({ scope: 'base' })
const lost = createPrincipal({ groupsUnknown: 'there are too many' })

function explain(plan: PolicyPlan, principal: Principal, operation: Operation): DecisionStep[] {
  const steps: DecisionStep[] = []
  createPolicy(plan).decide(principal, { path: '/mcp', operations: [operation], facts: someFacts }, (step) => steps.push(step))
  return steps
}

describe('an explanation says of an access entry that does not fit', () => {
  it.each<[string, Principal, Partial<AccessEntryPlan>, string]>([
    ['which groups it is for', alice, { groups: ['a', 'b'] }, 'the principal is in none of the groups a, b'],
    ['that the groups are not known', lost, { groups: ['a'] }, 'the groups of the principal are not known: there are too many'],
    ['which claim it asks for', alice, { claim: { claim: 'c', values: ['x'] } }, 'the claim c has none of the values'],
    ['that its expression does not hold', alice, { who: "principal.subject == 'bob'" }, 'who is false'],
    ['why its expression fails', alice, { who: 'principal.claims.c == 1' }, 'who: principal.claims.c is missing'],
  ])('%s', (_what, principal, entry, detail) => {
    const [step] = explain(createPolicyPlan(accessOf({ ...entry, tools: ['t'] })), principal, callTool('t'))
    expect(step).toMatchObject({ check: 'access[0]', outcome: 'fails', detail })
  })
})

describe('the reason of a refusal', () => {
  const answer: Operation = { kind: 'response', method: '', targetKind: undefined, target: undefined, id: undefined }

  it('names an answer as one', () => {
    const decision = decide(createPolicyPlan({ baseScopes: ['mcp'] }), alice, [answer])
    expect(decision).toMatchObject({ code: 'scope_insufficient', reason: 'an answer: missing mcp' })
  })

  it('is cut where a client sends long methods and names', () => {
    const operation = { ...callTool('n'.repeat(200)), method: 'm'.repeat(100) }
    const decision = decide(rules({ method: operation.method, deny: true }), alice, [operation])
    expect(decision).toMatchObject({ reason: `"${'m'.repeat(64)}" "${'n'.repeat(128)}": rules[0]: the rule denies it` })
  })

  it('names all operations and scopes of a request, and is cut where that is long', () => {
    const plan = createPolicyPlan({ baseScopes: ['a', 'b'] })
    expect(decide(plan, alice, [callTool('t'), request('ping')])).toMatchObject({
      reason: '"tools/call" "t", "ping": missing a b',
    })
    const many = Array.from({ length: 50 }, () => callTool('x'.repeat(100)))
    const decision = decide(plan, alice, many)
    expect(decision.effect === 'deny' && decision.reason.length).toBe(300 + ': missing a b'.length)
  })

  it('says that a URI can be read in several ways', () => {
    const plan = rules({ resource: 'file://**', require: "operation.target != 'x'" })
    expect(decide(plan, alice, [request('resources/read', 'file:///srv/%2561')])).toMatchObject({
      ground: 'require_failed',
      reason: expect.stringContaining('the URI can be read in several ways'),
    })
  })

  it('says that groups are not known where one of several entries asks for them', () => {
    const plan = createPolicyPlan(accessOf({ groups: ['a'], tools: ['t'] }, { who: "principal.subject == 'bob'", tools: ['t'] }))
    expect(decide(plan, lost, [callTool('t')])).toMatchObject({ reason: expect.stringContaining('there are too many') })
  })
})

describe('an explanation says of scopes', () => {
  const plan = createPolicyPlan({ baseScopes: ['base'], rules: [{ tool: 't', scopes: ['z', 'y'] }] })

  it('which are missing, and where none is', () => {
    expect(explain(plan, alice, callTool('t')).map(({ check, outcome, detail }) => [check, outcome, detail])).toEqual([
      ['scopes', 'holds', ''],
      ['rules[0]', 'fails', 'missing y z'],
    ])
  })

  it('which are missing of a rule that hides', () => {
    const hiding = rules({ tool: 't', scopes: ['z', 'y'], onDeny: 'hide' })
    expect(explain(hiding, alice, callTool('t'))).toEqual([
      expect.objectContaining({ check: 'rules[0]', outcome: 'fails', detail: 'missing y z' }),
    ])
  })
})

describe('what the configuration would not have let pass', () => {
  it('is refused: a rule about a path that looks at arguments, of which a request as a whole has none', () => {
    const plan = rules({ path: '/mcp', require: 'args.x == 1' })
    expect(decide(plan, alice, [callTool('t')], { args: '{"x":1}' })).toMatchObject({ code: 'policy_denied' })
  })

  it('is refused: `who` with arguments', () => {
    expect(() => createPolicy(createPolicyPlan(accessOf({ who: 'args.x == 1', tools: ['t'] })))).toThrow('args')
  })
})

describe('the outcome of an operation', () => {
  function outcomeOfOne(plan: PolicyPlan, operation: Operation): OperationOutcome | undefined {
    const told: OperationOutcome[] = []
    const question = { path: '/mcp', operations: [operation], facts: someFacts }
    createPolicy(plan).decide(alice, { ...question, onOutcome: (outcome) => void told.push(outcome) })
    return told[0]
  }

  it('whose comparison with the rules costs too much is a refusal that says so, and keeps no arguments', () => {
    const many = Array.from({ length: 70 }, (_, index) => ({ tool: `*a${index}`, deny: true as const, recordArguments: true }))
    expect(outcomeOfOne(rules(...many), callTool('x'.repeat(60_000)))).toMatchObject({
      decision: { effect: 'deny', code: 'resource_uri_ambiguous', reason: expect.stringContaining('too much to compare') },
      recordsArguments: false,
    })
  })

  it('that is an answer keeps no arguments, and needs nothing', () => {
    const answer: Operation = { kind: 'response', method: '', targetKind: undefined, target: undefined, id: undefined }
    const plan = { ...rules({ method: 'tools/*', deny: true }), ...accessOf({ tools: ['a'] }) }
    expect(outcomeOfOne(plan, answer)).toMatchObject({ decision: { effect: 'permit' }, recordsArguments: false })
  })
})

it('a request is decided the same whether or not the outcome of each operation is wanted', () => {
  const rule = fc.record(
    {
      tool: fc.constantFrom('a', 'b', '*'),
      scopes: fc.subarray(['s', 't']),
      require: fc.constantFrom('args.x == 1', "'g' in principal.groups"),
      deny: fc.boolean(),
      onDeny: fc.constantFrom('hide' as const, 'refuse' as const),
      mode: fc.constantFrom('shadow' as const, 'enforce' as const),
    },
    { requiredKeys: ['tool', 'scopes'] },
  )
  const pathRule = fc.record({ path: fc.constant('/mcp'), scopes: fc.constant([]), deny: fc.constant(true) })
  const entry = fc.record({ tools: fc.subarray(['a', 'b'], { minLength: 1 }), groups: fc.constantFrom(['g'], ['h']) })
  const mode = fc.constantFrom('enforce' as const, 'shadow' as const, undefined)
  const operation = fc.constantFrom(callTool('a'), callTool('b'), request('ping'), request('logging/setLevel'))
  const world = fc.tuple(
    fc.array(fc.oneof({ arbitrary: rule, weight: 9 }, pathRule), { maxLength: 5 }),
    fc.array(entry, { minLength: 1, maxLength: 2 }),
    mode,
    fc.array(operation, { minLength: 1, maxLength: 4 }),
    fc.subarray(['g', 'h']),
  )
  fc.assert(
    fc.property(world, ([list, entries, accessMode, operations, groups]) => {
      const { access } = accessOf(...entries)
      const plan: PolicyPlan = {
        ...createPolicyPlan({ rules: list, baseScopes: ['s'] }),
        ...(accessMode && { access: { entries: access?.entries ?? [], mode: accessMode } }),
      }
      const principal = createPrincipal({ groups, scope: 's' })
      const question = { path: '/mcp', operations, facts: { ...someFacts, readArguments: () => '{"x":2}' } }
      let outcomes = 0
      const told = createPolicy(plan).decide(principal, { ...question, onOutcome: () => void outcomes++ })
      expect(told).toEqual(createPolicy(plan).decide(principal, question))
      expect(outcomes).toBe(operations.length)
    }),
    { numRuns: 500 },
  )
})

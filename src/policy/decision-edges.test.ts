// Turns of the decision that mutation runs found unwatched.
import { describe, expect, it } from 'vitest'
import {
  accessOf,
  callTool,
  createPolicyPlan,
  createPrincipal,
  decide,
  outcomeOf,
  request,
  shown,
} from '../../test/support/policies.ts'
import { someFacts } from '../../test/support/request-facts.ts'
import type { OperationOutcome } from '../core/decision.ts'
import type { Operation } from '../core/operation.ts'
import type { PolicyPlan, RulePlan } from '../core/plan/policy-plan.ts'
import { createPolicy } from './policy.ts'

const alice = createPrincipal({ scope: 'read' })
const rules = (...list: Partial<RulePlan>[]): PolicyPlan =>
  createPolicyPlan({ rules: list.map((rule) => ({ scopes: [], ...rule })) })
const read = (uri: string) => request('resources/read', uri)

describe('a rule about the target of a resource', () => {
  it('denies a URI of several readings, also where its expression would hold without the target', () => {
    const plan = rules({ resource: 'file://**', require: "operation.method == 'resources/read' || operation.target == 'x'" })
    expect(outcomeOf(plan, alice, [read('file:///srv/a')])).toBe('permit')
    expect(outcomeOf(plan, alice, [read('file:///srv/%2561')])).toBe('policy_denied')
  })
})

describe('a rule about arguments', () => {
  it('denies an operation that has none', () => {
    const plan = rules({ method: 'tools/*', require: 'args.a == 1' })
    expect(decide(plan, alice, [request('tools/list')])).toMatchObject({ code: 'policy_denied', ground: 'require_failed' })
  })
})

describe('a rule about a path', () => {
  it('refuses openly, since there is no target to hide', () => {
    const plan = rules({ path: '/mcp', deny: true, onDeny: 'hide' })
    expect(outcomeOf(plan, alice, [])).toBe('policy_denied')
    expect(outcomeOf(plan, alice, [callTool('a')])).toBe('policy_denied')
  })
})

describe('where only that is open which rules name', () => {
  const closed = (...list: Partial<RulePlan>[]): PolicyPlan => ({ ...rules(...list), unlistedOperations: 'deny' })

  it('each reading of a resource may be named by another rule', () => {
    const uri = 'file:///srv/a%252fb'
    const whole = closed({ resource: 'file:///srv/**' })
    const parts = closed({ resource: 'file:///srv/*' }, { resource: 'file:///srv/*/*' })
    expect([whole, parts].map((plan) => outcomeOf(plan, alice, [read(uri)]))).toEqual(['permit', 'permit'])
    expect(outcomeOf(closed({ resource: 'file:///srv/*' }), alice, [read(uri)])).toBe('policy_denied')
  })

  it('lists show templates that some rule names, and no others', () => {
    const plan = closed({ resource: 'file:///srv/**', require: "'read' in principal.scopes" }, { resource: 'a://h/**' })
    const templates = ['file:///srv/{x}', 'a://h/{x}', 'file:///etc/{x}']
    expect(shown(plan, alice, 'resource_template', templates)).toEqual(['file:///srv/{x}', 'a://h/{x}'])
  })
})

describe('a list of templates', () => {
  it('is not about rules for tools, nor for other methods', () => {
    const plan = rules({ method: 'tools/call', deny: true }, { resource: 'file:///srv/**', deny: true })
    expect(shown(plan, alice, 'resource_template', ['file:///srv/{x}', 'file:///etc/{x}'])).toEqual(['file:///etc/{x}'])
  })

  it('shows a template of which a rule denies only a part', () => {
    const plan = rules({ resource: 'a://x/secret', deny: true })
    expect(shown(plan, alice, 'resource_template', ['a://x/{y}'])).toEqual(['a://x/{y}'])
  })

  it('shows a template that may become more than a rule denies of one segment', () => {
    const plan = rules({ resource: 'file:///srv/*', deny: true })
    expect(shown(plan, alice, 'resource_template', ['file:///srv/{+x}'])).toEqual(['file:///srv/{+x}'])
    expect(shown(plan, alice, 'resource', ['file:///srv/x'])).toEqual([])
  })

  it('shows none whose comparison has cost too much', () => {
    const many = Array.from({ length: 40 }, (_, index) => ({ resource: `**/*a*${index}`, deny: true as const }))
    const templates = Array.from({ length: 1000 }, (_, index) => `note://x/a+b%20c;d/..%2f${'a/'.repeat(15)}b${index}x/{y}`)
    expect(shown(rules(...many), alice, 'resource_template', [...templates, 'note://last/{y}'])).not.toContain('note://last/{y}')
  })
})

it('lists are filtered by what hides for lack of a scope only where step-ups are not shown', () => {
  const plan = rules({ tool: 'a', scopes: ['write'] })
  const filterOf = (listStepUp: boolean) =>
    createPolicy({ ...plan, listStepUp }).createListFilter(alice, { ...someFacts, path: '/mcp' })
  expect(filterOf(true)).toBeUndefined()
  expect(filterOf(false)?.shows('tool', 'a')).toBe(false)
  expect(
    createPolicy({ ...rules({ tool: 'a' }), listStepUp: false }).createListFilter(alice, { ...someFacts, path: '/mcp' }),
  ).toBeUndefined()
})

describe('the outcome of each operation', () => {
  function outcomes(plan: PolicyPlan, operations: readonly Operation[]): OperationOutcome[] {
    const told: OperationOutcome[] = []
    const onOutcome = (outcome: OperationOutcome) => void told.push(outcome)
    createPolicy(plan).decide(alice, { path: '/mcp', operations, facts: someFacts, onOutcome })
    return told
  }

  it('names the entry that opened it, the rule that refused it, and itself where scopes are missing', () => {
    const plan: PolicyPlan = {
      ...rules({ tool: 'b', deny: true }, { tool: 'c', scopes: ['write'] }),
      ...accessOf({ tools: ['a', 'b', 'c'] }),
    }
    const told = outcomes(plan, [callTool('a'), callTool('b'), callTool('c')])
    expect(told.map(({ decidedBy }) => decidedBy)).toEqual(['access[0]', 'rules[0]', undefined])
    expect(told[2]?.decision).toMatchObject({ code: 'scope_insufficient', reason: expect.stringContaining('"c"') })
  })

  it('names no entry that is only tried', () => {
    const { access } = accessOf({ tools: ['a'] })
    const plan: PolicyPlan = { ...rules(), access: { entries: access?.entries ?? [], mode: 'shadow' } }
    expect(outcomes(plan, [callTool('a')]).map(({ decidedBy }) => decidedBy)).toEqual([undefined])
  })

  it.each<[string, Partial<RulePlan>, boolean[]]>([
    ['of no rule', { tool: 'x' }, [false, false]],
    ['of a rule about it', { tool: 'a', recordArguments: true }, [true, false]],
    ['of a rule about the path', { path: '/mcp', recordArguments: true }, [true, true]],
    ['of a rule about another path', { path: '/other', recordArguments: true }, [false, false]],
  ])('says whether its arguments are kept because %s', (_what, rule, kept) => {
    const told = outcomes(rules(rule), [callTool('a'), callTool('b')])
    expect(told.map(({ recordsArguments }) => recordsArguments)).toEqual(kept)
  })
})

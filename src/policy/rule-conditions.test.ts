import fc from 'fast-check'
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
import type { Decision, DecisionStep } from '../core/decision.ts'
import type { PolicyPlan, RulePlan } from '../core/plan/policy-plan.ts'
import { createPolicy } from './policy.ts'

const rules = (...list: Omit<RulePlan, 'scopes'>[]): PolicyPlan =>
  createPolicyPlan({ rules: list.map((rule) => ({ scopes: [], ...rule })) })
const finance = createPrincipal({ groups: ['finance'] })
const alice = createPrincipal()

describe('`require`', () => {
  const refunds = rules({
    tool: 'refund',
    require: "args.amount <= 100 || 'finance' in principal.groups",
    reason: 'Refunds over 100 need somebody from finance.',
  })

  it.each([
    ['{"amount":100}', 'permit'],
    ['{"amount":100.0}', 'permit'],
    ['{"amount":1e2}', 'permit'],
    ['{"amount":101}', 'policy_denied'],
    ['{"amount":100.5}', 'policy_denied'],
    ['{"amount":"1"}', 'policy_denied'],
    ['{}', 'policy_denied'],
    ['{"amount":null}', 'policy_denied'],
    ['{"amount":99999999999999999999}', 'policy_denied'],
    ['{"Amount":1}', 'policy_denied'],
    [undefined, 'policy_denied'],
  ])('looks at arguments: %s is %s', (args, outcome) => {
    expect(outcomeOf(refunds, alice, [callTool('refund')], args === undefined ? {} : { args })).toBe(outcome)
    expect(outcomeOf(refunds, finance, [callTool('refund')], args === undefined ? {} : { args })).toBe('permit')
    expect(outcomeOf(refunds, alice, [callTool('other')], args === undefined ? {} : { args })).toBe('permit')
  })

  it('refuses without a challenge, and tells the reason of the rule', () => {
    const decision = decide(refunds, alice, [callTool('refund')], { args: '{"amount":101}' })
    expect(decision).toEqual({
      effect: 'deny',
      code: 'policy_denied',
      ground: 'require_failed',
      message: 'Refunds over 100 need somebody from finance.',
      decidedBy: 'rules[0]',
      reason: '"tools/call" "refund": rules[0]: require is false',
    })
  })

  it('sees server, request and time', () => {
    const plan = rules(
      { tool: 'a', require: "server == 'test' && request.revision == '2025-11-25' && request.path == '/mcp'" },
      { tool: 'b', require: "request.address == '192.0.2.1'" },
      { tool: 'c', require: "now < timestamp('2026-01-01T00:00:01Z')" },
    )
    expect(outcomeOf(plan, alice, [callTool('a')])).toBe('permit')
    expect(outcomeOf(plan, alice, [callTool('b')])).toBe('policy_denied')
    expect(outcomeOf(plan, alice, [callTool('b')], { address: '192.0.2.1' })).toBe('permit')
    expect(outcomeOf(plan, alice, [callTool('c')])).toBe('permit')
    expect(outcomeOf(plan, alice, [callTool('c')], { now: () => Date.UTC(2026, 0, 2) })).toBe('policy_denied')
  })

  it('of a path holds for every request there, with or without operations', () => {
    const plan = rules({ path: '/mcp', require: "'finance' in principal.groups" })
    for (const operations of [[], [request('initialize')], [callTool('x')]]) {
      expect(outcomeOf(plan, alice, operations)).toBe('policy_denied')
      expect(outcomeOf(plan, finance, operations)).toBe('permit')
    }
  })

  it('denies where a URI that it looks at can be read in several ways', () => {
    const plan = rules({ method: 'resources/read', require: "operation.target.startsWith('file:///srv/')" })
    expect(outcomeOf(plan, alice, [request('resources/read', 'file:///srv/a')])).toBe('permit')
    expect(outcomeOf(plan, alice, [request('resources/read', 'file:///etc/a')])).toBe('policy_denied')
    expect(outcomeOf(plan, alice, [request('resources/read', 'file:///srv/../etc/a')])).toBe('policy_denied')
    expect(outcomeOf(plan, alice, [request('resources/read', 'file:///srv/%2e%2e/etc')])).toBe('policy_denied')
  })

  it('is asked about the arguments of each call by themselves', () => {
    const plan = rules({ tool: 'refund', require: 'args.amount <= 100' })
    const [small, great] = [callTool('refund'), callTool('refund')]
    const readArguments = (operation: unknown) => (operation === small ? '{"amount":1}' : '{"amount":1000}')
    expect(outcomeOf(plan, alice, [small], { readArguments })).toBe('permit')
    expect(outcomeOf(plan, alice, [small, great], { readArguments })).toBe('policy_denied')
  })

  it('reads arguments only where a rule that matches looks at them, and once', () => {
    const plan = rules(
      { tool: 'a', require: 'args.x == 1' },
      { tool: 'a', require: 'args.y == 1' },
      { tool: 'b', require: "'finance' in principal.groups" },
    )
    let reads = 0
    const readArguments = () => {
      reads++
      return '{"x":1,"y":1}'
    }
    expect(outcomeOf(plan, finance, [callTool('b'), callTool('c')], { readArguments })).toBe('permit')
    expect(reads).toBe(0)
    expect(outcomeOf(plan, finance, [callTool('a')], { readArguments })).toBe('permit')
    expect(reads).toBe(1)
  })

  it('about arguments does not stand in the way of completions, which have none', () => {
    const plan = rules({ prompt: 'greet', require: "args.name == 'x'" })
    const completion = { ...request('completion/complete', 'greet'), targetKind: 'prompt' as const }
    expect(outcomeOf(plan, alice, [completion])).toBe('permit')
    expect(outcomeOf(plan, alice, [request('prompts/get', 'greet')], { args: '{"name":"y"}' })).toBe('policy_denied')
  })
})

describe('`deny`', () => {
  it('refuses everyone', () => {
    expect(outcomeOf(rules({ tool: 'delete_*', deny: true }), finance, [callTool('delete_all')])).toBe('policy_denied')
    expect(outcomeOf(rules({ tool: 'delete_*', deny: true }), finance, [callTool('read')])).toBe('permit')
  })

  it('applies to whatever a resource URI may mean', () => {
    const plan = rules({ resource: 'file:///srv/secret/**', deny: true })
    expect(outcomeOf(plan, finance, [request('resources/read', 'file:///srv/public/../secret/x')])).toBe('policy_denied')
  })
})

describe('`on_deny: hide`', () => {
  it('hides what is refused, for whatever reason the rule refuses it', () => {
    expect(outcomeOf(rules({ tool: 'a', deny: true, onDeny: 'hide' }), alice, [callTool('a')])).toBe('target_hidden')
    expect(outcomeOf(rules({ tool: 'a', require: 'args.x == 1', onDeny: 'hide' }), alice, [callTool('a')])).toBe('target_hidden')
    const scoped = createPolicyPlan({ rules: [{ tool: 'a', scopes: ['s'], onDeny: 'hide' }] })
    expect(outcomeOf(scoped, alice, [callTool('a')])).toBe('target_hidden')
    expect(outcomeOf(scoped, createPrincipal({ scope: 's' }), [callTool('a')])).toBe('permit')
  })

  it('beats every other refusal', () => {
    const plan = createPolicyPlan({
      baseScopes: ['mcp'],
      rules: [
        { tool: '*', scopes: ['s'] },
        { tool: '*', deny: true, scopes: [] },
        { tool: 'a', deny: true, onDeny: 'hide', scopes: [] },
      ],
    })
    expect(outcomeOf(plan, alice, [callTool('b'), callTool('a')])).toBe('target_hidden')
    expect(outcomeOf(plan, alice, [callTool('b')])).toBe('policy_denied')
  })
})

describe('a rule in shadow mode', () => {
  const plan = createPolicyPlan({
    rules: [
      { tool: 'a', deny: true, mode: 'shadow', scopes: [] },
      { tool: 'b', require: 'args.x == 1', mode: 'shadow', scopes: [] },
      { tool: 'c', scopes: ['s'], mode: 'shadow' },
    ],
  })

  it('refuses nothing, and says what it would', () => {
    expect(decide(plan, alice, [callTool('a')])).toEqual({
      effect: 'permit',
      wouldDeny: ['"tools/call" "a": rules[0]: the rule denies it'],
    })
    expect(decide(plan, alice, [callTool('b')], { args: '{"x":1}' })).toEqual({ effect: 'permit' })
    expect(decide(plan, alice, [callTool('b')], { args: '{"x":2}' })).toMatchObject({
      effect: 'permit',
      wouldDeny: [expect.anything()],
    })
    expect(decide(plan, alice, [callTool('c')])).toMatchObject({
      effect: 'permit',
      wouldDeny: [expect.stringMatching(/missing s/)],
    })
  })

  it('lists nothing where unlisted operations are denied', () => {
    const unlisted = { ...plan, unlistedOperations: 'deny' as const }
    expect(outcomeOf(unlisted, alice, [callTool('a')])).toBe('policy_denied')
    expect(outcomeOf(unlisted, alice, [request('tools/list')])).toBe('policy_denied')
  })

  it('leaves lists alone', () => {
    expect(shown(plan, alice, 'tool', ['a', 'b', 'c'])).toEqual(['a', 'b', 'c'])
  })
})

describe('lists under rules', () => {
  it('show what is permitted, and what depends on arguments', () => {
    const plan = rules(
      { tool: 'refund', require: "args.amount <= 100 || 'finance' in principal.groups" },
      { tool: 'report', require: "'finance' in principal.groups" },
      { tool: 'close', require: "'finance' in principal.groups && args.sure" },
      { tool: 'delete_*', deny: true },
    )
    const tools = ['refund', 'report', 'close', 'delete_all', 'read']
    expect(shown(plan, alice, 'tool', tools)).toEqual(['refund', 'read'])
    expect(shown(plan, finance, 'tool', tools)).toEqual(['refund', 'report', 'close', 'read'])
  })

  it('show a URI template unless all that it may become is refused', () => {
    const plan = rules({ resource: 'note://secret/**', deny: true })
    const templates = ['note://secret/{id}', 'note://{folder}/{id}', 'note://public/{id}']
    expect(shown(plan, alice, 'resource_template', templates)).toEqual(['note://{folder}/{id}', 'note://public/{id}'])
  })
})

describe('an explanation', () => {
  it('names each check in order, and what it came to', () => {
    const plan = createPolicyPlan({
      ...accessOf({ groups: ['support'], tools: ['refund'] }, { groups: ['finance'], tools: ['*'] }),
      baseScopes: ['mcp'],
      rules: [
        { tool: 'refund', require: 'args.amount <= 100', scopes: [] },
        { tool: 'refund', deny: true, mode: 'shadow', scopes: [] },
      ],
    })
    const steps: DecisionStep[] = []
    const facts = { ...someFacts, readArguments: () => '{"amount":200}' }
    createPolicy(plan).decide(finance, { path: '/mcp', operations: [callTool('refund')], facts }, (step) => steps.push(step))
    expect(steps.map(({ check, outcome, isShadow }) => [check, outcome, isShadow])).toEqual([
      ['access[0]', 'fails', false],
      ['access[1]', 'holds', false],
      ['rules[0]', 'fails', false],
      ['rules[1]', 'fails', true],
      ['scopes', 'fails', false],
    ])
  })
})

describe('policies in general', () => {
  const name = fc.constantFrom('a', 'b', 'ab')
  const pattern = fc.constantFrom('a', 'b', '*', 'a*')
  const who = fc.constantFrom(undefined, "'g' in principal.groups", 'principal.claims.x == 1', "principal.subject == 'alice'")
  const entry = fc
    .record({ tools: fc.array(pattern, { minLength: 1, maxLength: 2 }), who })
    .map(({ tools, who: expression }) => ({
      tools,
      ...(expression !== undefined && { who: expression }),
    }))
  const rule = fc.record(
    {
      tool: pattern,
      scopes: fc.subarray(['s', 't']),
      require: fc.constantFrom('args.x == 1', "'g' in principal.groups", 'args.y > 2 || args.x == 1'),
      deny: fc.boolean(),
      onDeny: fc.constantFrom('hide' as const, 'refuse' as const),
      mode: fc.constantFrom('shadow' as const, 'enforce' as const),
    },
    { requiredKeys: ['tool', 'scopes'] },
  )
  const principal = fc
    .record({ groups: fc.subarray(['g']), scopes: fc.subarray(['s', 't']), x: fc.constantFrom(undefined, 1, 2) })
    .map(({ groups, scopes, x }) => createPrincipal({ groups, scope: scopes.join(' '), claims: x === undefined ? {} : { x } }))
  const args = fc.constantFrom('{}', '{"x":1}', '{"y":3}', '{"x":"1"}')
  const world = fc.record({
    entries: fc.array(entry, { minLength: 1, maxLength: 3 }),
    list: fc.array(rule, { maxLength: 4 }),
    principal,
    args,
    name,
  })
  const isPermitted = (decision: Decision) => decision.effect === 'permit'
  const plan = (entries: readonly object[], list: readonly RulePlan[]) =>
    createPolicyPlan({ ...accessOf(...entries), rules: list })

  it('do not depend on the order of entries and rules', () => {
    fc.assert(
      fc.property(world, ({ entries, list, principal: who, args: given, name: tool }) => {
        const one = decide(plan(entries, list), who, [callTool(tool)], { args: given })
        const other = decide(plan(entries.toReversed(), list.toReversed()), who, [callTool(tool)], { args: given })
        expect([other.effect, 'code' in other && other.code]).toEqual([one.effect, 'code' in one && one.code])
      }),
    )
  })

  it('permit no less with one entry more, and no more with one rule more', () => {
    fc.assert(
      fc.property(world, entry, rule, ({ entries, list, principal: who, args: given, name: tool }, more, further) => {
        const before = isPermitted(decide(plan(entries, list), who, [callTool(tool)], { args: given }))
        const withEntry = isPermitted(decide(plan([...entries, more], list), who, [callTool(tool)], { args: given }))
        const withRule = isPermitted(decide(plan(entries, [...list, further]), who, [callTool(tool)], { args: given }))
        expect(withEntry || !before).toBe(true)
        expect(before || !withRule).toBe(true)
      }),
    )
  })

  it('permit a request exactly when they permit each of its operations', () => {
    fc.assert(
      fc.property(
        world,
        fc.array(name, { minLength: 1, maxLength: 3 }),
        ({ entries, list, principal: who, args: given }, names) => {
          const one = plan(entries, list)
          const each = names.every((tool) => isPermitted(decide(one, who, [callTool(tool)], { args: given })))
          expect(isPermitted(decide(one, who, names.map(callTool), { args: given }))).toBe(each)
        },
      ),
    )
  })

  it('show in a list what they permit for some arguments, and hide what they permit for none', () => {
    const somewhere = ['{}', '{"x":1}', '{"y":3}', '{"x":1,"y":3}']
    fc.assert(
      fc.property(world, ({ entries, list, principal: who, name: tool }) => {
        const enforced = list.map((one) => ({ ...one, scopes: [] }))
        const one = plan(entries, enforced)
        const isEverPermitted = somewhere.some((given) => isPermitted(decide(one, who, [callTool(tool)], { args: given })))
        expect(shown(one, who, 'tool', [tool])).toEqual(isEverPermitted ? [tool] : [])
      }),
    )
  })
})

describe('a principal whose groups are not known', () => {
  const lost = createPrincipal({ groupsUnknown: 'the user is in too many groups for the token' })

  it('is let in by no entry about groups, and the log says why', () => {
    for (const entry of [{ groups: ['support'] }, { who: "!('contractors' in principal.groups)" }]) {
      const decision = decide(createPolicyPlan(accessOf({ ...entry, tools: ['*'] })), lost, [callTool('t')])
      expect(decision).toMatchObject({
        code: 'target_hidden',
        reason: expect.stringContaining(
          'the groups of the principal are not known: the user is in too many groups for the token',
        ),
      })
    }
    const others = decide(createPolicyPlan(accessOf({ who: "'s' in principal.scopes", tools: ['*'] })), lost, [callTool('t')])
    expect(others).toMatchObject({ reason: expect.not.stringContaining('not known') })
    expect(
      outcomeOf(createPolicyPlan(accessOf({ groups: ['support'], tools: ['*'] }, { tools: ['t'] })), lost, [callTool('t')]),
    ).toBe('permit')
  })

  it('does not pass a rule that keeps a group out', () => {
    const plan = rules({ tool: 't', require: "!('contractors' in principal.groups)" })
    expect(outcomeOf(plan, alice, [callTool('t')])).toBe('permit')
    expect(decide(plan, lost, [callTool('t')])).toMatchObject({
      code: 'policy_denied',
      reason: expect.stringContaining('principal.groups is not known: the user is in too many groups'),
    })
  })
})

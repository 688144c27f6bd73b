import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { callTool, createPolicyPlan, createPrincipal, request } from '../../test/support/policies.ts'
import { someFacts } from '../../test/support/request-facts.ts'
import type { Decision, OperationOutcome, PolicyQuestion } from '../core/decision.ts'
import type { Operation } from '../core/operation.ts'
import type { RulePlan } from '../core/plan/policy-plan.ts'
import type { Sender } from '../core/reading-thread.ts'
import { createPolicy } from './policy.ts'

const alice = createPrincipal({ scope: 'pay' })
const sender: Sender = { user: 'alice', hasLeft: () => false }
const rule = (differing: Partial<RulePlan>): RulePlan => ({ scopes: [], ...differing }) as RulePlan

/** What a request asks, with the arguments of each operation. */
function ask(
  operations: readonly Operation[],
  args: string | undefined,
): PolicyQuestion & { readonly outcomes: OperationOutcome[] } {
  const outcomes: OperationOutcome[] = []
  const facts = { ...someFacts, readArguments: () => args }
  return { path: '/mcp', operations, facts, outcomes, onOutcome: (outcome) => void outcomes.push(outcome) }
}

async function decideBoth(rules: readonly RulePlan[], operations: readonly Operation[], args: string | undefined) {
  const { decide, decideApart } = createPolicy(createPolicyPlan({ rules }))
  const [here, apart] = [ask(operations, args), ask(operations, args)]
  const decisions = [decide(alice, here), await decideApart?.(alice, apart, sender)] as [Decision, Decision]
  expect(apart.outcomes).toEqual(here.outcomes)
  expect(decisions[1]).toEqual(decisions[0])
  return decisions[1].effect
}

const CONDITIONS: readonly Partial<RulePlan>[] = [
  { tool: 'a', require: 'args.n <= 100' },
  { tool: 'a', require: 'args.n <= 100', onDeny: 'hide' },
  { tool: 'a', require: 'args.n <= 100', mode: 'shadow' },
  { tool: 'b', require: "args.list.all(x, x != 'bad')" },
  { tool: 'a', require: 'args.n == 9007199254740993' },
  { tool: '*', require: "has(args.n) || 'admin' in principal.groups" },
  { tool: 'a', scopes: ['more'] },
  { tool: 'b', deny: true },
  { method: 'tools/call', require: "principal.subject == 'alice'", recordArguments: true },
]
const ARGUMENTS = ['{}', '{"n":5}', '{"n":500}', '{"n":9007199254740993}', '{"n":5,"N":500}', '{"list":["x","bad"]}', undefined]
const OPERATIONS = [callTool('a'), callTool('b'), callTool('c'), request('tools/list'), request('resources/read', 'x://y')]

describe('a decision with arguments that are read in a thread', () => {
  it('is the one that is made here', async () => {
    const rules = fc.subarray(CONDITIONS.map(rule), { minLength: 1 })
    const operations = fc.subarray(OPERATIONS, { minLength: 1 })
    await fc.assert(
      fc.asyncProperty(rules, operations, fc.constantFrom(...ARGUMENTS), async (some, asked, args) => {
        await decideBoth([...some, rule({ tool: 'a', require: 'args.n != 7' })], asked, args)
      }),
    )
  })

  it('tells all that rules in shadow mode would have refused, as far as a log line goes', async () => {
    const shadow = Array.from({ length: 5 }, (_, i) => rule({ tool: '*', require: `args.n == ${i}`, mode: 'shadow' }))
    const calls = Array.from({ length: 20 }, () => callTool('a'))
    expect(await decideBoth([...shadow, rule({ tool: 'a', require: 'args.n > 5' })], calls, '{"n":50}')).toBe('permit')
  })

  it('is made also where rules that are tried leave no work for all operations at once', async () => {
    const rules = [
      rule({ tool: '*', require: 'args.n <= 100', mode: 'shadow' }),
      ...Array.from({ length: 400 }, (_, i) => rule({ tool: `x*${i}`, deny: true, mode: 'shadow' })),
    ]
    const calls = Array.from({ length: 47 }, (_, i) => callTool(`${'y'.repeat(235)}${i}`))
    const { decideApart } = createPolicy(createPolicyPlan({ rules }))
    const decision = await decideApart?.(alice, ask([callTool('a'), ...calls, callTool('b')], '{"n":5}'), sender)
    expect(decision?.effect).toBe('permit')
  })

  it('leaves the event loop to other requests meanwhile', async () => {
    const { decideApart } = createPolicy(createPolicyPlan({ rules: [rule({ tool: 'a', require: 'args.n <= 100' })] }))
    const keys = Array.from({ length: 100_000 }, (_, i) => `"key_number_${i}":${i}`)
    let turns = 0
    let isOver = false
    const count = (): void => {
      turns += 1
      if (!isOver) setImmediate(count)
    }
    setImmediate(count)
    const decision = await decideApart?.(alice, ask([callTool('a')], `{"n":5,${keys.join()}}`), sender)
    isOver = true
    expect(decision).toEqual({ effect: 'permit' })
    expect(turns).toBeGreaterThan(10)
  })

  it('needs no thread where no rule that matches looks at them', async () => {
    const { decideApart } = createPolicy(createPolicyPlan({ rules: [rule({ tool: 'a', require: 'args.n <= 100' })] }))
    const left: Sender = { user: 'alice', hasLeft: () => true }
    expect(await decideApart?.(alice, ask([callTool('b')], '{"n":500}'), left)).toEqual({ effect: 'permit' })
    await expect(decideApart?.(alice, ask([callTool('a')], '{"n":5}'), left)).rejects.toMatchObject({ code: 'client_gone' })
  })
})

import type { RulePlan } from '../src/core/plan/policy-plan.ts'
import { createPolicy } from '../src/policy/policy.ts'
import { callTool, createPolicyPlan, createPrincipal } from '../test/support/policies.ts'
import { someFacts } from '../test/support/request-facts.ts'

/**
 * What a decision costs: with a dozen scope rules, and with 200 rules of which 20 have expressions. Each call is one of 50 tools, and two
 * rules match it; of the calls that expressions look at, the arguments are read anew. Processor time a decision, the least of nine.
 */

const CALLS = 50
const TIMES = 200_000

const scopeRules = (count: number): RulePlan[] =>
  Array.from({ length: count }, (_, index) => ({ tool: `tool_${index % CALLS}`, scopes: ['base'] }))

const expressionRules: RulePlan[] = Array.from({ length: 20 }, (_, index) => ({
  tool: `paid_${index}`,
  scopes: [],
  require: "args.amount <= 100 || 'finance' in principal.groups",
}))

const caller = createPrincipal({ scope: 'base', groups: ['support'] })
const facts = { ...someFacts, readArguments: () => '{"amount": 12, "currency": "EUR", "note": "asked for on the phone"}' }

const dozen = scopeRules(12)
const many = [...scopeRules(180), ...expressionRules]

const cases: readonly (readonly [what: string, rules: readonly RulePlan[], prefix: string, names: number])[] = [
  ['a dozen scope rules', dozen, 'tool_', CALLS],
  ['200 rules, calls without expressions', many, 'tool_', CALLS],
  ['200 rules, calls with an expression', many, 'paid_', 20],
]

for (const [what, rules, prefix, names] of cases) {
  console.log(`${what}: ${measure(rules, prefix, names).toFixed(2)} µs`)
}

function measure(rules: readonly RulePlan[], prefix: string, names: number): number {
  const policy = createPolicy(createPolicyPlan({ baseScopes: ['base'], rules }))
  const questions = Array.from({ length: names }, (_, index) => ({
    path: '/mcp',
    operations: [callTool(`${prefix}${index}`)],
    facts,
  }))
  const runs = Array.from({ length: 9 }, () => {
    const before = process.cpuUsage()
    for (let run = 0; run < TIMES; run++) {
      const question = questions[run % names]
      if (question !== undefined && policy.decide(caller, question).effect !== 'permit') throw new Error('not permitted')
    }
    const { user, system } = process.cpuUsage(before)
    return (user + system) / TIMES
  })
  return Math.min(...runs)
}

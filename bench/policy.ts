import type { Operation } from '../src/core/operation.ts'
import type { RulePlan } from '../src/core/plan/policy-plan.ts'
import { createArgumentReader } from '../src/policy/expression/arguments.ts'
import { compileExpression } from '../src/policy/expression/expression.ts'
import { createPolicy } from '../src/policy/policy.ts'
import { createWork } from '../src/policy/work.ts'
import { someFacts } from '../test/support/request-facts.ts'

/**
 * What the worst messages that are accepted cost policy: each line is one message against one set of rules, judged for the first time.
 * Processor time, the least of seven; the aim is 20 ms, since everybody waits meanwhile. Then what expressions of rules cost: for an
 * ordinary call, with arguments read anew each time, and for arguments that use up the budget.
 */

const nobody = {
  issuer: 'https://idp.example.com',
  subject: 'alice',
  clientId: undefined,
  scopes: new Set<string>(),
  groups: [],
  assurance: 'audience' as const,
  claims: {},
  expiresAt: Number.POSITIVE_INFINITY,
  acceptedUntil: Number.POSITIVE_INFINITY,
}

const expressionFacts = {
  principal: nobody,
  groups: ['support', 'refunds', 'admins'],
  operation: undefined,
  server: '/tickets',
  request: { revision: '2025-11-25', path: '/tickets', address: '192.0.2.1' },
  now: Date.UTC(2026, 0),
}

const repeat = (count: number, uri: (index: number) => string): readonly Operation[] =>
  Array.from({ length: count }, (_, index) => ({
    kind: 'request',
    method: 'subscriptions/listen',
    targetKind: 'resource',
    target: uri(index),
    id: '1',
  }))

const messages: Readonly<Record<string, readonly Operation[]>> = {
  '1,000 plain URIs': repeat(1000, (index) => `file:///srv/reports/2026/may/department/file-${index}.md`),
  'long URIs': repeat(8, (index) => `file:///${'a/'.repeat(4000)}${index}`),
  'dot segments': repeat(8, (index) => `file:///${'a/../'.repeat(1600)}${index}`),
  'many readings each': repeat(1000, (index) => `note://x/a+b%20c;d/..%2f${index}`),
  'letters beyond ASCII': repeat(1000, (index) => `file:///srv/${'ßΣé'.repeat(15)}${index}`),
  'an archive of short names': repeat(8, () => `jar:file:///${'!/'.repeat(3900)}`),
  'every trick': repeat(600, (index) => `file:///srv/a%20b/..%2f%252e/+;x/\\y/${index}?q=/..//#z`),
}

const rules: Readonly<Record<string, (index: number) => RulePlan>> = {
  '40 × **/x': (index) => ({ resource: `**/x${index}`, scopes: ['s'] }),
  '40 × **/*a*x': (index) => ({ resource: `**/*a*${index}`, scopes: ['s'] }),
}

for (const [what, operations] of Object.entries(messages)) {
  for (const [against, rule] of Object.entries(rules)) {
    const plan = Array.from({ length: 40 }, (_, index) => rule(index))
    const times = Array.from({ length: 7 }, () => measure(plan, operations))
    console.log(`${what} against ${against}: ${Math.min(...times).toFixed(1)} ms`)
  }
}

function measure(plan: readonly RulePlan[], operations: readonly Operation[]): number {
  const policy = createPolicy({ baseScopes: [], rules: plan, hierarchy: {}, unlistedOperations: 'permit' })
  const before = process.cpuUsage()
  policy.decide(nobody, { path: '/mcp', facts: someFacts, operations })
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1000
}

const ordinaryArguments =
  '{"amount": 120, "currency": "EUR", "note": "asked for on the phone", "order": {"id": 9007199254740993}}'

const ordinary: readonly string[] = [
  `'finance' in principal.groups`,
  `args.amount <= 100 || 'finance' in principal.groups`,
  `args.order.id == 9007199254740993 && args.currency in ['EUR', 'USD'] && !args.note.contains('urgent')`,
]

for (const source of ordinary) {
  console.log(`${source}: ${(measureExpression(source, ordinaryArguments, 20_000) * 1000).toFixed(2)} µs`)
}

const numbers = `{"list": [${Array.from({ length: 20_000 }, (_, index) => index)}]}`
const texts = JSON.stringify({ text: 'a'.repeat(3_000_000), needle: `${'a'.repeat(500_000)}b` })

const worst: readonly (readonly [source: string, args: string])[] = [
  ['args.list.all(x, args.list.all(y, x + y >= 0))', numbers],
  ['args.list.all(x, !(-1 in args.list))', numbers],
  ['args.text.contains(args.needle)', texts],
  ['args.text.lowerAscii() == args.needle', texts],
]

for (const [source, args] of worst) console.log(`${source}: ${measureExpression(source, args, 1).toFixed(1)} ms`)

/** Milliseconds an evaluation, the least of seven. */
function measureExpression(source: string, args: string, times: number): number {
  const expression = compileExpression(source, 'require')
  const runs = Array.from({ length: 7 }, () => {
    const before = process.cpuUsage()
    for (let run = 0; run < times; run++)
      expression.evaluate({ ...expressionFacts, args: createArgumentReader(args) }, createWork())
    const { user, system } = process.cpuUsage(before)
    return (user + system) / 1000 / times
  })
  return Math.min(...runs)
}

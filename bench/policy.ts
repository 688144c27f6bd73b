import type { Operation } from '../src/core/operation.ts'
import type { RulePlan } from '../src/core/plan/policy-plan.ts'
import { createScopePolicy } from '../src/policy/scope-policy.ts'

/**
 * What the worst messages that are accepted cost policy: each line is one message against one set of rules, judged for the first time.
 * Processor time, the least of seven; the aim is 20 ms, since everybody waits meanwhile.
 */

const nobody = {
  issuer: 'https://idp.example.com',
  subject: 'alice',
  clientId: undefined,
  scopes: new Set<string>(),
  assurance: 'audience' as const,
  claims: {},
  expiresAt: Number.POSITIVE_INFINITY,
  acceptedUntil: Number.POSITIVE_INFINITY,
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
  const policy = createScopePolicy({ baseScopes: [], rules: plan, hierarchy: {}, unlistedOperations: 'permit' })
  const before = process.cpuUsage()
  policy.decide(nobody, { path: '/mcp', operations })
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1000
}

import { expect } from 'vitest'
import { createArgumentReader } from '../../src/policy/expression/arguments.ts'
import { compileExpression, type Outcome } from '../../src/policy/expression/expression.ts'
import type { ExpressionFacts } from '../../src/policy/expression/facts.ts'
import { createWork } from '../../src/policy/work.ts'

const argumentText = `{
  "amount": 100, "note": null, "path": "/srv/Notes.md", "text": "42", "items": [{ "price": 9.5 }, { "price": 1 }]
}`

type Overrides = Partial<ExpressionFacts> & { readonly groups?: readonly string[] }

/** A call of `refund` by Alice of the support group, or of the given ones. */
export function createFacts({ groups, ...overrides }: Overrides = {}): ExpressionFacts {
  const facts = { ...createDefaults(), ...overrides }
  return groups === undefined ? facts : { ...facts, principal: { ...facts.principal, groups } }
}

function createDefaults(): ExpressionFacts {
  return {
    principal: {
      issuer: 'https://idp.example.com',
      subject: 'alice',
      clientId: 'nightly',
      scopes: new Set(['read']),
      groups: ['support'],
      assurance: 'audience',
      expiresAt: 1_800_000_000,
      acceptedUntil: 1_800_000_000,
      claims: {
        email: 'alice@example.com',
        email_verified: true,
        'https://example.com/tier': 2,
        address: { country: 'DE' },
        auth_time: 1_795_989_000,
      },
    },
    operation: { kind: 'request', method: 'tools/call', targetKind: 'tool', target: 'refund', id: '1' },
    args: createArgumentReader(argumentText),
    server: '/tickets',
    request: { revision: '2025-11-25', path: '/tickets', address: '192.0.2.1' },
    now: Date.UTC(2026, 10, 29, 22),
  }
}

/** What an expression comes to as a `require`. */
export function evaluate(source: string, overrides?: Overrides): Outcome {
  return compileExpression(source, 'require').evaluate(createFacts(overrides), createWork())
}

/** The same for a call with these arguments, in JSON. */
export function evaluateWith(source: string, args: string): Outcome {
  return evaluate(source, { args: createArgumentReader(args) })
}

export function allow(source: string): void {
  expect(evaluate(source), source).toEqual({ value: true })
}

/** Why an expression fails; undefined when it does not. */
export function reasonOf(source: string, overrides?: Overrides): string | undefined {
  const outcome = evaluate(source, overrides)
  return outcome.value === 'error' ? outcome.reason : undefined
}

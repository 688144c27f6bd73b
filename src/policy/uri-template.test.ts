import { expect, it } from 'vitest'
import { someFacts } from '../../test/support/request-facts.ts'
import type { Operation } from '../core/operation.ts'
import type { Principal } from '../core/principal.ts'
import { createPolicy } from './policy.ts'

const nobody: Principal = {
  issuer: 'https://idp.example.com',
  subject: 'alice',
  clientId: undefined,
  scopes: new Set(),
  groups: [],
  assurance: 'audience',
  claims: {},
  expiresAt: Number.POSITIVE_INFINITY,
  acceptedUntil: Number.POSITIVE_INFINITY,
}
const rules = [
  { resource: 'file:///secret/**', scopes: ['secrets'] },
  { resource: 'db://*/salaries', scopes: ['salaries'] },
  { tool: '*', scopes: ['tools'] },
]
const policy = createPolicy({ baseScopes: [], rules, hierarchy: {}, unlistedOperations: 'permit' })

function scopesFor(target: string, method = 'completion/complete'): readonly string[] {
  const operation: Operation = { kind: 'request', method, targetKind: 'resource', target, id: '1' }
  const decision = policy.decide(nobody, { path: '/mcp', facts: someFacts, operations: [operation] })
  return decision.effect === 'permit' ? [] : (decision.scopes ?? ['none would help'])
}

it.each([
  ['file:///{path}', ['secrets']],
  ['file:///secre{rest}', ['secrets']],
  ['file:///secret/{+path}', ['secrets']],
  ['file:///public/../{dir}/{name}', ['secrets']],
  ['{+uri}', ['salaries', 'secrets']],
  ['db://{table}', ['salaries']],
  ['db://people/{column}', ['salaries']],
  ['file:///public/{path}', []],
  ['https://example.com/{page}', []],
])('completing %j needs the scopes of all that it may become', (template, scopes) => {
  expect(scopesFor(template)).toEqual(scopes)
})

it('reading a resource whose name has braces is reading that resource', () => {
  expect(scopesFor('file:///{path}', 'resources/read')).toEqual([])
})

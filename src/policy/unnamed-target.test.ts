import { expect, it } from 'vitest'
import { someFacts } from '../../test/support/request-facts.ts'
import type { Operation } from '../core/operation.ts'
import type { Principal } from '../core/principal.ts'
import { createPolicy } from './policy.ts'

const subscribing: Operation = {
  kind: 'request',
  method: 'resources/subscribe',
  targetKind: 'resource',
  target: undefined,
  id: '1',
}
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

it('asks for the scopes of every rule about resources when a request names none of them', () => {
  const rules = [
    { resource: 'file:///secret/*', scopes: ['secrets'] },
    { resource: 'file:///public/*', scopes: ['public'] },
    { tool: '*', scopes: ['tools'] },
  ]
  const policy = createPolicy({ baseScopes: [], rules, hierarchy: {}, unlistedOperations: 'permit' })
  expect(policy.decide(nobody, { path: '/mcp', facts: someFacts, operations: [subscribing] })).toMatchObject({
    effect: 'deny',
    scopes: ['public', 'secrets'],
  })
})

it('does not take a rule about some resource for one about none', () => {
  const rules = [{ resource: '*', scopes: [] }]
  const policy = createPolicy({ baseScopes: [], rules, hierarchy: {}, unlistedOperations: 'deny' })
  expect(policy.decide(nobody, { path: '/mcp', facts: someFacts, operations: [subscribing] })).toMatchObject({ effect: 'deny' })
})

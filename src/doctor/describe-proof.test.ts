import { expect, it } from 'vitest'
import type { Plan } from '../core/plan/plan.ts'
import type { ServerPlan } from '../core/plan/server-plan.ts'
import { describeProof } from './describe-proof.ts'

const describe = (credential: { readonly kind: string }) =>
  describeProof({ credential, issuers: [], audiences: [] } as unknown as ServerPlan, 'http://localhost/mcp', {} as Plan)?.what

it.each(['access_token', 'identity_provider', 'delegated'])(
  'a credential of the kind %s is a token that the doctor has none of',
  (kind) => {
    expect(describe({ kind })).toBe('a token of the caller')
  },
)

it('an MCP server without a credential is sent nothing', () => {
  expect(describe({ kind: 'none' })).toBeUndefined()
})

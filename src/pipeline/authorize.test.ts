import { afterEach, describe, expect, it, vi } from 'vitest'
import { openPolicy } from '../../test/support/gate.ts'
import { sendMcp } from '../../test/support/mcp-requests.ts'
import { openStepGate, type StepGate } from '../../test/support/step.ts'
import type { Decision, PolicyEngine } from '../core/decision.ts'

let gate: StepGate
afterEach(() => gate.close())

const list = { jsonrpc: '2.0', id: 7, method: 'tools/list' }

async function askPolicy(decide: PolicyEngine['decide']) {
  gate = await openStepGate({ policy: { ...openPolicy, decide } })
  const response = await sendMcp(`${gate.origin}/mcp`, { body: list })
  await vi.waitUntil(() => gate.records.length > 0)
  return {
    status: response.status,
    challenge: response.headers.get('www-authenticate'),
    record: gate.records[0],
    calls: gate.calls,
  }
}

describe('a call', () => {
  it('that policy permits reaches the upstream, and is recorded as permitted', async () => {
    const { status, record, calls } = await askPolicy(() => ({ effect: 'permit' }))
    expect([status, record?.decision, calls.length]).toEqual([202, 'permit', 1])
  })

  it.each([
    [
      'lacks scopes',
      { effect: 'deny', code: 'scope_insufficient', scopes: ['a', 'b'], missing: ['b'], reason: 'no b' },
      'scope_insufficient',
      ['b'],
    ],
    [
      'lacks all scopes',
      { effect: 'deny', code: 'scope_insufficient', scopes: ['a', 'b'], reason: 'neither' },
      'scope_insufficient',
      ['a', 'b'],
    ],
    [
      'may not be made',
      { effect: 'deny', code: 'policy_denied', ground: 'rule_denied', reason: 'no rule' },
      'policy_denied',
      undefined,
    ],
    ['is ambiguous', { effect: 'deny', code: 'resource_uri_ambiguous', reason: '..' }, 'resource_uri_ambiguous', undefined],
    ['gets no decision', { effect: 'maybe', code: 'policy_denied' } as unknown as Decision, 'policy_denied', undefined],
  ] satisfies [string, Decision, string, string[] | undefined][])(
    'that %s ends here',
    async (_, decision, code, missingScopes) => {
      const { status, record, challenge, calls } = await askPolicy(() => decision)
      expect(status).toBe(403)
      expect(record).toMatchObject({
        code,
        missingScopes,
        decision: 'deny',
        reason: decision.effect === 'deny' && decision.code === 'policy_denied' ? decision.ground : undefined,
        cause: decision.effect === 'deny' ? decision.reason : undefined,
      })
      expect(challenge?.includes('scope="a b"') ?? false).toBe(code === 'scope_insufficient')
      expect(calls).toEqual([])
    },
  )

  it('is judged by its path and by all operations of its body', async () => {
    const decide = vi.fn<PolicyEngine['decide']>(() => ({ effect: 'permit' }))
    gate = await openStepGate({ policy: { ...openPolicy, decide } })
    const ping = { jsonrpc: '2.0', id: 8, method: 'ping' }
    await sendMcp(`${gate.origin}/mcp`, { body: [list, ping], headers: { 'mcp-protocol-version': '2025-03-26' } })
    const operations = [expect.objectContaining({ method: 'tools/list' }), expect.objectContaining({ method: 'ping' })]
    expect(decide).toHaveBeenCalledExactlyOnceWith(
      expect.objectContaining({ subject: 'alice' }),
      expect.objectContaining({ path: '/mcp', operations }),
    )
  })
})

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createFakeClock } from '../../test/support/fake-clock.ts'
import type { RequestRecord } from '../core/record.ts'
import { formatIsoTime } from './iso-time.ts'
import { formatRequest } from './request-record.ts'

const clock = createFakeClock(Date.UTC(2026, 10, 30, 1, 2, 3, 4))

const record = {
  requestId: 'fb0d6b58-1f5c-4a6a-8c0b-2f1f5a1d3c11',
  method: 'POST',
  path: '/mcp',
  server: 'files',
  status: 200,
  clientAddress: '192.0.2.7',
  duration: 12.6,
  operations: [],
} as unknown as RequestRecord

const read = (changes: object) => JSON.parse(formatRequest({ ...record, ...changes }, clock))

describe('the record of a request', () => {
  it('has what is known, and no member without a value', () => {
    expect(read({})).toEqual({
      audit: 1,
      type: 'request',
      time: '2026-11-30T01:02:03.004Z',
      began: '2026-11-30T01:02:02.991Z',
      request_id: record.requestId,
      server: 'files',
      method: 'POST',
      path: '/mcp',
      address: '192.0.2.7',
      outcome: 'success',
      status: 200,
      duration_ms: 13,
    })
  })

  it('has every operation with its decision', () => {
    const operation = { kind: 'request', method: 'tools/call', target: 'search', id: '"a"' }
    const denial = { effect: 'deny', code: 'policy_denied', wouldDeny: ['rules[1]'] }
    const outcomes = [
      { operation, decision: { effect: 'permit' }, argumentsDigest: 'ab12', argumentsText: '{"q":"x\n"}' },
      { operation: { ...operation, id: '2' }, decision: denial, decidedBy: 'rules[0]' },
    ]
    const principal = {
      issuer: 'https://idp.example.com',
      subject: 's'.repeat(2000),
      clientId: 'app',
      scopes: new Set(['a', 'b']),
      groups: ['g'],
    }
    const trace = { traceId: 'a'.repeat(32) }
    const shown = read({
      operations: [operation, operation],
      outcomes,
      principal,
      trace,
      decision: 'deny',
      code: 'policy_denied',
    })
    expect(shown.operations).toEqual([
      { ...operation, decision: 'permit', arguments_digest: 'ab12', arguments: '{"q":"x\n"}' },
      { ...operation, id: '2', decision: 'deny', code: 'policy_denied', decided_by: 'rules[0]', would_deny: ['rules[1]'] },
    ])
    expect(shown).toMatchObject({ outcome: 'policy_denied', issuer: principal.issuer, client_id: 'app', trace_id: trace.traceId })
    expect(shown).toMatchObject({ scopes: ['a', 'b'], groups: ['g'] })
    expect(shown.subject).toBe(`${'s'.repeat(1024)}…`)
  })

  it('lists operations that were not decided, and hides the details of a bug', () => {
    const operations = [
      { kind: 'response', method: '' },
      { kind: 'notification', method: 'notifications/x' },
    ]
    const shown = read({ operations, code: 'internal_error', cause: new Error('secret stack'), missingScopes: ['a'] })
    expect(shown.operations).toEqual([{ kind: 'response' }, { kind: 'notification', method: 'notifications/x' }])
    expect(shown.detail).toBeUndefined()
    expect(shown.missing_scopes).toEqual(['a'])
  })

  it('is one line of JSON, whatever clients choose', () => {
    const chosen = fc.string({ unit: 'binary', maxLength: 100 })
    fc.assert(
      fc.property(chosen, chosen, chosen, chosen, (path, subject, cause, target) => {
        const operation = { kind: 'request', method: target, target: subject, id: JSON.stringify(cause) }
        const changes = {
          path,
          principal: { issuer: cause, subject, clientId: target, scopes: new Set([target]), groups: [cause] },
          cause,
          operations: [operation],
        }
        const line = formatRequest({ ...record, ...changes } as unknown as RequestRecord, clock)
        expect(line).not.toMatch(/[\n\r]/)
        const { operations, ...shown } = JSON.parse(line)
        expect(shown).toMatchObject({ path, subject, detail: cause, client_id: target })
        expect(operations[0]).toEqual({ ...operation, ...(target === '' ? { method: undefined } : {}) })
      }),
    )
  })
})

it('times are as Date has them', () => {
  const time = fc.integer({ min: 0, max: 4e12 })
  fc.assert(
    fc.property(time, fc.integer({ min: 0, max: 2500 }), (start, later) => {
      for (const at of [start, start + later, start]) expect(formatIsoTime(at)).toBe(new Date(at).toISOString())
    }),
  )
})

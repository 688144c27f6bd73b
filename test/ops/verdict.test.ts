// What the tests with replicas take for right, refused, broken, lost and wrong.
import { expect, it } from 'vitest'
import type { Outcome } from './support/client.ts'
import { createJournal } from './support/fleet/journal.ts'
import { CLIENT_WAITS_MS, judge } from './support/fleet/verdict.ts'

const result = (id: unknown, text: string) =>
  JSON.stringify({ jsonrpc: '2.0', id, result: { content: [{ type: 'text', text }] } })
const refusal = (id: unknown) =>
  JSON.stringify({ jsonrpc: '2.0', ...(id !== undefined && { id }), error: { code: -32000, message: 'no' } })
const answer = (body: string, more: Partial<Outcome> = {}): Outcome => ({
  status: 200,
  headers: { 'content-type': 'application/json' },
  body,
  isComplete: true,
  ms: 5,
  firstMs: 5,
  ...more,
})
const events = { headers: { 'content-type': 'text/event-stream' } }
const note = '{"jsonrpc":"2.0","method":"notifications/message","params":{}}'

const cases: readonly (readonly [what: string, outcome: Outcome, verdict: string])[] = [
  ['its own answer', answer(result('a', 'alice a')), 'right'],
  ['its own answer among events', answer(`data: ${note}\n\ndata: ${result('a', 'alice a')}\n\n`, events), 'right'],
  ['an error with its id', answer(refusal('a')), 'refused'],
  ['a status with an error without an id', answer(refusal(undefined), { status: 503 }), 'refused'],
  ['a status with no body', answer('', { status: 408 }), 'refused'],
  ['401 without a challenge', answer(refusal('a'), { status: 401 }), 'wrong'],
  ['an error with the id of another request', answer(refusal('b'), { status: 503 }), 'wrong'],
  ['the answer to another request', answer(result('b', 'alice a')), 'wrong'],
  ['the answer to another user', answer(result('a', 'bob a')), 'wrong'],
  ['two answers', answer(`[${result('a', 'alice a')},${result('a', 'alice a')}]`), 'wrong'],
  ['a page', answer('<html></html>'), 'wrong'],
  ['a stream that ends without the answer', answer(`data: ${note}\n\n`, events), 'lost'],
  ['nothing for as long as clients wait', answer('', { status: 0, isComplete: false, ms: CLIENT_WAITS_MS }), 'lost'],
  ['half an answer', answer('{"jsonrpc"', { isComplete: false }), 'broken'],
]

it.each(cases)('%s is %o', (_what, outcome, verdict) => {
  expect(judge(outcome, new Map([['a', 'alice a']]))).toBe(verdict)
})

it('a connection that breaks where none should is a lost request', () => {
  const journal = createJournal()
  journal.note('call', answer('', { status: 0, isComplete: false }), new Map())
  const spans = [{ from: 0, to: performance.now() }]
  expect(journal.tally({ disturbed: spans, breaking: spans })).toMatchObject({ refused: 1, broken: 1, lost: 0, complaints: [] })
  expect(journal.tally({ disturbed: spans, breaking: [] })).toMatchObject({
    refused: 0,
    lost: 1,
    complaints: [expect.any(String)],
  })
})

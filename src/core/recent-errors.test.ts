import { expect, it } from 'vitest'
import { createRecentErrors } from './recent-errors.ts'

const record = (code: Parameters<ReturnType<typeof createRecentErrors>['note']>[0]['code'], requestId: string) => ({
  server: 'files',
  code,
  reason: undefined,
  requestId,
})

it('keeps the last errors, the newest first, and nothing that clients cause', () => {
  let now = 0
  const errors = createRecentErrors(2, () => now)
  for (const [code, id] of [
    ['upstream_timeout', 'a'],
    ['token_invalid', 'b'],
    ['rate_limited', 'c'],
    [undefined, 'd'],
    ['internal_error', 'e'],
    ['scope_insufficient', 'f'],
    ['upstream_unreachable', 'g'],
  ] as const) {
    now++
    errors.note(record(code, id))
  }
  expect(errors.list()).toEqual([
    { at: 7, server: 'files', code: 'upstream_unreachable', reason: undefined, requestId: 'g' },
    { at: 5, server: 'files', code: 'internal_error', reason: undefined, requestId: 'e' },
  ])
})

it('keeps ten of a kind, so that one kind does not push the others out', () => {
  const errors = createRecentErrors(15, () => 0)
  errors.note(record('internal_error', 'first'))
  for (let i = 0; i < 100; i++) errors.note(record('upstream_timeout', `${i}`))
  expect(errors.list().map(({ requestId }) => requestId)).toEqual([...Array.from({ length: 10 }, (_, i) => `${99 - i}`), 'first'])
})

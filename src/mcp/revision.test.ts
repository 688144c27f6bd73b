import { describe, expect, it } from 'vitest'
import { findRevision, isModernRevision, isPreAuthorizationRevision, permitsBatches } from './revision.ts'

describe('a revision', () => {
  it.each([
    ['2024-11-05', false, true, true],
    ['2025-03-26', false, false, true],
    ['2025-06-18', false, false, false],
    ['2025-11-25', false, false, false],
    ['2026-07-28', true, false, false],
    // The newest rules hold for what nobody knows.
    ['', true, false, false],
    ['2031-01-01', true, false, false],
  ])('%j: modern %s, before authorization %s, with batches %s', (revision, modern, before, batches) => {
    expect(isModernRevision(revision)).toBe(modern)
    expect(isPreAuthorizationRevision(revision)).toBe(before)
    expect(permitsBatches(revision)).toBe(batches)
  })

  it('is what the header says, and else that of clients without it', () => {
    for (const isHttpSse of [true, false]) {
      expect(findRevision('2025-11-25', isHttpSse)).toBe('2025-11-25')
      expect(findRevision('', isHttpSse)).toBe('')
    }
    expect(findRevision(undefined, false)).toBe('2025-03-26')
    expect(findRevision(undefined, true)).toBe('2024-11-05')
  })
})

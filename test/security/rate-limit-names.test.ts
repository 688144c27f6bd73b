import { expect, it } from 'vitest'
import type { Call } from '../../src/core/call.ts'
import { ProxyError } from '../../src/core/errors.ts'
import type { RateLimitPlan } from '../../src/core/plan/rate-limit-plan.ts'
import { createLocalCounters } from '../../src/rate-limits/local-counters.ts'
import { createRateLimiter } from '../../src/rate-limits/rate-limits.ts'
import { createFakeClock } from '../support/fake-clock.ts'

const plan: RateLimitPlan = {
  label: 'rate_limits[0]',
  countedAs: 'rate_limits[0]',
  per: ['tool'],
  tools: undefined,
  callsPerMinute: 60,
  burst: 10,
  concurrentCalls: undefined,
  streams: undefined,
  sessions: undefined,
}

function guard(changes: Partial<RateLimitPlan> = {}) {
  const clock = createFakeClock()
  const limits = createRateLimiter(createLocalCounters(clock), clock).limit('files', [{ ...plan, ...changes }])
  const isAdmitted = (user: string, ...tools: string[]): boolean => {
    const operations = tools.map((target) => ({ kind: 'request', method: 'tools/call', target }))
    const principal = { issuer: 'https://idp.example.com', subject: user, clientId: 'app' }
    try {
      void limits?.admit({ requestId: user, method: 'POST', principal, operations } as unknown as Call)
      return true
    } catch (error) {
      expect(error).toBeInstanceOf(ProxyError)
      return false
    }
  }
  /** Calls a thousand tools that no server has. */
  const invent = (user: string): void => {
    for (let index = 0; index < 1000; index += 1) isAdmitted(user, `invented_${index}`)
  }
  return { clock, isAdmitted, invent }
}

it('names that a user once made up do not have the tools of all others counted together for good', () => {
  const { clock, isAdmitted, invent } = guard()
  invent('mallory')
  expect(isAdmitted('alice', ...Array<string>(10).fill('read'))).toBe(true)
  expect(isAdmitted('alice', 'write')).toBe(false)
  // Twice a minute, which is more than a bucket of ten tokens takes to fill at one a second.
  clock.advance(120_000)
  expect(isAdmitted('alice', ...Array<string>(10).fill('read'))).toBe(true)
  expect(isAdmitted('alice', 'write')).toBe(true)
})

it('a tool whose calls are used up is not counted anew because other names are called meanwhile', () => {
  const { clock, isAdmitted, invent } = guard({ callsPerMinute: 1 })
  expect(isAdmitted('mallory', ...Array<string>(10).fill('read'))).toBe(true)
  for (let turn = 0; turn < 2; turn += 1) {
    clock.advance(60_000)
    invent('mallory')
  }
  expect(isAdmitted('mallory', 'read', 'read')).toBe(true)
  expect(isAdmitted('mallory', 'read')).toBe(false)
})

it('a tool whose calls still run has no further place among those of names that were made up meanwhile', () => {
  const { clock, isAdmitted, invent } = guard({ per: ['principal', 'tool'], callsPerMinute: undefined, concurrentCalls: 1 })
  expect(isAdmitted('mallory', 'export')).toBe(true)
  for (let minute = 0; minute < 3; minute += 1) {
    clock.advance(60_000)
    invent('mallory')
    expect(isAdmitted('mallory', 'export')).toBe(false)
  }
  expect(isAdmitted('alice', 'export')).toBe(true)
})

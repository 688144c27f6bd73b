import { expect, it } from 'vitest'
import { createFakeClock } from '../../test/support/fake-clock.ts'
import { createCall } from '../../test/support/fake-reply.ts'
import { collectGarbage } from '../../test/support/memory.ts'
import type { Operation } from '../core/operation.ts'
import type { RateLimitPlan } from '../core/plan/rate-limit-plan.ts'
import { createLocalCounters } from './local-counters.ts'
import { createRateLimiter } from './rate-limits.ts'

const RATES = { label: 'rate_limits[0]', countedAs: 'rate_limits[0]', tools: undefined, callsPerMinute: 60, burst: 60 }
const PLAN: RateLimitPlan = { ...RATES, per: ['tool'], concurrentCalls: 5, streams: undefined, sessions: undefined }
const CALL: Operation = { kind: 'request', method: 'tools/call', targetKind: 'tool', target: 'echo', id: '1' }

it('a call that was counted keeps no long body, however long its answer lasts', async () => {
  const clock = createFakeClock()
  const limits = createRateLimiter(createLocalCounters(clock), clock).limit('files', [PLAN])
  const admit = () => {
    const call = createCall({ a: 'x'.repeat(100_000) }, { operations: [CALL] })
    return { admission: limits?.admit(call), body: new WeakRef(call.body as Buffer) }
  }
  const { admission, body } = admit()
  await new Promise((resolve) => setImmediate(resolve))
  collectGarbage()
  expect([admission, body.deref()]).toEqual([expect.anything(), undefined])
})

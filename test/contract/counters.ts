import { expect } from 'vitest'
import { systemClock } from '../../src/core/clock.ts'
import type { RedisStorePlan } from '../../src/core/plan/store-plan.ts'
import { openRedisCounters } from '../../src/store/redis-counters.ts'

/** What the counts of rate limits need of a place. */
export async function countTogether(plan: RedisStorePlan): Promise<void> {
  const [one, other] = await Promise.all([1, 2].map(() => openRedisCounters(plan, () => {}, systemClock)))
  const bucket = { kind: 'bucket', key: 'b', tokens: 6, tokenMs: 60_000, burst: 10 } as const
  const seat = { kind: 'place', key: 'p', most: 1, expiresAfterMs: 60_000 } as const
  expect(await one?.take([bucket, { ...seat, holders: ['a'] }])).toBeUndefined()
  expect(await other?.take([bucket])).toMatchObject({ index: 0 })
  expect(await other?.take([{ ...seat, holders: ['b'] }])).toMatchObject({ index: 0 })
  await one?.hold([{ ...seat, holders: ['a'] }])
  await one?.release([{ ...seat, holders: ['a'] }])
  expect(await other?.take([{ ...seat, holders: ['b'] }])).toBeUndefined()
  await Promise.all([one?.close(), other?.close()])
}

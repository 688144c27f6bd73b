import type { Clock } from '../core/clock.ts'
import type { Plan } from '../core/plan/plan.ts'
import { createLocalCounters } from '../rate-limits/local-counters.ts'
import { createRateLimiter, type RateLimiter } from '../rate-limits/rate-limits.ts'
import { createSharedCounters } from '../rate-limits/shared-counters.ts'

/**
 * Opens what rate limits are counted in: the store where several machines share it, otherwise the memory of this process.
 *
 * @param onIssue - called with later problems of the store
 * @throws Error when the store cannot be reached
 */
export async function openRateLimiter(
  { store, replicas }: Pick<Plan, 'store' | 'replicas'>,
  clock: Clock,
  onIssue: (message: string) => void,
): Promise<RateLimiter> {
  const local = createLocalCounters(clock, replicas)
  if (store.kind !== 'redis') return createRateLimiter(local, clock)
  const { openRedisCounters } = await import('../store/redis-counters.ts')
  const shared = await openRedisCounters(store, onIssue, clock)
  return createRateLimiter(createSharedCounters(shared, local, clock, onIssue), clock)
}

import type { Clock } from '../core/clock.ts'
import type { Store } from '../core/store.ts'
import { createGauge } from './gauge.ts'
import { createHistogram } from './histogram.ts'
import type { Metric } from './metric.ts'

/** Measures how long the store takes, how often it fails, and whether it can be reached. */
export interface StoreMeter {
  readonly metrics: readonly Metric[]
  /** @returns a store that does the same and is measured */
  measure(store: Store): Store
}

export function createStoreMeter(clock: Clock): StoreMeter {
  const seconds = createHistogram('mcp_auth_proxy_store_seconds', 'Time until the store answered or failed.', [
    'operation',
    'outcome',
  ])
  const stores = new Set<Store>()
  const up = createGauge('mcp_auth_proxy_store_up', 'Whether the store can be reached: 1 or 0.', [], () =>
    stores.size === 0 ? [] : [[[], [...stores].every((store) => store.isReady()) ? 1 : 0]],
  )
  // SQLite answers before it returns.
  const timed = async <T>(operation: string, ask: () => Promise<T>): Promise<T> => {
    const askedAt = clock.monotonic()
    const observe = (outcome: string): void => seconds.observe((clock.monotonic() - askedAt) / 1000, [operation, outcome])
    try {
      const value = await ask()
      observe('success')
      return value
    } catch (error) {
      observe('failure')
      throw error
    }
  }
  const measure = (store: Store): Store => ({
    isReady: () => store.isReady(),
    find: (...where) => timed('find', () => store.find(...where)),
    put: (...entry) => timed('put', () => store.put(...entry)),
    add: (...entry) => timed('add', () => store.add(...entry)),
    replace: (...entry) => timed('replace', () => store.replace(...entry)),
    take: (...where) => timed('take', () => store.take(...where)),
    deleteGroup: (group) => timed('delete_group', () => store.deleteGroup(group)),
    count: (kind) => timed('count', () => store.count(kind)),
    list: (...what) => timed('list', () => store.list(...what)),
    async close() {
      stores.delete(store)
      await store.close()
    },
  })
  return {
    metrics: [seconds, up],
    measure(store) {
      stores.add(store)
      return measure(store)
    },
  }
}

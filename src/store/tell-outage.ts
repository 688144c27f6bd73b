import { ProxyError } from '../core/errors.ts'
import type { Store } from '../core/store.ts'

/** Seconds after which another try makes sense. */
const RETRY_SECONDS = 5

/**
 * A store whose failures say that it is the store that failed, and that it passes.
 *
 * @param onOutage - called with each failure
 * @returns a store whose operations throw ProxyError `store_unavailable`
 */
export function tellOutage(store: Store, onOutage: (cause: unknown) => void = () => undefined): Store {
  const told = async <T>(operation: Promise<T>): Promise<T> => {
    try {
      return await operation
    } catch (cause) {
      onOutage(cause)
      throw new ProxyError('store_unavailable', { cause, retryAfter: RETRY_SECONDS })
    }
  }
  return {
    isReady: () => store.isReady(),
    find: (...where) => told(store.find(...where)),
    put: (...entry) => told(store.put(...entry)),
    add: (...entry) => told(store.add(...entry)),
    replace: (...entry) => told(store.replace(...entry)),
    take: (...where) => told(store.take(...where)),
    deleteGroup: (group) => told(store.deleteGroup(group)),
    count: (kind) => told(store.count(kind)),
    list: (...what) => told(store.list(...what)),
    close: () => store.close(),
  }
}

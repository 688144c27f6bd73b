import type { StorePlan } from '../core/plan/store-plan.ts'
import type { Store } from '../core/store.ts'
import { tellOutage } from './tell-outage.ts'

/**
 * Opens the store of a plan. What a kind needs is loaded only with it.
 *
 * @param onIssue - called with later problems; the text holds no secrets
 * @param onOutage - called with each operation that fails
 * @returns a store whose operations throw ProxyError `store_unavailable`
 * @throws Error when it cannot be opened or reached
 */
export async function openStore(
  plan: StorePlan,
  onIssue: (message: string) => void,
  onOutage?: (cause: unknown) => void,
): Promise<Store> {
  return tellOutage(await open(plan, onIssue), onOutage)
}

async function open(plan: StorePlan, onIssue: (message: string) => void): Promise<Store> {
  switch (plan.kind) {
    case 'memory':
      return (await import('./memory-store.ts')).createMemoryStore()
    case 'sqlite':
      return (await import('./sqlite-store.ts')).openSqliteStore(plan.file)
    case 'redis':
      return (await import('./redis-store.ts')).openRedisStore(plan, onIssue)
  }
}

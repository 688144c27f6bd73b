import { AsyncLocalStorage } from 'node:async_hooks'
import type { FetchSpan } from './fetch-span.ts'

/** A request that may be waiting for a fetch. */
export interface Waiting {
  /** Undefined once the request waits for none any more: timers and connections that it left behind still know of it. */
  take: ((fetch: FetchSpan) => void) | undefined
}

const REQUESTS = new AsyncLocalStorage<Waiting>()

/** What is fetched for `task` is told to `waiting`. */
export function runWaiting<T>(waiting: Waiting, task: () => T): T {
  return REQUESTS.run(waiting, task)
}

/** @returns the request that waits for what is fetched now, if one does */
export function findWaiting(): Waiting | undefined {
  return REQUESTS.getStore()
}

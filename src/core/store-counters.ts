import type { Demand, PlaceDemand, Shortage } from './counters.ts'

/** Counts in a store, for all processes that share it, see `core/counters.ts`. Its methods reject while the store cannot be reached. */
export interface StoreCounters {
  take(demands: readonly Demand[]): Promise<Shortage | undefined>
  hold(places: readonly PlaceDemand[]): Promise<void>
  release(places: readonly PlaceDemand[]): Promise<void>
  close(): Promise<void>
}

/** What is asked of one count. */
export type Demand = BucketDemand | PlaceDemand

/** Tokens of a bucket that refills. */
export interface BucketDemand {
  readonly kind: 'bucket'
  readonly key: string
  readonly tokens: number
  /** Milliseconds in which one token comes back. */
  readonly tokenMs: number
  /** Tokens that the bucket holds at most. */
  readonly burst: number
}

/** Places, each of which has a holder until it is released or expires. */
export interface PlaceDemand {
  readonly kind: 'place'
  readonly key: string
  /** One for each place that is asked for; unique among all processes. */
  readonly holders: readonly string[]
  /** Places that there are. */
  readonly most: number
  /** Milliseconds after which a place is free again unless it is held anew. */
  readonly expiresAfterMs: number
}

/** Those of the demands that are for places. */
export function listPlaces(demands: readonly Demand[]): readonly PlaceDemand[] {
  return demands.filter((demand) => demand.kind === 'place')
}

/** The demand that was not met; of several the one that cannot be met for longest, so that a wait is not followed by another one. */
export interface Shortage {
  readonly index: number
  /** Milliseconds until it can be met; undefined where that depends on others, or on when all processes count together again. */
  readonly waitMs: number | undefined
}

/** Counts what is used: in this process, or in all that share a store. */
export interface Counters {
  /** Into how many parts limits are divided, of which this process has one: 1 where all processes count together. */
  readonly share: number
  /** Meets all demands, or none: then it returns one that could not be met. */
  take(demands: readonly Demand[]): Shortage | undefined | Promise<Shortage | undefined>
  /** Holds places for their whole time from now, whether or not there is room. */
  hold(places: readonly PlaceDemand[]): void
  release(places: readonly PlaceDemand[]): void
  close(): Promise<void>
}

/** What went wrong last. It may be over by now. */
export interface Failure {
  /** Holds no secrets. */
  readonly cause: string
  /** Milliseconds since the epoch. */
  readonly at: number
}

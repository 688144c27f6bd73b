/** The listener for operators and their monitoring. */
export interface AdminPlan {
  readonly host: string
  readonly port: number
  /** Names in `Host` that are accepted beside addresses and `localhost`, lower case, with or without a port. */
  readonly allowedHosts: readonly string[]
  /** What requests that change something must show; undefined where there are none. */
  readonly token: string | undefined
}

import type { Failure } from './failure.ts'

/** How an issuer does, as seen from here. */
export interface IssuerState {
  readonly issuer: string
  /** Fetches of its keys that have ended. */
  readonly keyFetches: number
  readonly failedKeyFetches: number
  /** Milliseconds since the keys in use were fetched; undefined where there are none. */
  readonly keysAge: number | undefined
  /** The last fetch of its keys that failed. */
  readonly lastFailure: Failure | undefined
  /** Questions about opaque tokens; undefined where none are asked. */
  readonly introspections: number | undefined
}

/** How an issuer does, as seen from here. */
export interface IssuerState {
  readonly issuer: string
  /** Fetches of its keys that have ended. */
  readonly keyFetches: number
  readonly failedKeyFetches: number
  /** Milliseconds since the keys in use were fetched; undefined where there are none. */
  readonly keysAge: number | undefined
  /** Questions about opaque tokens; undefined where none are asked. */
  readonly introspections: number | undefined
}

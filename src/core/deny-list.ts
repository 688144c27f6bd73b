import type { Principal } from './principal.ts'

/** What is denied: all tokens of a user (`sub`) or of a client, one token (`jti`), those of a session with the issuer (`sid`). */
export const DENIED_KINDS = ['user', 'client', 'token', 'session'] as const
export type DeniedKind = (typeof DENIED_KINDS)[number]

/** Tokens of one issuer that are refused, although their issuer would still vouch for them. */
export interface Denial {
  readonly kind: DeniedKind
  readonly issuer: string
  /** The subject, client id, `jti` or `sid`. */
  readonly value: string
  /** Only tokens issued before this are refused, in seconds since the epoch; undefined for all. A token without `iat` counts as older. */
  readonly issuedBefore: number | undefined
  /** Milliseconds since the epoch at which the denial ends; undefined for never. */
  readonly expiresAt: number | undefined
}

/** Who denies: logouts of issuers leave room for operators. */
export type DenialSource = 'operator' | 'logout'

/** Tokens that are refused in every process that shares the store, within seconds. */
export interface DenyList {
  /** Whether the store has been read: until then nothing can be said about any token. */
  isLoaded(): boolean
  /** What refuses the tokens of a principal; undefined for nothing. */
  find(principal: Principal): Denial | undefined
  /** @throws ProxyError `store_unavailable`, `deny_list_full` */
  add(denials: readonly Denial[], source: DenialSource): Promise<void>
  /** Ends what refuses all tokens of a user or client, new ones included. Returns whether there was something. */
  lift(kind: DeniedKind, issuer: string, value: string): Promise<boolean>
  /** What is denied now, as far as this process has read it. */
  list(): readonly Denial[]
  close(): void
}

/** Seconds for which old tokens are refused where the configuration sets no lifetime of tokens. */
export const DENIED_SECONDS = 7 * 86_400

/**
 * What was issued until now, for {@link Denial.issuedBefore}. `iat` has whole seconds: what was issued within the second of now counts as older.
 *
 * @param now - milliseconds since the epoch
 */
export function secondAfter(now: number): number {
  return Math.floor(now / 1000) + 1
}

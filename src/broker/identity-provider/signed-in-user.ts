import type { Claims } from '../../core/claim-condition.ts'

/** What binds an answer to its question; kept until the user comes back. */
export interface PendingSignIn {
  readonly state: string
  readonly nonce: string
  readonly verifier: string
  /** When the user was sent away, in seconds since the epoch. */
  readonly sentAt: number
  /** Seconds since when the user must have authenticated at most, counted from then; undefined for any time. */
  readonly maxAge?: number | undefined
  /** The MCP client that the user signs in for. */
  readonly asking?: AskingClient
}

/** An MCP client, as it says of itself, and where the browser is that it sent. */
export interface AskingClient {
  readonly id: string
  readonly name: string
  readonly address: string
}

/** What the identity provider gave us for a user. */
export interface ProviderTokens {
  readonly accessToken: string
  readonly refreshToken: string | undefined
  /** Milliseconds since the epoch; undefined when the provider doesn't say. */
  readonly expiresAt: number | undefined
  /** When the provider last spoke of the user, in milliseconds since the epoch. */
  readonly askedAt?: number
  /** The last ID token; only where the plan keeps them. */
  readonly idToken?: KeptIdToken | undefined
  /** Scopes that were granted; undefined when the provider doesn't say. */
  readonly scopes?: readonly string[] | undefined
}

/** An ID token as it was issued, for those who take it in exchange. */
export interface KeptIdToken {
  readonly token: string
  /** Milliseconds since the epoch. */
  readonly expiresAt: number
}

/** A user whom the identity provider has authenticated. */
export interface SignedInUser {
  /** Unique within the provider, for ever. */
  readonly subject: string
  readonly claims: Claims
  readonly tokens: ProviderTokens
  /** When the user authenticated there, in seconds since the epoch; undefined when the provider doesn't say. */
  readonly authTime?: number | undefined
  /** Names of the claims that the userinfo endpoint gave. */
  readonly fromUserinfo?: readonly string[]
  /** Id of the MCP client through whose own application the user signed in, where each has one. */
  readonly via?: string
}

export type KeepRefreshToken = (refreshToken: string) => Promise<void>

import type { SignedInUser } from '../identity-provider/signed-in-user.ts'

/** How long an access token is taken to be good where the identity provider names no lifetime (RFC 6749 §5.1 leaves that to us). */
const ASSUMED_MS = 3_600_000

/**
 * Whether what the identity provider last said of a user is too old to go on with.
 *
 * @param now - milliseconds since the epoch
 * @param unrefreshedSeconds - for which a word counts at most
 */
export function isWordOver({ tokens }: SignedInUser, now: number, unrefreshedSeconds: number): boolean {
  const { askedAt = 0, expiresAt } = tokens
  return now >= Math.min(expiresAt ?? askedAt + ASSUMED_MS, askedAt + unrefreshedSeconds * 1000)
}

/** Whether the user's access token at the identity provider is known to be over. */
export function isTokenOver({ tokens }: SignedInUser, now: number): boolean {
  return tokens.expiresAt !== undefined && now >= tokens.expiresAt
}

/** Whether an ID token is kept of the user and is over: with most identity providers a refresh brings another one. */
export function isIdTokenOver({ tokens: { idToken } }: SignedInUser, now: number): boolean {
  return idToken !== undefined && now >= idToken.expiresAt
}

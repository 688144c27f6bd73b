/**
 * `open-mcp-auth-proxy/token-verifier`: access tokens, verified as the proxy does it: signature or introspection, issuer, audience, time and
 * type.
 *
 * @example
 * import { createTokenVerifier, findErrorEntry, ProxyError } from 'open-mcp-auth-proxy/token-verifier'
 *
 * const verifier = createTokenVerifier({ issuers: ['https://idp.example.com'], audiences: ['https://mcp.example.com/mcp'] })
 * try {
 *   const { subject, scopes } = await verifier.verify(token)
 * } catch (error) {
 *   if (!(error instanceof ProxyError)) throw error
 *   const { status } = findErrorEntry(error.code) // 401 for `token_*`, 503 for `issuer_unavailable`
 * }
 */

import { type IssuerInput, loadIssuers } from '../config/load-parts.ts'
import type { Principal } from '../core/principal.ts'
import { createTokenVerifier as create } from '../oauth/token-verifier.ts'

// biome-ignore lint/performance/noBarrelFile: an entry of the package, which nothing in it imports
export { ConfigError } from '../config/problem/problem.ts'
export { type ErrorCode, findErrorEntry, ProxyError } from '../core/errors.ts'
export type { IssuerInput, Principal }

/** Whose access tokens are accepted, and for what. */
export interface TokenVerifierOptions {
  /** Written as in the configuration file (`issuers` in docs/configuration.md): an issuer identifier, or an object with more. */
  readonly issuers: readonly IssuerInput[]
  /** Audiences that are accepted, compared without regard to a final slash. Usually the resource identifier alone. At least one. */
  readonly audiences: readonly string[]
  /** Environment variables that hold the secrets which `issuers` names; those of the process by default. */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined
  /** Directory against which files that `issuers` names are resolved; the working directory by default. */
  readonly directory?: string | undefined
  /** Called with a sentence for the operator when an issuer's keys cannot be fetched. Holds no secret. */
  readonly onIssue?: ((message: string) => void) | undefined
}

/** Verifies access tokens. Keys and verified tokens are kept in memory, both bounded. */
export interface TokenVerifier {
  /** What the operator should know of what was configured: choices that weaken something, and what looks like a slip. One line each. */
  readonly notices: readonly string[]
  /**
   * Verifies an access token.
   *
   * @param token - its exact characters, without `Bearer`
   * @returns who calls; times in it are seconds since the epoch
   * @throws ProxyError `token_invalid`, `token_expired`, `token_issuer_unknown`, `token_audience_mismatch`, `token_type_wrong` when the token
   * is not accepted; `issuer_unavailable` when that cannot be found out now
   */
  verify(token: string): Promise<Principal>
  /** Whether tokens of every issuer can be verified without waiting for its keys. */
  isReady(): boolean
  /** Starts to fetch the issuers' keys, so that the first token does not wait for them. */
  warm(): void
  /** Stops the background work. Call it once, at the end. */
  close(): Promise<void>
}

/**
 * Creates a token verifier. Keys are fetched when they are first needed.
 *
 * @param options - see {@link TokenVerifierOptions}
 * @throws ConfigError with every mistake in `issuers`; TypeError without an audience
 */
export function createTokenVerifier({ issuers, audiences, onIssue, ...where }: TokenVerifierOptions): TokenVerifier {
  if (audiences.length === 0) throw new TypeError('a token verifier needs at least one audience')
  const options = { env: where.env ?? process.env, directory: where.directory ?? process.cwd() }
  const { part, notices } = loadIssuers(issuers, options)
  const verifier = create({ issuers: part, audiences, ...(onIssue && { onIssue }) })
  return {
    notices,
    verify: async (token) => verifier.verify(token),
    isReady: verifier.isReady,
    warm: verifier.warm,
    close: verifier.close,
  }
}

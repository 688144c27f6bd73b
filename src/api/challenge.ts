/**
 * `open-mcp-auth-proxy/challenge`: the `WWW-Authenticate` header of a protected resource.
 *
 * @example
 * import { formatChallenge } from 'open-mcp-auth-proxy/challenge'
 *
 * response.writeHead(401, {
 *   'www-authenticate': formatChallenge({
 *     resourceMetadata: 'https://mcp.example.com/.well-known/oauth-protected-resource/mcp',
 *     scopes: ['mcp:tools'],
 *   }),
 * })
 */

import { formatChallenge as format } from '../oauth/challenge.ts'

/** What a challenge says (RFC 6750 §3, RFC 9728 §5.1). */
export interface Challenge {
  /** URL of the protected resource metadata, where the client finds the authorization server. */
  readonly resourceMetadata?: string | undefined
  /** Scopes that the client is to ask for; left out when empty. */
  readonly scopes?: readonly string[] | undefined
  /** Leave it out when the request had no token at all (RFC 6750 §3.1). */
  readonly error?: 'invalid_request' | 'invalid_token' | 'insufficient_scope' | undefined
  /** For developers; never shown to users. */
  readonly errorDescription?: string | undefined
}

/**
 * Writes the value of a `WWW-Authenticate` header. The same challenge always gives the same bytes, because clients detect loops by comparing
 * whole headers. Never throws: characters that cannot stand in a parameter are encoded or replaced by a space, scopes that cannot are left
 * out.
 *
 * @param challenge - what to say
 * @returns one challenge with the scheme `Bearer`
 */
export function formatChallenge({ resourceMetadata, scopes = [], error, errorDescription }: Challenge = {}): string {
  return format({ resourceMetadata, scope: scopes, error, errorDescription })
}

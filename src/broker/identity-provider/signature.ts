import * as oauth from 'oauth4webapi'
import { guard } from './error.ts'

interface SignatureOptions {
  /** Options of every request to the identity provider. */
  readonly request: oauth.HttpRequestOptions<'GET'>
  /** Keys that were fetched before; takes those that are fetched now. */
  readonly jwks: oauth.JWKSCacheInput
}

/**
 * Verifies the signature of a JWT in an answer of the identity provider.
 * TLS already says who sent it (OpenID Connect Core §3.1.3.7, 6); the signature says it whatever stands in between.
 *
 * @param response - an answer that was processed
 * @param what - the JWT is, for the operator
 * @throws IdentityProviderError where the signature is not one of the identity provider's keys, or these cannot be had
 */
export function verifySignature(
  options: SignatureOptions,
  metadata: oauth.AuthorizationServer,
  response: Response,
  what: string,
): Promise<void> {
  return guard(() => verify(options, metadata, response), `the signature of ${what}`)
}

async function verify(
  { request, jwks }: SignatureOptions,
  metadata: oauth.AuthorizationServer,
  response: Response,
): Promise<void> {
  // A copy, because the library also caches keys by this object.
  const verifyWith = (keys: oauth.JWKSCacheInput) =>
    oauth.validateApplicationLevelSignature({ ...metadata }, response, { ...request, [oauth.jwksCache]: keys })
  try {
    await verifyWith(jwks)
  } catch (error) {
    if (!mayBeNewKey(error)) throw error
    // The library reloads only keys that are a minute old, so that for a minute no user could sign in at a provider that
    // has just rotated its keys. The token came from the provider itself, so that no other party can make us load keys.
    const fresh: oauth.JWKSCacheInput = {}
    await verifyWith(fresh)
    Object.assign(jwks, fresh)
  }
}

/** No key of that name, or another one under the name of the last (servers that give their only key a fixed name). */
function mayBeNewKey(error: unknown): boolean {
  if (!(error instanceof oauth.OperationProcessingError)) return false
  return error.code === oauth.KEY_SELECTION || (error.code === oauth.INVALID_RESPONSE && /signature/i.test(error.message))
}

import * as oauth from 'oauth4webapi'
import type { Claims } from '../../core/claim-condition.ts'
import { IdentityProviderError } from './error.ts'
import type { RequestOptions } from './requests.ts'
import { verifySignature } from './signature.ts'

/** Algorithms of signed userinfo: asymmetric ones only, since `none` and shared secrets prove nothing here. */
const ALGORITHMS = ['ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519', 'PS256', 'PS384', 'PS512', 'RS256', 'RS384', 'RS512']

const ADVICE = 'where its ID tokens hold all claims, write identity_provider.userinfo: false'

/** What a userinfo request needs. */
export interface UserinfoOptions {
  readonly client: oauth.Client
  readonly request: RequestOptions
  readonly jwks: oauth.JWKSCacheInput
}

/**
 * The claims of a user at the userinfo endpoint.
 *
 * @param subject - whom they must be about; undefined where no one is known yet
 */
export async function loadUserinfo(
  { client, request, jwks }: UserinfoOptions,
  metadata: oauth.AuthorizationServer,
  accessToken: string,
  subject: string | undefined,
): Promise<Claims> {
  const response = await oauth.userInfoRequest(metadata, client, accessToken, request)
  if (response.status === 403) throw unusable('it refuses the proxy, status 403')
  const isSigned = /^application\/jwt(?:$|[ \t]*;)/i.test(response.headers.get('content-type') ?? '')
  const verifyWith = isSigned ? { ...metadata, userinfo_signing_alg_values_supported: ALGORITHMS } : metadata
  const claims = await readAnswer(() => oauth.processUserInfoResponse(verifyWith, client, subject ?? '', response))
  // OpenID Connect Core §5.3.2.
  if (isSigned) await verifySignature({ request, jwks }, metadata, response, 'the userinfo')
  return claims as Claims
}

async function readAnswer<T>(read: () => Promise<T>): Promise<T> {
  try {
    return await read()
  } catch (error) {
    if (!isWithoutSubject(error)) throw error
    throw unusable('its answer has no sub (OpenID Connect Core §5.3.2)', error)
  }
}

function isWithoutSubject(error: unknown): boolean {
  if (!(error instanceof oauth.OperationProcessingError) || error.code !== oauth.INVALID_RESPONSE) return false
  const { body } = (error.cause ?? {}) as { readonly body?: unknown }
  return typeof body === 'object' && body !== null && typeof (body as { readonly sub?: unknown }).sub !== 'string'
}

function unusable(what: string, cause?: unknown): IdentityProviderError {
  return new IdentityProviderError('unusable', `the userinfo endpoint: ${what}; ${ADVICE}`, { cause })
}

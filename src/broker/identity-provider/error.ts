import * as oauth from 'oauth4webapi'

/** What the identity provider's answers come down to. */
type IdentityProviderErrorKind =
  /** It cannot be reached, or its answer is unusable. */
  | 'unavailable'
  /** Its answer is unusable because of the configuration, here or there. */
  | 'unusable'
  /** It, or the user there, said no. */
  | 'refused'
  /** The user's session with it is over. */
  | 'ended'
  /** It did not confirm that the user has just authenticated. */
  | 'stale'
  /** The answer is not one to what was asked: a mix-up or an attack. */
  | 'suspicious'

/** Why the identity provider was of no help. The message is for the operator's log and holds no secrets. */
export class IdentityProviderError extends Error {
  readonly kind: IdentityProviderErrorKind

  constructor(kind: IdentityProviderErrorKind, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'IdentityProviderError'
    this.kind = kind
  }
}

/**
 * Asks, and has every failure be an {@link IdentityProviderError}.
 *
 * @param where - what of the provider is asked, for the operator
 */
export async function guard<T>(ask: () => Promise<T>, where?: string): Promise<T> {
  try {
    return await ask()
  } catch (error) {
    if (error instanceof IdentityProviderError) throw error
    const { kind, message } = explain(error)
    throw new IdentityProviderError(kind, where === undefined ? message : `${where}: ${message}`, { cause: error })
  }
}

/** Codes of the library for answers to another request. */
const SUSPICIOUS = new Set([oauth.JWT_CLAIM_COMPARISON, oauth.JSON_ATTRIBUTE_COMPARISON, oauth.JWT_TIMESTAMP_CHECK])

/** `invalid_grant` of RFC 6749 §5.2, GitHub’s own words for it, and those of Entra ID for a user who has to be asked something first. */
const OVER = new Set([
  'invalid_grant',
  'bad_refresh_token',
  'bad_verification_code',
  'interaction_required',
  'login_required',
  'consent_required',
])

/** Errors of an authorization response (RFC 6749 §4.1.2.1) that are no word of the user. */
const PASSING = new Set(['server_error', 'temporarily_unavailable'])
const ABOUT_THE_REQUEST = new Set([
  'invalid_request',
  'invalid_scope',
  'invalid_target',
  'request_not_supported',
  'request_uri_not_supported',
  'unauthorized_client',
  'unsupported_response_type',
])

function explainRefusal(code: string): IdentityProviderErrorKind {
  if (PASSING.has(code)) return 'unavailable'
  return ABOUT_THE_REQUEST.has(code) ? 'unusable' : 'refused'
}

/** Errors of the token endpoint (RFC 6749 §5.2) that waiting does not cure: the proxy is not registered there as it should be. */
const ABOUT_THE_CLIENT = new Set([
  'invalid_client',
  'unauthorized_client',
  'unsupported_grant_type',
  'invalid_scope',
  'invalid_target',
])

function explainTokenError(code: string): IdentityProviderErrorKind {
  if (OVER.has(code)) return 'ended'
  return ABOUT_THE_CLIENT.has(code) ? 'unusable' : 'unavailable'
}

function explain(error: unknown): { readonly kind: IdentityProviderErrorKind; readonly message: string } {
  if (error instanceof oauth.AuthorizationResponseError)
    return { kind: explainRefusal(error.error), message: `it answers ${quote(error.error)}` }
  if (error instanceof oauth.UnsupportedOperationError) return { kind: 'unusable', message: error.message }
  if (error instanceof oauth.ResponseBodyError) {
    return { kind: explainTokenError(error.error), message: `it answers ${quote(error.error)}, status ${error.status}` }
  }
  const { code, message } =
    error instanceof Error ? (error as Error & { code?: string }) : { code: undefined, message: String(error) }
  const isSuspicious =
    code !== undefined && (SUSPICIOUS.has(code) || (code === oauth.INVALID_RESPONSE && /iss|state/.test(message)))
  return { kind: isSuspicious ? 'suspicious' : 'unavailable', message: `${message}${formatStatus(error)}` }
}

/** The library has the answer that it could not use, but doesn't say what status that had. */
function formatStatus(error: unknown): string {
  const status = findStatus(error)
  return status === undefined ? '' : `, status ${status}`
}

/** The status of the answer behind a failure; undefined where there was none. */
export function findStatus(error: unknown): number | undefined {
  if (error instanceof oauth.WWWAuthenticateChallengeError) return error.status
  if (!(error instanceof Error)) return undefined
  return error.cause instanceof Response ? error.cause.status : findStatus(error.cause)
}

function quote(text: string): string {
  return JSON.stringify(text.slice(0, 100))
}

import * as oauth from 'oauth4webapi'

/** What the identity provider's answers come down to. */
type Trouble =
  /** It cannot be reached, or answers what nobody can use. */
  | 'unavailable'
  /** It, or the user there, said no. */
  | 'refused'
  /** The user's session with it is over. */
  | 'ended'
  /** The answer is not one to what was asked: a mix-up or an attack. */
  | 'suspicious'

/** Why the identity provider was of no help. The message is for the operator's log and holds no secrets. */
export class IdentityProviderError extends Error {
  readonly trouble: Trouble

  constructor(trouble: Trouble, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'IdentityProviderError'
    this.trouble = trouble
  }
}

/** Asks, and has every failure be an {@link IdentityProviderError}. */
export async function guard<T>(ask: () => Promise<T>): Promise<T> {
  try {
    return await ask()
  } catch (error) {
    throw error instanceof IdentityProviderError ? error : explain(error)
  }
}

/** Codes of the library for answers that belong to somebody else's question. */
const SUSPICIOUS = new Set([oauth.JWT_CLAIM_COMPARISON, oauth.JSON_ATTRIBUTE_COMPARISON, oauth.JWT_TIMESTAMP_CHECK])

/** `invalid_grant` of RFC 6749 §5.2, and GitHub’s own words for it. */
const OVER = new Set(['invalid_grant', 'bad_refresh_token', 'bad_verification_code'])

function explain(error: unknown): IdentityProviderError {
  const cause = { cause: error }
  if (error instanceof oauth.AuthorizationResponseError)
    return new IdentityProviderError('refused', `it answers ${quote(error.error)}`, cause)
  if (error instanceof oauth.ResponseBodyError) {
    const isOver = OVER.has(error.error)
    return new IdentityProviderError(
      isOver ? 'ended' : 'unavailable',
      `it answers ${quote(error.error)}, status ${error.status}`,
      cause,
    )
  }
  const { code, message } =
    error instanceof Error ? (error as Error & { code?: string }) : { code: undefined, message: String(error) }
  const isSuspicious =
    code !== undefined && (SUSPICIOUS.has(code) || (code === oauth.INVALID_RESPONSE && /iss|state/.test(message)))
  return new IdentityProviderError(isSuspicious ? 'suspicious' : 'unavailable', message, cause)
}

function quote(text: string): string {
  return JSON.stringify(text.slice(0, 100))
}

import { errors } from 'undici'
import { ProxyError, type ReasonOf } from '../core/errors.ts'
import { findBearerChallenge } from '../core/read-challenge.ts'
import { isScopeToken } from '../core/scope-token.ts'
import type { UpstreamCredential } from '../core/upstream-credential.ts'
import { EgressError } from '../egress/egress-error.ts'

const RETRY_AFTER_SECONDS = 2

/**
 * An upstream that got the caller's token may refuse it; then the caller has to get another one. A refusal of our credential, or of none, is
 * for the operator to fix.
 */
export function refusedCredential({ kind }: UpstreamCredential): ProxyError {
  const cause = 'the upstream answered 401'
  switch (kind) {
    case 'access_token':
      return new ProxyError('token_invalid', { reason: 'refused_by_upstream', cause })
    case 'none':
    case 'identity_provider':
    case 'delegated':
    case 'own_account':
      return new ProxyError('upstream_refused_credential', { cause })
  }
}

/**
 * An upstream that has an account of the user may want more scopes (RFC 6750 §3.1): those are for the user to give, at the upstream's own
 * authorization server.
 *
 * @param challenge - `WWW-Authenticate` of a 403
 */
export function findMissingScopes({ kind }: UpstreamCredential, challenge: unknown): ProxyError | undefined {
  if (kind !== 'own_account' || typeof challenge !== 'string') return undefined
  const parameters = findBearerChallenge(challenge)?.parameters
  if (parameters?.get('error') !== 'insufficient_scope') return undefined
  const scopes = (parameters.get('scope') ?? '').split(' ').filter(isScopeToken)
  const cause = 'the upstream answered 403 insufficient_scope'
  return new ProxyError('account_required', { reason: 'scopes_missing', scopes: cutScopes(scopes), cause })
}

/** What fits into a link that browsers, clients and proxies pass on. */
const MAX_SCOPE_CHARACTERS = 1024

function cutScopes(scopes: readonly string[]): readonly string[] {
  let characters = 0
  return scopes.filter((scope) => {
    characters += scope.length + 1
    return characters <= MAX_SCOPE_CHARACTERS
  })
}

/** Classifies a failure: an answer that is not HTTP, no connection, or one that ended before the answer did. */
export function describeFailure(error: Error, hasConnection: boolean): ProxyError {
  const unreadable =
    error instanceof errors.HTTPParserError ||
    error instanceof errors.HeadersOverflowError ||
    error instanceof errors.ResponseContentLengthMismatchError ||
    error instanceof errors.InvalidArgumentError ||
    (error as NodeJS.ErrnoException).code === 'ERR_INVALID_CHAR'
  if (unreadable) return invalid('http_invalid', error)
  if (error instanceof EgressError) {
    return new ProxyError('upstream_unreachable', { reason: 'egress_failed', cause: error, retryAfter: RETRY_AFTER_SECONDS })
  }
  const reason = hasConnection ? 'connection_lost' : 'connect_failed'
  return new ProxyError('upstream_unreachable', { reason, cause: error, retryAfter: RETRY_AFTER_SECONDS })
}

export function timeout(cause: unknown): ProxyError {
  return new ProxyError('upstream_timeout', { cause, retryAfter: RETRY_AFTER_SECONDS })
}

export function invalid(reason: ReasonOf<'upstream_invalid_response'>, cause: unknown): ProxyError {
  return new ProxyError('upstream_invalid_response', { reason, cause })
}

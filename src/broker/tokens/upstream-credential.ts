import { ProxyError } from '../../core/errors.ts'
import type { FindCredential } from '../../core/upstream-credential.ts'
import type { Accounts } from '../accounts/accounts.ts'
import { IdentityProviderError } from '../identity-provider/error.ts'
import type { SignedInUser } from '../identity-provider/signed-in-user.ts'
import { findGrantBehind } from './revocation.ts'

/** Finds users' own access tokens of the identity provider, fresh ones. */
export function createCredentialSource(accounts: Accounts): FindCredential {
  return async ({ subject, clientId, claims }) => {
    // A machine that stands for itself is no user, though its name might be one’s (RFC 9068 §5), nor is who acts for it.
    const isSignedIn = findGrantBehind(claims) !== undefined || (subject !== clientId && claims.act === undefined)
    if (!isSignedIn)
      throw new ProxyError('token_invalid', {
        reason: 'no_user',
        cause: 'the token does not belong to a user of the identity provider',
      })
    const user = subject === undefined ? undefined : await findWithToken(accounts, subject)
    if (user === undefined)
      throw new ProxyError('token_invalid', {
        reason: 'identity_provider_session_ended',
        cause: 'the session with the identity provider, or the user’s token, has expired',
      })
    return user.tokens.accessToken
  }
}

async function findWithToken(accounts: Accounts, subject: string): Promise<SignedInUser | undefined> {
  try {
    return await accounts.findWithToken(subject)
  } catch (cause) {
    if (cause instanceof IdentityProviderError) throw new ProxyError('identity_provider_unavailable', { cause, retryAfter: 5 })
    throw cause
  }
}

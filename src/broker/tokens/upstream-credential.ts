import type { Clock } from '../../core/clock.ts'
import { ProxyError } from '../../core/errors.ts'
import type { Principal } from '../../core/principal.ts'
import type { Caller, FindCredential } from '../../core/upstream-credential.ts'
import type { Accounts } from '../accounts/accounts.ts'
import { IdentityProviderError } from '../identity-provider/error.ts'
import type { SignedInUser } from '../identity-provider/signed-in-user.ts'
import { findGrantBehind } from './revocation.ts'

/** What the identity provider issued for users, as it is good now. */
export interface CredentialSource {
  readonly findAccessToken: FindCredential
  /** Kept only where the plan says so (`keepsIdTokens`). */
  readonly findIdToken: FindCredential
}

export function createCredentialSource(accounts: Accounts, clock: Clock): CredentialSource {
  const findUser = createUserFinder(accounts)
  return {
    findAccessToken: async (caller) => (await findUser(caller)).tokens.accessToken,
    async findIdToken(caller) {
      const { idToken } = (await findUser(caller)).tokens
      if (idToken !== undefined && clock.wall() < idToken.expiresAt) return idToken.token
      throw new ProxyError('token_invalid', {
        reason: 'identity_provider_session_ended',
        cause: 'the identity provider gave no ID token for the user, or none with its last answer',
      })
    },
  }
}

function createUserFinder(accounts: Accounts): (caller: Caller) => Promise<SignedInUser> {
  return async ({ principal }) => {
    const user = await findWithToken(accounts, checkSignedIn(principal))
    if (user === undefined)
      throw new ProxyError('token_invalid', {
        reason: 'identity_provider_session_ended',
        cause: 'the session with the identity provider, or the user’s token, has expired',
      })
    return user
  }
}

/**
 * The subject of a user who has signed in.
 *
 * @throws ProxyError `token_invalid`
 */
export function checkSignedIn({ subject, clientId, claims }: Principal): string {
  // A machine that stands for itself is no user, though its name might be one’s (RFC 9068 §5), nor is who acts for it.
  const isSignedIn = findGrantBehind(claims) !== undefined || (subject !== clientId && claims.act === undefined)
  if (isSignedIn && subject !== undefined) return subject
  throw new ProxyError('token_invalid', {
    reason: 'no_user',
    cause: 'the token does not belong to a user of the identity provider',
  })
}

async function findWithToken(accounts: Accounts, subject: string): Promise<SignedInUser | undefined> {
  try {
    return await accounts.findWithToken(subject)
  } catch (cause) {
    if (cause instanceof IdentityProviderError) throw new ProxyError('identity_provider_unavailable', { cause, retryAfter: 5 })
    throw cause
  }
}

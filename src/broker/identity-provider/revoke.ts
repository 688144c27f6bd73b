import * as oauth from 'oauth4webapi'
import type { Session } from './session.ts'
import type { SignedInUser } from './signed-in-user.ts'

/** What became of the tokens of a user. */
export type RevokedAtProvider = 'revoked' | 'no_endpoint' | 'no_token'

/**
 * Revokes what the identity provider gave us for a user. With a refresh token its access tokens go, too (RFC 7009 §2.1).
 *
 * @throws where the identity provider does not do it
 */
export async function revoke(session: Session, { tokens }: SignedInUser): Promise<RevokedAtProvider> {
  const { client, authentication, request, protocol } = session
  const metadata = await protocol.findMetadata()
  if (metadata.revocation_endpoint === undefined) return 'no_endpoint'
  const token = tokens.refreshToken ?? tokens.accessToken
  if (token === '') return 'no_token'
  const hint = tokens.refreshToken === undefined ? 'access_token' : 'refresh_token'
  const options = { ...request, additionalParameters: { token_type_hint: hint } }
  await oauth.processRevocationResponse(await oauth.revocationRequest(metadata, client, authentication, token, options))
  return 'revoked'
}

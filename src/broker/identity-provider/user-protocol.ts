import type * as oauth from 'oauth4webapi'
import type { Claims } from '../../core/claim-condition.ts'
import type { FindMetadata } from './metadata.ts'
import type { RequestOptions } from './requests.ts'
import type { PendingSignIn, SignedInUser } from './signed-in-user.ts'

/** An answer of the token endpoint that the library has processed. */
export interface TokenAnswer {
  readonly response: Response
  readonly tokens: oauth.TokenEndpointResponse
}

/** How an identity provider says who a user is: by OpenID Connect, or by plain OAuth and an endpoint for the user's claims. */
export interface UserProtocol {
  readonly findMetadata: FindMetadata
  /**
   * Parameters of the authorization request beside those of OAuth.
   *
   * @throws IdentityProviderError `stale` where a fresh sign-in is required and the provider cannot confirm it
   */
  describeRequest(pending: PendingSignIn): Readonly<Record<string, string>>
  /** What the answer to an authorization code must contain. */
  expectTokens(pending: PendingSignIn): oauth.ProcessAuthorizationCodeResponseOptions
  /** Verifies the ID token, and returns its claims; undefined without an ID token. */
  verifyIdToken(
    request: RequestOptions,
    metadata: oauth.AuthorizationServer,
    answer: TokenAnswer,
  ): Promise<oauth.IDToken | undefined>
  hasUserinfo(metadata: oauth.AuthorizationServer): boolean
  /**
   * Loads the claims of a user.
   *
   * @param subject - whom they must be about; undefined where no one is known yet
   */
  loadUserinfo(
    request: RequestOptions,
    metadata: oauth.AuthorizationServer,
    accessToken: string,
    subject: string | undefined,
  ): Promise<Claims>
  /**
   * The subject that the claims of a user name.
   *
   * @param expected - the subject that is known already
   */
  readSubject(userinfo: Claims, expected: string | undefined): string
  /** Claims of a user from all that was said: by an ID token, at the userinfo endpoint, and before. */
  mergeClaims(idToken: Claims | undefined, userinfo: Claims, before: SignedInUser | undefined): Claims
}

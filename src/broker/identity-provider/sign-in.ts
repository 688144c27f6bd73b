import * as oauth from 'oauth4webapi'
import { IdentityProviderError } from './error.ts'
import { askForTokens, type Session } from './session.ts'
import type { PendingSignIn, SignedInUser } from './signed-in-user.ts'
import { describeUser, readAuthTime, TOLERANCE_SECONDS } from './user.ts'

/**
 * @param now - milliseconds since the epoch
 * @param maxAge - seconds since when the user must have authenticated at most: 0 for anew, undefined for any time
 */
export function createPendingSignIn(now: number, maxAge: number | undefined): PendingSignIn {
  return {
    sentAt: Math.floor(now / 1000),
    maxAge,
    state: oauth.generateRandomState(),
    nonce: oauth.generateRandomNonce(),
    verifier: oauth.generateRandomCodeVerifier(),
  }
}

export async function createAuthorizationUrl(
  { plan, redirectUri, protocol }: Session,
  pending: PendingSignIn,
  withAnotherAccount: boolean,
): Promise<URL> {
  const { state, verifier } = pending
  const maxAge = findMaxAge(plan, pending.maxAge)
  const parametersOfProtocol = protocol.describeRequest(pending)
  const metadata = await protocol.findMetadata()
  const url = new URL(metadata.authorization_endpoint ?? '')
  if (!/^https?:$/.test(url.protocol))
    throw new IdentityProviderError('suspicious', `an authorization endpoint of scheme ${url.protocol}`)
  const parameters = {
    ...plan.authorizationParameters,
    ...describePrompt(plan.authorizationParameters.prompt, [
      ...(withAnotherAccount ? [plan.accountPrompt ?? choosePrompt(metadata)] : []),
      ...(maxAge === 0 ? ['login'] : []),
    ]),
    // With `prompt=login`, 0 says no more than 1, which servers take that refuse or overlook 0 (Glewlwyd).
    ...(maxAge !== undefined && { max_age: String(Math.max(1, maxAge)) }),
    client_id: plan.clientId,
    redirect_uri: redirectUri,
    response_type: 'code',
    ...(plan.scopes.length > 0 && { scope: plan.scopes.join(' ') }),
    state,
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    ...parametersOfProtocol,
  }
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value)
  return url
}

/** How to ask for the account to be chosen anew: `login` is of OpenID Connect, but Google and plain OAuth providers know another word. */
function choosePrompt(metadata: oauth.AuthorizationServer): string {
  const { prompt_values_supported: supported, id_token_signing_alg_values_supported: isOidc, issuer } = metadata
  const choosesAccount = Array.isArray(supported) && supported.includes('select_account')
  return choosesAccount || isOidc === undefined || issuer === 'https://accounts.google.com' ? 'select_account' : 'login'
}

/** Google gives a refresh token for `consent`; asking which account it is to be must not lose that. */
function describePrompt(configured: string | undefined, more: readonly string[]): { readonly prompt?: string } {
  if (more.length === 0) return {}
  const words = new Set([...(configured?.split(' ') ?? []), ...more])
  words.delete('none')
  return { prompt: [...words].join(' ') }
}

/** What the client asks for, or the configuration, whichever is less. */
function findMaxAge({ authorizationParameters }: Session['plan'], asked: number | undefined): number | undefined {
  const configured = authorizationParameters.max_age
  const ages = [asked, configured === undefined ? undefined : Number(configured)].filter((age) => age !== undefined)
  return ages.length === 0 ? undefined : Math.min(...ages)
}

export async function finishSignIn(session: Session, answer: URLSearchParams, pending: PendingSignIn): Promise<SignedInUser> {
  const { state, verifier } = pending
  const { plan, client, authentication, request, redirectUri, protocol } = session
  const metadata = await protocol.findMetadata()
  // Checks `state` and `iss` (RFC 9207), and throws what the provider gave as `error`.
  const checked = oauth.validateAuthResponse(metadata, client, answer, state)
  const ask = () => oauth.authorizationCodeGrantRequest(metadata, client, authentication, checked, redirectUri, verifier, request)
  const { response, tokens } = await askForTokens(ask, (answer) =>
    oauth.processAuthorizationCodeResponse(metadata, client, answer, protocol.expectTokens(pending)),
  )
  const idToken = await protocol.verifyIdToken(request, metadata, { response, tokens })
  checkAge(readAuthTime(session, idToken), findMaxAge(plan, pending.maxAge), pending)
  return describeUser(session, metadata, { tokens, idToken })
}

/** The browser carries the request: that a fresh sign-in was asked for does not mean that there was one (OpenID Connect Core §3.1.3.7). */
function checkAge(authTime: number | undefined, maxAge: number | undefined, { sentAt }: PendingSignIn): void {
  if (maxAge === undefined) return
  if (authTime === undefined)
    throw new IdentityProviderError('stale', 'the ID token has no auth_time, or one in the future, although max_age was sent')
  if (!(authTime >= sentAt - maxAge - TOLERANCE_SECONDS))
    throw new IdentityProviderError('stale', 'the user authenticated before the fresh sign-in that was requested')
}

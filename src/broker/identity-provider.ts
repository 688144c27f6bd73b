import * as oauth from 'oauth4webapi'
import type { IdentityProviderPlan } from '../core/plan.ts'
import { type Clock, systemClock } from '../oauth/clock.ts'
import type { SafeFetch } from '../oauth/safe-fetch.ts'
import { type Claims, readClaim } from './access-rules.ts'
import { verifyIdTokenSignature } from './id-token-signature.ts'
import { guard, IdentityProviderError } from './identity-provider-error.ts'
import { createMetadataSource, type FindMetadata } from './identity-provider-metadata.ts'
import { createAuthentication, createRequestOptions, type RequestOptions } from './identity-provider-requests.ts'
import { loadPlainClaims } from './plain-claims.ts'

/** What binds an answer to its question; kept until the user comes back. */
export interface PendingSignIn {
  readonly state: string
  readonly nonce: string
  readonly verifier: string
  /** The MCP client that the user signs in for. */
  readonly asking?: AskingClient
}

/** An MCP client, as it says of itself, and where the browser is that it sent. */
export interface AskingClient {
  readonly id: string
  readonly name: string
  readonly address: string
}

/** What the identity provider gave us for a user. */
export interface ProviderTokens {
  readonly accessToken: string
  readonly refreshToken: string | undefined
  /** Milliseconds since the epoch; undefined when the provider doesn't say. */
  readonly expiresAt: number | undefined
  /** Scopes that were granted; undefined when the provider doesn't say. */
  readonly scopes?: readonly string[] | undefined
}

/** Somebody whom the identity provider vouches for. */
export interface SignedInUser {
  /** Unique within the provider, for ever. */
  readonly subject: string
  readonly claims: Claims
  readonly tokens: ProviderTokens
  /** Names of the claims that the userinfo endpoint gave. */
  readonly fromUserinfo?: readonly string[]
  /** Id of the MCP client through whose own application the user signed in, where each has one. */
  readonly via?: string
}

export type KeepRefreshToken = (refreshToken: string) => Promise<void>

/** Signs users in. All methods throw {@link IdentityProviderError}. */
export interface IdentityProvider {
  /** Where to send the user. */
  createAuthorizationUrl(pending: PendingSignIn, wish?: { readonly asSomebodyElse: boolean }): Promise<URL>
  /** Takes the answer with which the user came back. */
  finishSignIn(answer: URLSearchParams, pending: PendingSignIn): Promise<SignedInUser>
  /**
   * Asks for fresh tokens, and whether the user is still who they were.
   *
   * @param keep - keeps a new refresh token as soon as there is one: many providers take the old one for stolen then, whatever
   *   becomes of the questions that follow
   */
  refresh(user: SignedInUser, keep: KeepRefreshToken): Promise<SignedInUser>
}

export interface IdentityProviderOptions {
  readonly plan: IdentityProviderPlan
  readonly redirectUri: string
  readonly door: SafeFetch
  readonly clock?: Clock
}

/**
 * Longest that all questions of a refresh take together. Each has its own bound besides; without this one they could outlast the lock
 * under which users are refreshed, and another process would show the same refresh token.
 */
const REFRESH_MS = 12_000

interface Session {
  readonly plan: IdentityProviderPlan
  readonly redirectUri: string
  readonly client: oauth.Client
  readonly authentication: oauth.ClientAuth
  readonly request: RequestOptions
  readonly jwks: oauth.JWKSCacheInput
  readonly clock: Clock
  readonly findMetadata: FindMetadata
}

export function createIdentityProvider({
  plan,
  redirectUri,
  door,
  clock = systemClock,
}: IdentityProviderOptions): IdentityProvider {
  const request = createRequestOptions(plan, door)
  const session: Session = {
    plan,
    redirectUri,
    client: { client_id: plan.clientId },
    authentication: createAuthentication(plan),
    request,
    jwks: {} as oauth.JWKSCacheInput,
    clock,
    findMetadata: createMetadataSource(plan, request, clock),
  }
  return {
    createAuthorizationUrl: (pending, wish) =>
      guard(() => createAuthorizationUrl(session, pending, wish?.asSomebodyElse === true)),
    finishSignIn: (answer, pending) => guard(() => finishSignIn(session, answer, pending)),
    refresh: (user, keep) => {
      const signal = AbortSignal.timeout(REFRESH_MS)
      return guard(() => refresh({ ...session, request: { ...request, signal } }, user, keep))
    },
  }
}

export function createPendingSignIn(): PendingSignIn {
  return {
    state: oauth.generateRandomState(),
    nonce: oauth.generateRandomNonce(),
    verifier: oauth.generateRandomCodeVerifier(),
  }
}

async function createAuthorizationUrl(
  { plan, redirectUri, findMetadata }: Session,
  { state, nonce, verifier }: PendingSignIn,
  asSomebodyElse: boolean,
): Promise<URL> {
  const metadata = await findMetadata()
  const url = new URL(metadata.authorization_endpoint ?? '')
  if (!/^https?:$/.test(url.protocol))
    throw new IdentityProviderError('suspicious', `an authorization endpoint of scheme ${url.protocol}`)
  const parameters = {
    ...plan.authorizationParameters,
    ...(asSomebodyElse && {
      prompt: addPrompt(plan.authorizationParameters.prompt, plan.accountPrompt ?? choosePrompt(metadata)),
    }),
    client_id: plan.clientId,
    redirect_uri: redirectUri,
    response_type: 'code',
    scope: plan.scopes.join(' '),
    state,
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    ...(plan.oauth === undefined && { nonce }),
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
function addPrompt(configured: string | undefined, more: string): string {
  const words = new Set([...(configured?.split(' ') ?? []), more])
  words.delete('none')
  return [...words].join(' ')
}

async function finishSignIn(
  session: Session,
  answer: URLSearchParams,
  { state, nonce, verifier }: PendingSignIn,
): Promise<SignedInUser> {
  const { plan, client, authentication, request, redirectUri } = session
  const metadata = await session.findMetadata()
  // Checks `state` and `iss` (RFC 9207), and throws what the provider gave as `error`.
  const checked = oauth.validateAuthResponse(metadata, client, answer, state)
  const isOidc = plan.oauth === undefined
  const expected = isOidc ? { expectedNonce: nonce, requireIdToken: true } : {}
  const ask = () => oauth.authorizationCodeGrantRequest(metadata, client, authentication, checked, redirectUri, verifier, request)
  const { response, tokens } = await askForTokens(ask, (answer) =>
    oauth.processAuthorizationCodeResponse(metadata, client, answer, expected),
  )
  if (isOidc) await verifyIdTokenSignature(session, metadata, response)
  return describeUser(session, metadata, tokens)
}

function askForTokens(ask: () => Promise<Response>, read: (answer: Response) => Promise<oauth.TokenEndpointResponse>) {
  return guard(async () => {
    const response = await ask()
    return { response, tokens: await read(response) }
  }, 'the token endpoint')
}

async function refresh(session: Session, user: SignedInUser, keep: KeepRefreshToken): Promise<SignedInUser> {
  const { client, authentication, request, plan } = session
  const { refreshToken } = user.tokens
  if (refreshToken === undefined) throw new IdentityProviderError('ended', 'there is no refresh token')
  const metadata = await session.findMetadata()
  const { response, tokens } = await askForTokens(
    () => oauth.refreshTokenGrantRequest(metadata, client, authentication, refreshToken, request),
    (answer) => oauth.processRefreshTokenResponse(metadata, client, answer),
  )
  const next = tokens.refresh_token ?? refreshToken
  if (next !== refreshToken) await guard(() => keep(next), 'its new refresh token could not be kept')
  if (plan.oauth === undefined && tokens.id_token !== undefined) await verifyIdTokenSignature(session, metadata, response)
  const fresh = await describeUser(session, metadata, tokens, user)
  return { ...fresh, tokens: { ...fresh.tokens, refreshToken: next } }
}

async function describeUser(
  session: Session,
  metadata: oauth.AuthorizationServer,
  answer: oauth.TokenEndpointResponse,
  before?: SignedInUser,
): Promise<SignedInUser> {
  // Of a provider that speaks plain OAuth nothing but its user endpoint counts: nobody has checked the signature of anything else.
  const idClaims = session.plan.oauth === undefined ? oauth.getValidatedIdTokenClaims(answer) : undefined
  const expected = before?.subject ?? idClaims?.sub
  if (before !== undefined && idClaims !== undefined && idClaims.sub !== before.subject)
    throw new IdentityProviderError('suspicious', 'the refreshed ID token is about somebody else')
  const info = await guard(() => loadUserinfo(session, metadata, answer.access_token, expected), 'the userinfo endpoint')
  const subject = session.plan.oauth === undefined && expected !== undefined ? expected : readSubject(session, info)
  // A claim that identifies users may be one that they can change, like an address: then this is nobody whom we know.
  if (expected !== undefined && subject !== expected)
    throw new IdentityProviderError('ended', 'the userinfo endpoint: it speaks of somebody else')
  const isAnew = idClaims !== undefined || session.plan.oauth !== undefined
  const claims = { ...(isAnew ? {} : listLasting(before)), ...idClaims, ...info }
  const expiresIn = answer.expires_in
  return {
    subject,
    claims,
    fromUserinfo: Object.keys(info),
    tokens: {
      accessToken: answer.access_token,
      refreshToken: answer.refresh_token,
      expiresAt: expiresIn === undefined ? undefined : session.clock.wall() + expiresIn * 1000,
      scopes: answer.scope?.split(' ') ?? before?.tokens.scopes,
    },
  }
}

/**
 * What the provider says now counts alone: a group that it no longer names is one that the user left. Only what nothing but an ID token
 * said stays where a refresh brings no other one (OpenID Connect Core §12.2).
 */
function listLasting(before: SignedInUser | undefined): Claims {
  const { claims = {}, fromUserinfo = [] } = before ?? {}
  return Object.fromEntries(Object.entries(claims).filter(([name]) => !fromUserinfo.includes(name)))
}

async function loadUserinfo(
  { client, request, plan }: Session,
  metadata: oauth.AuthorizationServer,
  accessToken: string,
  subject: string | undefined,
): Promise<Claims> {
  if (plan.oauth !== undefined) return loadPlainClaims(plan.oauth, accessToken, request)
  if (metadata.userinfo_endpoint === undefined || !plan.userinfo) return {}
  const response = await oauth.userInfoRequest(metadata, client, accessToken, request)
  return (await oauth.processUserInfoResponse(metadata, client, subject ?? '', response)) as Claims
}

/** Plain OAuth has no subject; a claim that the configuration names is one. */
function readSubject({ plan }: Session, claims: Claims): string {
  const value = readClaim(claims, plan.oauth?.subjectClaim ?? 'sub')
  if ((typeof value === 'string' && value !== '') || typeof value === 'number') return String(value)
  throw new IdentityProviderError(
    'unavailable',
    `the userinfo endpoint: the claim ${plan.oauth?.subjectClaim ?? 'sub'} identifies nobody`,
  )
}

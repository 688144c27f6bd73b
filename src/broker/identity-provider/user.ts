import type * as oauth from 'oauth4webapi'
import type { Claims } from '../../core/claim-condition.ts'
import { findStatus, guard, IdentityProviderError } from './error.ts'
import type { Session } from './session.ts'
import type { KeptIdToken, SignedInUser } from './signed-in-user.ts'

/**
 * A user as the identity provider describes it now.
 *
 * @param idToken - claims of the verified ID token
 * @param before - the user so far, for a refresh
 */
export async function describeUser(
  session: Session,
  metadata: oauth.AuthorizationServer,
  { tokens, idToken }: { readonly tokens: oauth.TokenEndpointResponse; readonly idToken: oauth.IDToken | undefined },
  before?: SignedInUser,
): Promise<SignedInUser> {
  const { protocol, clock, plan } = session
  const expected = before?.subject ?? idToken?.sub
  if (before !== undefined && idToken !== undefined && idToken.sub !== before.subject)
    throw new IdentityProviderError('suspicious', 'the refreshed ID token is about another user')
  const userinfo = protocol.hasUserinfo(metadata) ? await askUserinfo(session, metadata, tokens.access_token, expected) : {}
  const subject = protocol.readSubject(userinfo, expected)
  checkSubject(subject, expected)
  checkOwn(subject)
  const expiresIn = tokens.expires_in
  return {
    subject,
    claims: protocol.mergeClaims(idToken, userinfo, before),
    fromUserinfo: Object.keys(userinfo),
    authTime: readAuthTime(session, idToken),
    tokens: {
      accessToken: tokens.access_token,
      refreshToken: tokens.refresh_token,
      expiresAt: expiresIn === undefined ? undefined : clock.wall() + expiresIn * 1000,
      askedAt: clock.wall(),
      ...(plan.keepsIdTokens === true && { idToken: keepIdToken(tokens.id_token, idToken, before, clock.wall()) }),
      scopes: tokens.scope?.split(' ') ?? before?.tokens.scopes,
    },
  }
}

/** A refresh need not bring a new one (OpenID Connect Core §12.2): then the one before is good until its end. */
function keepIdToken(
  token: string | undefined,
  claims: oauth.IDToken | undefined,
  before: SignedInUser | undefined,
  now: number,
): KeptIdToken | undefined {
  if (token !== undefined && claims !== undefined) return { token, expiresAt: claims.exp * 1000 }
  const kept = before?.tokens.idToken
  return kept !== undefined && now < kept.expiresAt ? kept : undefined
}

function askUserinfo(
  { protocol, request }: Session,
  metadata: oauth.AuthorizationServer,
  accessToken: string,
  subject: string | undefined,
): Promise<Claims> {
  return guard(() => protocol.loadUserinfo(request, metadata, accessToken, subject), 'the userinfo endpoint')
}

/** Tolerated difference between clocks. */
export const TOLERANCE_SECONDS = 30

/** When the user authenticated; undefined also for a time in the future: some providers write milliseconds instead of seconds. */
export function readAuthTime({ clock }: Session, idToken: oauth.IDToken | undefined): number | undefined {
  const time = idToken?.auth_time
  return time !== undefined && time <= clock.wall() / 1000 + TOLERANCE_SECONDS ? time : undefined
}

/** The claim that identifies a user may be one that users can change, such as an address: then this is another user. */
function checkSubject(subject: string, expected: string | undefined): void {
  if (expected !== undefined && subject !== expected)
    throw new IdentityProviderError('ended', 'the userinfo endpoint: it describes another user')
}

/**
 * Subjects of exchanged tokens and of assertions of other issuers carry their issuer in front (`grants/machine-request.ts`). One of the identity
 * provider's own that reads like that, since it is a name which its user chose, would be taken for such a user.
 */
function checkOwn(subject: string): void {
  if (/^[^|]*:\/\/[^|]*\|/.test(subject))
    throw new IdentityProviderError('unusable', 'the subject reads like one of another issuer: a URL and |')
}

/**
 * Confirms a user with the access token alone.
 *
 * @returns undefined where there is no userinfo endpoint to ask
 */
export async function confirmUser(session: Session, user: SignedInUser): Promise<SignedInUser | undefined> {
  const { protocol, clock } = session
  const metadata = await protocol.findMetadata()
  if (!protocol.hasUserinfo(metadata)) return undefined
  const userinfo = await askAgain(session, metadata, user)
  checkSubject(protocol.readSubject(userinfo, user.subject), user.subject)
  const claims = protocol.mergeClaims(undefined, userinfo, user)
  return { ...user, claims, fromUserinfo: Object.keys(userinfo), tokens: { ...user.tokens, askedAt: clock.wall() } }
}

async function askAgain(session: Session, metadata: oauth.AuthorizationServer, user: SignedInUser): Promise<Claims> {
  try {
    return await askUserinfo(session, metadata, user.tokens.accessToken, user.subject)
  } catch (error) {
    if (!(error instanceof IdentityProviderError) || findStatus(error) !== 401) throw error
    // It rejects the access token that it issued for this user (RFC 6750 §3.1).
    throw new IdentityProviderError('ended', error.message, { cause: error })
  }
}

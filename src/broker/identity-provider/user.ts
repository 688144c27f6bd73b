import * as oauth from 'oauth4webapi'
import { type Claims, readClaim } from '../../core/claim-condition.ts'
import { isSaidUnverified } from './access-rules.ts'
import { findStatus, guard, IdentityProviderError } from './error.ts'
import type { Session } from './session.ts'
import type { SignedInUser } from './signed-in-user.ts'
import { loadUserinfo } from './userinfo.ts'

export async function describeUser(
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
  const info = hasUserinfo(session, metadata)
    ? await guard(() => loadUserinfo(session, metadata, answer.access_token, expected), 'the userinfo endpoint')
    : {}
  const subject = readExpectedSubject(session, info, expected)
  checkSubject(subject, expected)
  const isAnew = idClaims !== undefined || session.plan.oauth !== undefined
  const claims = isAnew ? join(idClaims, idClaims, info) : join(listLasting(before), before?.claims, info)
  const expiresIn = answer.expires_in
  return {
    subject,
    claims,
    fromUserinfo: Object.keys(info),
    authTime: readAuthTime(session, idClaims),
    tokens: {
      accessToken: answer.access_token,
      refreshToken: answer.refresh_token,
      expiresAt: expiresIn === undefined ? undefined : session.clock.wall() + expiresIn * 1000,
      askedAt: session.clock.wall(),
      scopes: answer.scope?.split(' ') ?? before?.tokens.scopes,
    },
  }
}

/** How far clocks may be apart. */
export const TOLERANCE_SECONDS = 30

/** When the user authenticated; undefined also where that is yet to come: seconds are meant, and some providers write milliseconds. */
export function readAuthTime({ clock }: Session, claims: oauth.IDToken | undefined): number | undefined {
  const time = claims?.auth_time
  return time !== undefined && time <= clock.wall() / 1000 + TOLERANCE_SECONDS ? time : undefined
}

/**
 * Claims, and what userinfo says, which is newer. That an address was verified is said of that address alone: with another one comes
 * no word on it, unless userinfo has one.
 *
 * @param said - all that was said of the user before
 */
function join(claims: Claims | undefined, said: Claims | undefined, info: Claims): Claims {
  const isOther = info.email !== undefined && info.email !== said?.email
  const isUnsaid = isOther && info.email_verified === undefined && said?.email_verified !== undefined
  return { ...claims, ...info, ...(isUnsaid && { email_verified: false }) }
}

function hasUserinfo({ plan }: Session, metadata: oauth.AuthorizationServer): boolean {
  return plan.oauth !== undefined || (metadata.userinfo_endpoint !== undefined && plan.userinfo)
}

/** The library has compared what OpenID Connect providers say already. */
function readExpectedSubject(session: Session, info: Claims, expected: string | undefined): string {
  if (session.plan.oauth === undefined && expected !== undefined) return expected
  if (session.plan.oauth?.subjectClaim === 'email' && isSaidUnverified(info))
    throw new IdentityProviderError(
      expected === undefined ? 'refused' : 'ended',
      'the userinfo endpoint: the address that names the user is not verified (email_verified)',
    )
  return readSubject(session, info)
}

/** A claim that identifies users may be one that they can change, like an address: then this is nobody whom we know. */
function checkSubject(subject: string, expected: string | undefined): void {
  if (expected !== undefined && subject !== expected)
    throw new IdentityProviderError('ended', 'the userinfo endpoint: it speaks of somebody else')
}

/**
 * Asks whether a user is still who they were, with the access token alone.
 *
 * @returns undefined where there is no userinfo endpoint to ask
 */
export async function confirmUser(session: Session, user: SignedInUser): Promise<SignedInUser | undefined> {
  const metadata = await session.findMetadata()
  if (!hasUserinfo(session, metadata)) return undefined
  const info = await askAgain(session, metadata, user)
  checkSubject(readExpectedSubject(session, info, user.subject), user.subject)
  const claims = session.plan.oauth === undefined ? join(listLasting(user), user.claims, info) : info
  return { ...user, claims, fromUserinfo: Object.keys(info), tokens: { ...user.tokens, askedAt: session.clock.wall() } }
}

async function askAgain(session: Session, metadata: oauth.AuthorizationServer, user: SignedInUser): Promise<Claims> {
  try {
    return await guard(() => loadUserinfo(session, metadata, user.tokens.accessToken, user.subject), 'the userinfo endpoint')
  } catch (error) {
    if (!(error instanceof IdentityProviderError) || findStatus(error) !== 401) throw error
    // It no longer takes the token that it gave for this user (RFC 6750 §3.1).
    throw new IdentityProviderError('ended', error.message, { cause: error })
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

/** Plain OAuth has no subject; a claim that the configuration names is one. */
function readSubject({ plan }: Session, claims: Claims): string {
  const value = readClaim(claims, plan.oauth?.subjectClaim ?? 'sub')
  if ((typeof value === 'string' && value !== '') || Number.isSafeInteger(value)) return String(value)
  throw new IdentityProviderError(
    'unavailable',
    `the userinfo endpoint: the claim ${plan.oauth?.subjectClaim ?? 'sub'} identifies nobody`,
  )
}

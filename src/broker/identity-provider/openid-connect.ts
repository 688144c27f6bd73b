import * as oauth from 'oauth4webapi'
import { type Claims, readClaim } from '../../core/claim-condition.ts'
import type { Clock } from '../../core/clock.ts'
import type { IdentityProviderPlan } from '../../core/plan/identity-provider-plan.ts'
import { createMetadataSource } from './metadata.ts'
import { loadUserinfo } from './openid-userinfo.ts'
import type { RequestOptions } from './requests.ts'
import { verifySignature } from './signature.ts'
import type { SignedInUser } from './signed-in-user.ts'
import { formatSubject } from './subject.ts'
import type { UserProtocol } from './user-protocol.ts'

/** OpenID Connect: ID tokens, and a userinfo endpoint where the metadata names one. */
export function createOpenIdConnect(plan: IdentityProviderPlan, request: RequestOptions, clock: Clock): UserProtocol {
  const client = { client_id: plan.clientId }
  const jwks: oauth.JWKSCacheInput = {}
  return {
    findMetadata: createMetadataSource(plan, request, clock),
    describeRequest: ({ nonce }) => ({ nonce }),
    expectTokens: ({ nonce }) => ({ expectedNonce: nonce, requireIdToken: true }),
    async verifyIdToken(options, metadata, { response, tokens }) {
      if (tokens.id_token !== undefined) await verifySignature({ request: options, jwks }, metadata, response, 'the ID token')
      return oauth.getValidatedIdTokenClaims(tokens)
    },
    hasUserinfo: ({ userinfo_endpoint: endpoint }) => endpoint !== undefined && plan.userinfo,
    loadUserinfo: (options, metadata, accessToken, subject) =>
      loadUserinfo({ client, jwks, request: options }, metadata, accessToken, subject),
    // The library has compared the subject of userinfo with that of the ID token.
    readSubject: (userinfo, expected) => expected ?? formatSubject('sub', readClaim(userinfo, 'sub')),
    mergeClaims: (idToken, userinfo, before) =>
      idToken === undefined
        ? addUserinfo(listIdTokenClaims(before), before?.claims, userinfo)
        : addUserinfo(idToken, idToken, userinfo),
  }
}

/**
 * Claims with those of userinfo, which are newer. An `email_verified` is about one address: with another address it counts no longer,
 * unless userinfo says so.
 *
 * @param known - all claims of the user so far
 */
function addUserinfo(claims: Claims, known: Claims | undefined, userinfo: Claims): Claims {
  const isOther = userinfo.email !== undefined && userinfo.email !== known?.email
  const isUnsaid = isOther && userinfo.email_verified === undefined && known?.email_verified !== undefined
  return { ...claims, ...userinfo, ...(isUnsaid && { email_verified: false }) }
}

/**
 * The claims that came from the ID token alone. They stay where a refresh brings no new ID token (OpenID Connect Core §12.2); a claim
 * that userinfo no longer has, such as a group that the user has left, goes.
 */
function listIdTokenClaims(before: SignedInUser | undefined): Claims {
  const { claims = {}, fromUserinfo = [] } = before ?? {}
  return Object.fromEntries(Object.entries(claims).filter(([name]) => !fromUserinfo.includes(name)))
}

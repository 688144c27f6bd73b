import type * as oauth from 'oauth4webapi'
import { type Claims, readClaim } from '../../core/claim-condition.ts'
import type { PlainOAuthPlan } from '../../core/plan/identity-provider-plan.ts'
import { isSaidUnverified } from './access-rules.ts'
import { IdentityProviderError } from './error.ts'
import { loadPlainClaims } from './plain-oauth-claims.ts'
import { formatSubject } from './subject.ts'
import type { UserProtocol } from './user-protocol.ts'

/** Plain OAuth: no ID tokens that could be trusted, and so only the user endpoint says who a user is. */
export function createPlainOAuth(issuer: string, plan: PlainOAuthPlan): UserProtocol {
  const metadata = describeEndpoints(issuer, plan)
  return {
    findMetadata: () => Promise.resolve(metadata),
    describeRequest({ maxAge }) {
      if (maxAge === undefined) return {}
      throw new IdentityProviderError('stale', 'without OpenID Connect it cannot confirm when the user authenticated')
    },
    expectTokens: () => ({}),
    verifyIdToken: () => Promise.resolve(undefined),
    hasUserinfo: () => true,
    loadUserinfo: (request, _metadata, accessToken) => loadPlainClaims(plan, accessToken, request),
    readSubject(userinfo, expected) {
      checkAddress(plan.subjectClaim, userinfo, expected)
      return formatSubject(plan.subjectClaim, readClaim(userinfo, plan.subjectClaim))
    },
    mergeClaims: (_idToken, userinfo) => userinfo,
  }
}

/** Where users are identified by an address, it must not be one that the provider calls unverified. */
function checkAddress(subjectClaim: string, userinfo: Claims, expected: string | undefined): void {
  if (subjectClaim !== 'email' || !isSaidUnverified(userinfo)) return
  throw new IdentityProviderError(
    expected === undefined ? 'refused' : 'ended',
    'the userinfo endpoint: the address that identifies the user is not verified (email_verified)',
  )
}

function describeEndpoints(issuer: string, plan: PlainOAuthPlan): oauth.AuthorizationServer {
  return {
    issuer,
    authorization_endpoint: plan.authorizationEndpoint,
    token_endpoint: plan.tokenEndpoint,
    userinfo_endpoint: plan.userinfoEndpoint,
  }
}

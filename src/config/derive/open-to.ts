import type { IdentityProviderKind, PlainOAuthPlan } from '../../core/plan/identity-provider-plan.ts'
import { describeKind } from '../../identity/kinds.ts'
import type { IdentityProviderConfig } from '../schema/broker.ts'

/** The endpoints of a provider without OpenID Connect. */
export function createEndpoints({ oauth }: Pick<IdentityProviderConfig, 'oauth'>): PlainOAuthPlan | undefined {
  return (
    oauth && {
      authorizationEndpoint: oauth.authorization_endpoint,
      tokenEndpoint: oauth.token_endpoint,
      userinfoEndpoint: oauth.userinfo_endpoint,
      subjectClaim: oauth.subject_claim,
    }
  )
}

/**
 * Who could sign in without `allow`.
 *
 * @param place - the keys that say where the provider is, without mistakes
 * @returns for people; undefined where the provider knows its users
 */
export function findOpenTo(
  kind: IdentityProviderKind,
  place: Pick<
    Partial<IdentityProviderConfig>,
    'issuer' | 'domain' | 'tenant' | 'organization' | 'base_url' | 'user_pool' | 'oauth'
  >,
): string | undefined {
  return describeKind(kind, { ...place, oauth: createEndpoints(place) }).openTo
}

import type { EgressPlan } from './egress-plan.ts'
import type { OAuthClientPlan } from './oauth-client-plan.ts'

export interface IssuerPlan {
  /** Issuer identifier, compared exactly. */
  readonly issuer: string
  /** Where the metadata is for us, where browsers reach the issuer by another address. */
  readonly metadataUrl: string | undefined
  /** Where the keys are, when metadata should not be asked. */
  readonly jwksUri: string | undefined
  readonly algorithms: readonly string[]
  /** Claims that may name the audience, in this order: `aud`, `client_id`, `azp`. */
  readonly audienceClaims: readonly string[]
  /** Claims that hold scopes; dots reach into objects. Undefined: `scope` and `scp`; `permissions` and `roles` where a token has neither. */
  readonly scopeClaims: readonly string[] | undefined
  /** Scopes by other claims, besides those; left out for none. */
  readonly grant?: readonly GrantRulePlan[] | undefined
  /** Trust domain of SPIFFE whose JWT-SVIDs it signs. */
  readonly trustDomain?: string | undefined
  /** File with the bearer token that metadata and keys are fetched with, read each time. */
  readonly fetchTokenFile?: string | undefined
  readonly groups: GroupsPlan
  readonly clockToleranceSeconds: number
  /** Longest accepted `exp` minus `iat`; undefined for no limit. */
  readonly maxLifetimeSeconds: number | undefined
  /** Seconds for which keys are used while the issuer is down. */
  readonly staleKeysSeconds: number
  /** Seconds after which keys are fetched anew, in the background. */
  readonly refreshKeysSeconds: number
  /** Whether ID tokens pass as access tokens (some providers have nothing else). */
  readonly acceptIdTokens: boolean
  /** Whether addresses that the issuer's metadata names may be private ones although the issuer's own host is public. */
  readonly allowPrivateNetwork: boolean
  /** PEM text of additional certificate authorities. */
  readonly ca: string | undefined
  readonly egress: EgressPlan
  readonly introspection: IntrospectionPlan | undefined
  /** Clients for which it sends logout tokens; undefined where it sends none. */
  readonly logoutClientIds?: readonly string[] | undefined
}

/** Token introspection (RFC 7662) for opaque tokens. */
export interface IntrospectionPlan extends OAuthClientPlan {
  /** Undefined: `introspection_endpoint` of the metadata. */
  readonly endpoint: string | undefined
  /** Longest time for which an active answer is kept; never beyond `exp`. */
  readonly cacheSeconds: number
  readonly negativeCacheSeconds: number
}

/** A claim that has one of the values, or holds one in its list. Texts are compared letter by letter, but for email addresses and domains. */
export interface ClaimCondition {
  /** Name of the claim; dots reach into objects. `email` counts only if it is verified; `email_domain` is its domain. */
  readonly claim: string
  readonly values: readonly string[]
}

/** Scopes for callers with a claim. */
export interface GrantRulePlan {
  /** Undefined: for everyone. */
  readonly when: ClaimCondition | undefined
  readonly scopes: readonly string[]
}

/** Where the groups of a principal are. */
export interface GroupsPlan {
  /** Name of the claim; dots reach into objects. Undefined: the issuer sends none unless the configuration names a claim. */
  readonly claim: string | undefined
  /** Between the groups of a claim that is one text; undefined: the text is one group. */
  readonly separator: string | undefined
  /** What has to be set up at the issuer before it sends groups, where the configuration does not name the claim. */
  readonly setup?: string | undefined
}

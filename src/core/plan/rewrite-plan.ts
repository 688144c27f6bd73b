import type { EgressPlan } from './egress-plan.ts'

/** Requests of the OAuth flow that are passed on to an identity provider with more parameters, as the Go proxy did. */
export interface RewritePlan {
  /** Our own URL, which is the issuer towards clients. */
  readonly publicUrl: string
  /** Issuer of the tokens: the identity provider. */
  readonly issuer: string
  /** Members of the authorization server metadata beside issuer and endpoints. */
  readonly metadata: Readonly<Record<string, unknown>>
  readonly authorization: RewriteEndpointPlan
  readonly token: RewriteEndpointPlan
  /** Undefined where clients cannot register. */
  readonly registration: RewriteEndpointPlan | undefined
  /** Grants that token requests may be for; undefined for any, where the identity provider knows which client may do what. */
  readonly grants: readonly string[] | undefined
  /** Where answers may go, this machine excepted, when all clients are one to the identity provider; undefined where it tells them apart. */
  readonly sharedClient: { readonly redirectUris: readonly string[] } | undefined
  readonly allowPrivateNetwork: boolean
  /** PEM text of additional certificate authorities. */
  readonly ca: string | undefined
  readonly egress: EgressPlan
}

export interface RewriteEndpointPlan {
  /** At the identity provider. */
  readonly url: string
  /** Added to the request, in the place of the client's own of that name. */
  readonly parameters: Readonly<Record<string, string>>
}

import type { EgressPlan } from './egress-plan.ts'
import type { OAuthClientPlan } from './oauth-client-plan.ts'

/** An authorization server that issues tokens for an MCP server, and our client there. */
export interface TokenIssuerPlan extends OAuthClientPlan {
  /** Issuer identifier, compared exactly. */
  readonly issuer: string
  /** Where the metadata is for us; undefined for the well-known URLs of the issuer. */
  readonly metadataUrl: string | undefined
  /** Undefined: `token_endpoint` of the metadata. */
  readonly tokenEndpoint: string | undefined
  /** Whether addresses that the metadata names may be private ones although the issuer's own host is public. */
  readonly allowPrivateNetwork: boolean
  /** PEM text of additional certificate authorities. */
  readonly ca: string | undefined
  readonly egress: EgressPlan
}

/** What the token is for. Empty lists are not sent. */
export interface TokenTargetPlan {
  /** `audience` (RFC 8693 §2.1). */
  readonly audiences: readonly string[]
  /** `resource` (RFC 8707 §2). */
  readonly resources: readonly string[]
  readonly scopes: readonly string[]
}

/** What the caller shows of itself: `access_token`, or `id_token`. */
export type SubjectTokenType = 'access_token' | 'id_token'

/** How the proxy gets a token of another authorization server to call an MCP server with. */
export type DelegationPlan = TokenTargetPlan & { readonly server: TokenIssuerPlan } & (
    | {
        /** Token exchange (RFC 8693 §2). */
        readonly kind: 'token_exchange'
        readonly subjectTokenType: SubjectTokenType
      }
    /** The JWT bearer grant of Entra ID with `requested_token_use=on_behalf_of`. */
    | { readonly kind: 'on_behalf_of' }
    | {
        /** An identity assertion (ID-JAG) of the identity provider, which `server` takes as a grant (RFC 7523 §2.1). */
        readonly kind: 'identity_assertion'
        readonly identityProvider: TokenIssuerPlan
        readonly subjectTokenType: SubjectTokenType
      }
    /** The proxy for itself (RFC 6749 §4.4): the MCP server does not learn who calls. */
    | { readonly kind: 'client_credentials' }
  )

import type { EgressPlan } from './egress-plan.ts'
import type { ClaimCondition, GrantRulePlan, GroupsPlan } from './issuer-plan.ts'

/** Kinds of identity providers. What is special to each is in `identity/`. */
export type IdentityProviderKind =
  | 'asgardeo'
  | 'auth0'
  | 'keycloak'
  | 'okta'
  | 'entra'
  | 'google'
  | 'github'
  | 'cognito'
  | 'oidc'
  | 'oauth'

/** Whom the broker signs users in with. */
export interface IdentityProviderPlan {
  readonly kind: IdentityProviderKind
  /** What the user knows it by. */
  readonly name: string
  /** Issuer identifier, whose metadata is asked for endpoints (OpenID Connect); without metadata where `oauth` names them. */
  readonly issuer: string
  /** Where its metadata is, if it is not where the issuer says. */
  readonly metadataUrl?: string | undefined
  /** Endpoints of a provider that speaks plain OAuth. */
  readonly oauth: PlainOAuthPlan | undefined
  readonly clientId: string
  readonly clientAuthentication:
    | { readonly method: 'client_secret_basic' | 'client_secret_post'; readonly secret: string }
    | { readonly method: 'none' }
  readonly scopes: readonly string[]
  /** Parameters that go to the authorization endpoint besides those of the protocol. */
  readonly authorizationParameters: Readonly<Record<string, string>>
  /** Whether the userinfo endpoint of its metadata is asked for claims. */
  readonly userinfo: boolean
  /** Longest that users go on without its word on them. */
  readonly unrefreshedSeconds: number
  /** Longest to wait for an answer of it. */
  readonly timeoutSeconds: number
  /** How applications at Asgardeo are made, of which one is `clientId` then; undefined where the configuration names one. */
  readonly asgardeo: AsgardeoPlan | undefined
  /** The `prompt` that lets the user choose another account; undefined where its metadata says. */
  readonly accountPrompt: string | undefined
  /** What is done for this kind, for the operator, a sentence or two each. */
  readonly notes: readonly string[]
  readonly allowPrivateNetwork: boolean
  /** PEM text of additional certificate authorities. */
  readonly ca: string | undefined
  readonly egress: EgressPlan
  /** Who may sign in without a relation to the operator, in words for people; undefined where `allow` or the provider narrows it. */
  readonly openTo?: string | undefined
  /** Who may sign in: one of these is enough; empty for everyone. */
  readonly allow: readonly ClaimCondition[]
  /** Which scopes a user may have; undefined for all of them. All rules that match add up. */
  readonly grant: readonly GrantRulePlan[] | undefined
  /** Where the groups of users are. */
  readonly groups: GroupsPlan
  /** Whether ID tokens are kept, since an MCP server gets something in exchange for them. */
  readonly keepsIdTokens?: boolean
  /** Claims of the user that access tokens carry. */
  readonly tokenClaims: readonly string[]
}

/** How the proxy makes its own applications at Asgardeo. */
export interface AsgardeoPlan {
  /** Address of the organization, without a final slash. */
  readonly base: string
  /** The machine-to-machine application that may do so. */
  readonly admin: { readonly clientId: string; readonly clientSecret: string }
  /** One application for everybody, or one for each MCP client. */
  readonly registration: 'application' | 'per_client'
  /** Name of the application, or what the names of all begin with. */
  readonly applicationName: string
  /** API resource whose scopes users have as far as Asgardeo grants them; undefined where Asgardeo has no say in that. */
  readonly api: { readonly resource: string; readonly scopes: readonly string[] } | undefined
  /** Most applications of MCP clients at a time. */
  readonly mostApplications: number
}

export interface PlainOAuthPlan {
  readonly authorizationEndpoint: string
  readonly tokenEndpoint: string
  /** Where the claims of the user are. */
  readonly userinfoEndpoint: string
  /** The claim that identifies the user for ever. */
  readonly subjectClaim: string
  /** Where the user's addresses are, each with `email`, `primary` and `verified`; undefined where there is no such place. */
  readonly emailsEndpoint?: string | undefined
  /** Where the user's organizations are, each with its `login`, which become the claim `organizations`. */
  readonly organizationsEndpoint?: string | undefined
}

import type { BearerMethod, EndpointKind, LegacyClients } from './route-facts.ts'

/**
 * Settled configuration: every default filled in, every secret read, every cross-reference resolved and checked. Frozen. Made by
 * `config/`, used by `app.ts`.
 */
export interface Plan {
  readonly listen: ListenPlan
  /** Origin under which clients reach us, without a trailing slash, for example `https://mcp.example.com`. */
  readonly publicUrl: string
  /** `Host` values that are accepted (host and port, lower case), or `*` for any. */
  readonly allowedHosts: readonly string[] | '*'
  readonly cors: CorsPlan
  readonly limits: LimitsPlan
  /** Addresses or CIDR blocks whose `Forwarded` / `X-Forwarded-*` headers are kept. */
  readonly trustedProxies: readonly string[]
  readonly log: LogPlan
  /** Seconds that running requests get to finish after SIGTERM. */
  readonly drainSeconds: number
  /** Key that seals MCP session ids to their principal; at least 32 bytes. Random for each start unless configured. */
  readonly sessionKey: Buffer
  readonly servers: readonly ServerPlan[]
  /** The authorization server of our own; undefined when users sign in elsewhere. */
  readonly broker: BrokerPlan | undefined
  /** Passes requests of the OAuth flow on; undefined unless a configuration of the Go proxy needs it. */
  readonly rewrite?: RewritePlan | undefined
  /** Things that the operator should know at the start, one line each. */
  readonly notices: readonly string[]
}

export interface ListenPlan {
  readonly host: string
  readonly port: number
  /** PEM texts. */
  readonly tls: { readonly cert: string; readonly key: string } | undefined
}

export interface CorsPlan {
  /** Origins beside our own that may call; `*` for any. */
  readonly allowedOrigins: readonly string[] | '*'
  /** Request headers beside those that MCP needs; lower case. */
  readonly allowedHeaders: readonly string[]
  readonly allowedMethods: readonly string[]
  readonly allowCredentials: boolean
}

export interface LimitsPlan {
  readonly bodyBytes: number
  /** For all long bodies together. */
  readonly bodiesBytes: number
  /** For all that is held between clients and MCP servers that are processes. */
  readonly heldBytes: number
  readonly jsonDepth: number
  readonly batchMembers: number
  /** Seconds for the complete header section. */
  readonly headersSeconds: number
  /** Seconds between two pieces of a request body. */
  readonly bodyIdleSeconds: number
  /** Seconds that a client may take nothing of an answer that waits for it, before it is cut off. */
  readonly stalledClientSeconds: number
}

export interface LogPlan {
  readonly level: 'debug' | 'info' | 'warn' | 'error' | 'silent'
  readonly format: 'json' | 'pretty'
}

export interface ServerPlan {
  readonly name: string
  readonly endpoints: readonly EndpointPlan[]
  readonly issuers: readonly IssuerPlan[]
  /** Accepted audiences: the resource identifiers of this server and what the configuration adds. */
  readonly audiences: readonly string[]
  readonly policy: PolicyPlan
  /** What protected resource metadata publishes; flat. */
  readonly scopesSupported: readonly string[]
  /** What the challenge of a 401 asks for: clients look there first. The base scopes, and `scopes_supported` where it is configured. */
  readonly challengeScopes: readonly string[]
  readonly bearerMethods: readonly BearerMethod[]
  readonly legacyClients: LegacyClients
  readonly forwardAccessToken: boolean
  /** Whether the upstream gets the caller's own token of the identity provider. */
  readonly identityProviderToken: boolean
}

export interface EndpointPlan {
  readonly kind: EndpointKind
  /** Public path, whole and exact, begins with a slash. */
  readonly path: string
  /** Resource identifier of the endpoint. */
  readonly resource: string
  /** The same object for all endpoints that one process serves. */
  readonly upstream: HttpUpstreamPlan | StdioUpstreamPlan
}

/** An MCP server over HTTP. */
export interface HttpUpstreamPlan {
  readonly url: string
  /** Absolute path of the Unix socket on which it listens; undefined for TCP, to where the URL says. */
  readonly socket: string | undefined
  /** Headers that the upstream gets from us (its own credential, for example); names in lower case. */
  readonly headers: Readonly<Record<string, string>>
  readonly connectSeconds: number
  /** Seconds until the response headers; never bounds a stream. */
  readonly responseSeconds: number
  /** Seconds after which a silent event stream gets a comment; 0 for none. */
  readonly heartbeatSeconds: number
  /** Whether a redirect that changes nothing but a final slash is followed. */
  readonly followSlashRedirects: boolean
  /** PEM text of additional certificate authorities. */
  readonly ca: string | undefined
}

/** An MCP server as a child process that speaks over its standard streams. */
export interface StdioUpstreamPlan {
  /** Program and arguments. No shell reads them. */
  readonly command: readonly string[]
  /** Working directory; undefined for our own. */
  readonly workDir: string | undefined
  /** What the child gets besides a minimal environment. */
  readonly env: Readonly<Record<string, string>>
  /** Values that must not stand in the log, should the child write them. */
  readonly secrets: readonly string[]
  /** `session`: nobody shares a process with someone else. `shared`: one process for all clients; for stateless servers. */
  readonly processPer: 'session' | 'shared'
  /** Most processes at a time. */
  readonly maxProcesses: number
  /** Seconds after which a process that nobody uses is ended. */
  readonly idleSeconds: number
  /** Seconds that a server gets to answer its first request. */
  readonly startSeconds: number
  /** Seconds that a request may go without an answer or progress. */
  readonly requestSeconds: number
  /** Longest message of the server, in bytes. */
  readonly maxMessageBytes: number
}

export interface IssuerPlan {
  /** Issuer identifier, compared exactly. */
  readonly issuer: string
  /** Where the keys are, when metadata should not be asked. */
  readonly jwksUri: string | undefined
  readonly algorithms: readonly string[]
  /** Claims that may name the audience, in this order: `aud`, `client_id`, `azp`. */
  readonly audienceClaims: readonly string[]
  /** Claims that hold scopes; dots reach into objects. Undefined: `scope` and `scp`; `permissions` and `roles` where a token has neither. */
  readonly scopeClaims: readonly string[] | undefined
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
  readonly introspection: IntrospectionPlan | undefined
}

/** Token introspection (RFC 7662) for opaque tokens. */
export interface IntrospectionPlan {
  /** Undefined: `introspection_endpoint` of the metadata. */
  readonly endpoint: string | undefined
  readonly clientId: string
  readonly clientAuthentication:
    | { readonly method: 'client_secret_basic' | 'client_secret_post'; readonly secret: string }
    | {
        readonly method: 'private_key_jwt'
        readonly privateKey: string
        readonly algorithm: string
        readonly keyId: string | undefined
      }
  /** Longest time for which an active answer is kept; never beyond `exp`. */
  readonly cacheSeconds: number
  readonly negativeCacheSeconds: number
}

export interface PolicyPlan {
  /** Scopes that every call needs. */
  readonly baseScopes: readonly string[]
  readonly rules: readonly RulePlan[]
  /** Scope → scopes that it implies, transitively closed. */
  readonly hierarchy: Readonly<Record<string, readonly string[]>>
  /** What happens to requests that no rule names. `deny` leaves what every client needs to begin: see `docs/configuration.md`. */
  readonly unlistedOperations: 'permit' | 'deny'
}

/** Scopes that matching operations need besides the base scopes. All matching rules add up. */
export interface RulePlan {
  /** Exact method (`tools/call`), or a family with a star (`tools/*`). */
  readonly method?: string
  /** Pattern of the tool name (`*` matches within a name), method `tools/call`. */
  readonly tool?: string
  readonly prompt?: string
  /** Pattern of the resource URI, methods `resources/read`, `resources/subscribe`, `resources/unsubscribe`. */
  readonly resource?: string
  /** Exact request path. */
  readonly path?: string
  readonly scopes: readonly string[]
}

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
  /** Where answers may go, this machine excepted, when all clients are one to the identity provider; undefined where it tells them apart. */
  readonly sharedClient: { readonly redirectUris: readonly string[] } | undefined
  readonly allowPrivateNetwork: boolean
  /** PEM text of additional certificate authorities. */
  readonly ca: string | undefined
}

export interface RewriteEndpointPlan {
  /** At the identity provider. */
  readonly url: string
  /** Added to the request, in the place of the client's own of that name. */
  readonly parameters: Readonly<Record<string, string>>
}

/** The authorization server of our own, for an identity provider that cannot serve MCP clients itself. */
export interface BrokerPlan {
  /** Issuer identifier: the public URL. */
  readonly issuer: string
  /** How its access tokens are verified. */
  readonly issuerPlan: IssuerPlan
  readonly identityProvider: IdentityProviderPlan
  readonly store: StorePlan
  /** Keys of 32 bytes for what the store holds in secret. The first encrypts, all of them decrypt. */
  readonly encryptionKeys: readonly Buffer[]
  readonly accessTokenSeconds: number
  /** Seconds without use after which a refresh token ends. */
  readonly refreshTokenSeconds: number
  /** Seconds for which a used refresh token may be used again, by whoever never got the answer. */
  readonly refreshGraceSeconds: number
  /** Seconds after which a user signs in anew, whatever was refreshed meanwhile. */
  readonly grantSeconds: number
  /** Seconds for which a browser stays signed in here. */
  readonly browserSeconds: number
  /** Seconds after which tokens are signed with a new key. */
  readonly signingKeySeconds: number
  /** Authorization requests that one address may send within a minute. */
  readonly authorizationsPerMinute: number
  /** Requests to the token and revocation endpoints that one address may send within a minute. */
  readonly tokenRequestsPerMinute: number
  /** Scope → what it permits, in words for the user who is asked. */
  readonly scopeDescriptions: Readonly<Record<string, string>>
  readonly brand: BrandPlan
  readonly registration: RegistrationPlan
  readonly clientMetadata: ClientMetadataPlan
  readonly clients: readonly ClientPlan[]
  /** Whose identity assertions (ID-JAG) clients may show; empty for nobody's. */
  readonly assertionIssuers: readonly IssuerPlan[]
  readonly tokenExchange: TokenExchangePlan
}

/** Whose pages they are, for the users who see them. Images are `data:` URIs. */
export interface BrandPlan {
  readonly company: string | undefined
  readonly logo: string | undefined
  readonly favicon: string | undefined
}

/** Whose access tokens can be exchanged (RFC 8693) besides our own. */
export interface TokenExchangePlan {
  readonly issuers: readonly IssuerPlan[]
  /** Audiences that such tokens may have besides our issuer identifier and our resources. */
  readonly audiences: readonly string[]
}

/** How a client may get tokens. */
export type ClientGrant = 'authorization_code' | 'client_credentials' | 'jwt_bearer' | 'token_exchange'

/** How a client that was registered beforehand shows who it is. */
export type ClientKeysPlan =
  | { readonly method: 'none' }
  | { readonly method: 'client_secret'; readonly secret: string }
  /** Public keys as JWKs. */
  | { readonly method: 'private_key_jwt'; readonly keys: readonly object[] }
  | { readonly method: 'private_key_jwt'; readonly jwksUri: string }

/** Dynamic client registration (RFC 7591). */
export interface RegistrationPlan {
  readonly enabled: boolean
  /** Most registrations at a time. */
  readonly mostClients: number
  /** Registrations that one address may ask for within a minute. */
  readonly perMinute: number
  /** Seconds after which a registration that nobody ever signed in with ends. */
  readonly unusedSeconds: number
  /** Seconds after its last use at which a registration ends. */
  readonly idleSeconds: number
}

/** Client ID metadata documents. */
export interface ClientMetadataPlan {
  readonly enabled: boolean
  /** Whether documents may lie in private networks. */
  readonly allowPrivateNetwork: boolean
  /** PEM text of additional certificate authorities. */
  readonly ca: string | undefined
}

/** A client that was registered beforehand. */
export interface ClientPlan {
  readonly id: string
  readonly name: string
  readonly redirectUris: readonly string[]
  readonly authentication: ClientKeysPlan
  readonly grants: readonly ClientGrant[]
  /** Most that it may have; undefined for no limit of its own, with `client_credentials` for what a server asks of every call. */
  readonly scopes: readonly string[] | undefined
  /** Names of the servers that it may have tokens for; undefined for all of them. */
  readonly servers: readonly string[] | undefined
}

export type StorePlan =
  | { readonly kind: 'memory' }
  | { readonly kind: 'sqlite'; readonly file: string }
  | { readonly kind: 'redis'; readonly url: string; readonly password: string | undefined; readonly prefix: string }

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
  /** Who may sign in without knowing anybody at the provider, for people; undefined where `allow` or the provider narrows it. */
  readonly openTo?: string | undefined
  /** Who may sign in: one of these is enough; empty for everyone. */
  readonly allow: readonly ClaimCondition[]
  /** Which scopes a user may have; undefined for all of them. All rules that match add up. */
  readonly grant: readonly GrantRulePlan[] | undefined
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

/** A claim that has one of the values, or holds one in its list. Texts are compared letter by letter, but for email addresses and domains. */
export interface ClaimCondition {
  /** Name of the claim; dots reach into objects. `email` counts only if it is verified; `email_domain` is its domain. */
  readonly claim: string
  readonly values: readonly string[]
}

export interface GrantRulePlan {
  /** Undefined: for everyone. */
  readonly when: ClaimCondition | undefined
  readonly scopes: readonly string[]
}

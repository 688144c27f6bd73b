import type { BrandPlan } from '../brand.ts'
import type { ClientPlan } from './client-plan.ts'
import type { EgressPlan } from './egress-plan.ts'
import type { IdentityProviderPlan } from './identity-provider-plan.ts'
import type { IssuerPlan } from './issuer-plan.ts'

/** The authorization server of our own, for an identity provider that cannot serve MCP clients itself. */
export interface BrokerPlan {
  /** Issuer identifier: the public URL. */
  readonly issuer: string
  /** How its access tokens are verified. */
  readonly issuerPlan: IssuerPlan
  readonly identityProvider: IdentityProviderPlan
  /** How logout tokens of the identity provider are verified; undefined where it has none for one client of ours. */
  readonly logoutIssuer: IssuerPlan | undefined
  /** Keys of 32 bytes for what the store holds in secret; may be empty where that is memory. The first encrypts, all of them decrypt. */
  readonly encryptionKeys: readonly Buffer[]
  readonly accessTokenSeconds: number
  /** Seconds without use after which a refresh token ends. */
  readonly refreshTokenSeconds: number
  /** Seconds for which a used refresh token may be used again, for a client that did not receive the answer. */
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
  /** Issuers whose identity assertions (ID-JAG) clients may present; empty for none. */
  readonly assertionIssuers: readonly IssuerPlan[]
  readonly tokenExchange: TokenExchangePlan
}

/** Whose access tokens can be exchanged (RFC 8693) besides our own. */
export interface TokenExchangePlan {
  readonly issuers: readonly IssuerPlan[]
  /** Audiences that such tokens may have besides our issuer identifier and our resources. */
  readonly audiences: readonly string[]
}

/** Dynamic client registration (RFC 7591). */
export interface RegistrationPlan {
  readonly enabled: boolean
  /** Most registrations at a time. */
  readonly mostClients: number
  /** Registrations that one address may ask for within a minute. */
  readonly perMinute: number
  /** Seconds after which a registration expires if no user has signed in with it. */
  readonly unusedSeconds: number
  /** Seconds without use after which a registration expires. */
  readonly idleSeconds: number
}

/** Client ID metadata documents. */
export interface ClientMetadataPlan {
  readonly enabled: boolean
  /** Whether documents may lie in private networks. */
  readonly allowPrivateNetwork: boolean
  /** PEM text of additional certificate authorities. */
  readonly ca: string | undefined
  readonly egress: EgressPlan
}

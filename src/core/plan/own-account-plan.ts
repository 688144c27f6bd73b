import type { EgressPlan } from './egress-plan.ts'
import type { OAuthClientPlan } from './oauth-client-plan.ts'

/** A client of ours at the authorization server of an MCP server; `none` for a public one. */
export type AccountClientPlan =
  | OAuthClientPlan
  | { readonly clientId: string; readonly clientAuthentication: { readonly method: 'none' } }

/** The accounts that users have at an MCP server with an authorization server of its own, and how the proxy connects them. */
export interface OwnAccountPlan {
  /** Name of the MCP server in the configuration. */
  readonly server: string
  /** URL of the MCP server, which its metadata must be about (RFC 9728 §3.3). */
  readonly upstreamUrl: string
  /** What the MCP server gets from us besides; names in lower case. */
  readonly headers: Readonly<Record<string, string>>
  /** Issuer identifier of the one authorization server that may be used; undefined for the one that the MCP server names. */
  readonly issuer: string | undefined
  /**
   * Origins of authorization servers that users trust for something else: the proxy and its identity provider. An MCP server that names one
   * would get what it issues, which others may accept as well; so would one whose authorization server has an endpoint there. `issuer` permits that.
   */
  readonly reservedOrigins: readonly string[]
  /** Undefined where the proxy makes itself known: by a metadata document, or by registration. */
  readonly client: AccountClientPlan | undefined
  /** Scopes to ask for; empty for those that the MCP server names. */
  readonly scopes: readonly string[]
  /** Whether what the MCP server names may be in private networks although its own host is public. */
  readonly allowPrivateNetwork: boolean
  /** PEM text of additional certificate authorities. */
  readonly ca: string | undefined
  readonly egress: EgressPlan
}

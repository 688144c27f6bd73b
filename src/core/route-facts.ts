import type { UpstreamCredential } from './upstream-credential.ts'

/** How a client may present its access token (RFC 6750 §2, RFC 9728 `bearer_methods_supported`). */
export type BearerMethod = 'header' | 'body' | 'query'

/**
 * `streamable_http`: the MCP endpoint of 2025-03-26 and later. `sse` and `messages`: the two endpoints of HTTP+SSE (2024-11-05).
 */
export type EndpointKind = 'streamable_http' | 'sse' | 'messages'

/** What a client of a revision older than 2025-03-26 gets. */
export type LegacyClients = 'enforce' | 'signature_only' | 'reject'

/** What clients are told about an endpoint (RFC 9728). */
export interface ProtectedResource {
  /** Resource identifier: the URL that clients configure; no trailing slash. */
  readonly identifier: string
  /** Absolute URL of the protected resource metadata. */
  readonly metadataUrl: string
  /** Path of the protected resource metadata, with the resource's path inserted (RFC 9728 §3.1). */
  readonly metadataPath: string
  readonly authorizationServers: readonly string[]
  readonly scopesSupported: readonly string[]
  readonly bearerMethods: readonly BearerMethod[]
  /** Human-readable name. */
  readonly name: string
}

/** What is settled about a public path that we guard. */
export interface RouteFacts {
  readonly path: string
  readonly kind: EndpointKind
  /** The server's name in logs and messages. */
  readonly server: string
  readonly resource: ProtectedResource
  /** What the challenge of a 401 asks for. */
  readonly challengeScopes: readonly string[]
  /** Every scope that the policy of this server looks at: base scopes, those of rules, and those that expressions name. */
  readonly comparedScopes: ReadonlySet<string>
  readonly legacyClients: LegacyClients
  /** What the upstream gets to act for the caller. */
  readonly credential: UpstreamCredential
  /** For `sse`: public path of the `messages` endpoint of the same server. */
  readonly messagesPath: string | undefined
  /** URL of the endpoint on the upstream, against which its `endpoint` event is resolved. */
  readonly upstreamUrl: string
}

/**
 * What happened beside the calls of MCP servers: the material of the audit log, of counters and of log lines. Never a token, a code or a
 * secret: identifiers only, and causes that we write ourselves.
 */
export type SecurityEvent = EventFacts & EventKind

/** Called when an event happens, synchronously. Never throws. */
export type OnEvent = (event: SecurityEvent) => void

/** What all kinds have in common. */
interface EventFacts {
  /** `success`, a code of the error catalogue, or an error code of OAuth (RFC 6749 §4.1.2.1, §5.2): a bounded set. */
  readonly outcome: string
  /** Why, in words for the operator. */
  readonly detail?: string | undefined
  /** The issuer within which the subject is unique: that of the tokens which the user gets here. */
  readonly issuer?: string | undefined
  readonly subject?: string | undefined
  /** As the request names it: only with `success` it is known to be true. */
  readonly clientId?: string | undefined
  /** Granted scopes; those that were asked for, where nothing was granted. */
  readonly scopes?: readonly string[] | undefined
  /** Identifier of the protected resource. */
  readonly resource?: string | undefined
  /** Name of the MCP server behind the resource. */
  readonly server?: string | undefined
  /** Address of the client, as trusted proxies tell it. */
  readonly address?: string | undefined
  /** Id of the request in which it happened; undefined for what happens by itself. */
  readonly requestId?: string | undefined
}

/** A token that was issued, or was not. */
interface TokenFacts {
  /** The `grant_type` of the request. */
  readonly grantType?: string | undefined
  /** `jti` of an access token, which is no credential. */
  readonly tokenId?: string | undefined
  /** The sign-in and consent behind the token: `grant_id` of access tokens. */
  readonly grantId?: string | undefined
}

export type EventKind =
  /** An authorization request was answered with a code, or refused. */
  | { readonly kind: 'authorization' }
  /** A user came back from the identity provider. */
  | { readonly kind: 'sign_in'; readonly identityProvider?: string | undefined }
  /** A user allowed a client something, or refused to; `remembered` where the user was not asked again. */
  | { readonly kind: 'consent'; readonly remembered?: boolean | undefined; readonly grantId?: string | undefined }
  /** What a sign-in gave has ended, since the identity provider or the configuration no longer lets the user in. */
  | { readonly kind: 'sign_in_ended' }
  | {
      readonly kind: 'registration'
      readonly clientName?: string | undefined
      readonly redirectUris?: readonly string[] | undefined
    }
  /** `token_exchanged`: for one that was presented (RFC 8693). */
  | ({ readonly kind: 'token_issued' | 'token_refreshed' | 'token_exchanged' | 'token_revoked' } & TokenFacts)
  /** A token was asked for with which an MCP server is called; `detail` has the kind and the authorization server. */
  | { readonly kind: 'upstream_token_issued' }
  /** A user connected an account at an MCP server, or tried to; `detail` has its authorization server. */
  | { readonly kind: 'account_connected' }
  /** An account is not connected any more; `detail` says why, or whether it was revoked at its authorization server. */
  | { readonly kind: 'account_ended' }
  /** A refresh token or a code was used twice, so that all that came from it has ended (RFC 9700 §4.14.2). */
  | { readonly kind: 'token_reused'; readonly grantId?: string | undefined }
  /** Another key signs the broker's tokens from now on. */
  | { readonly kind: 'key_rotated'; readonly keyId?: string | undefined }
  /** `changed`: parts of the configuration. */
  | {
      readonly kind: 'reload'
      readonly configurationDigest?: string | undefined
      readonly changed?: readonly string[] | undefined
    }
  /** Path of the action, and what it was asked to act on. */
  | {
      readonly kind: 'admin_action'
      readonly action: string
      readonly parameters?: Readonly<Record<string, string>> | undefined
    }
  | { readonly kind: 'process_started' | 'process_stopped'; readonly version: string }

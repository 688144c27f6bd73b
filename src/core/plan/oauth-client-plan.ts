/** A client of ours at an authorization server, and how it authenticates there (RFC 6749 §2.3.1, RFC 7523 §2.2). */
export interface OAuthClientPlan {
  readonly clientId: string
  readonly clientAuthentication:
    | { readonly method: 'client_secret_basic' | 'client_secret_post'; readonly secret: string }
    | {
        readonly method: 'private_key_jwt'
        readonly privateKey: string
        readonly algorithm: string
        readonly keyId: string | undefined
      }
}

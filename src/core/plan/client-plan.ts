/** How a client may get tokens. */
export type ClientGrant = 'authorization_code' | 'client_credentials' | 'jwt_bearer' | 'token_exchange'

/** How a client that was registered beforehand shows who it is. */
export type ClientKeysPlan =
  | { readonly method: 'none' }
  | { readonly method: 'client_secret'; readonly secret: string }
  /** Public keys as JWKs. */
  | { readonly method: 'private_key_jwt'; readonly keys: readonly object[] }
  | { readonly method: 'private_key_jwt'; readonly jwksUri: string }

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

/** How the MCP server behind an upstream is told who calls. */
export interface IdentityPlan {
  /** Undefined where none is wanted, and for MCP servers that are processes. */
  readonly assertion: AssertionPlan | undefined
  /** Header fields with claims in plain text, names in lower case. */
  readonly plainHeaders: readonly NamedClaim[]
  /** Environment variables with claims, for a process. */
  readonly variables: readonly NamedClaim[]
  /** What `_meta` of each request says besides subject, client and scopes, for a process; undefined over HTTP. */
  readonly metaClaims: readonly string[] | undefined
}

/** A signed assertion in a header of its own. */
export interface AssertionPlan {
  /** `iss`: the public URL of the proxy. */
  readonly issuer: string
  /** `aud`; undefined for the URL of the upstream. */
  readonly audience: string | undefined
  /** Lower case. With `authorization` the assertion is a bearer token. */
  readonly header: string
  /** Longest life. */
  readonly seconds: number
  /** What is told of the caller besides subject, client and scopes. */
  readonly claims: readonly string[]
  /** Whether the assertion says what is called. */
  readonly operation: boolean
  /** PEM or JWK; the first signs, all of them are published. Undefined for keys of the store. */
  readonly keys: readonly { readonly privateKey: string }[] | undefined
}

/** Where a claim of the caller goes. */
export interface NamedClaim {
  readonly name: string
  readonly claim: string
}

/** A row of the error catalogue. */
export interface ErrorEntry {
  /** The HTTP status of the refusal. */
  readonly status: number
  /** The `error` of the challenge (RFC 6750 §3.1). A missing token has none: its challenge stays bare. */
  readonly oauthError?: 'invalid_request' | 'invalid_token' | 'insufficient_scope'
  /**
   * The code of the JSON-RPC error object, where JSON-RPC or MCP defines one for this. Everything else gets one outside the range
   * that JSON-RPC reserves (2026-07-28, basic/index, Error Codes), made from the status: see `jsonRpcCodeOf`.
   */
  readonly jsonRpcCode?: number
  /** What a client is told. */
  readonly message: string
  /**
   * What can be the matter, for alerts: reason → what it means, for the generated documentation. Stable like the code. Where a code has
   * reasons, each refusal names one.
   */
  readonly reasons?: Readonly<Record<string, string>>
  /** What the operator should do, for the generated documentation. */
  readonly remedy: string
}

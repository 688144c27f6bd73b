/** What kind of failure; error codes like those of Node. */
export type EgressErrorCode =
  /** No connection to the egress proxy. */
  | 'EGRESS_PROXY_UNREACHABLE'
  /** It asks for other credentials (407, or 401). */
  | 'EGRESS_PROXY_AUTHENTICATION'
  /** It does not open this tunnel. */
  | 'EGRESS_PROXY_REFUSED'
  /** Its answer is no answer to CONNECT, or there is none. */
  | 'EGRESS_PROXY_INVALID'
  /** It says that the destination cannot be reached. */
  | 'EGRESS_DESTINATION_UNREACHABLE'
  /** The host is one that strangers named, and has no public address that is known here. */
  | 'EGRESS_NAME_REFUSED'

/** No tunnel was opened through the egress proxy. Nothing was sent to the destination. The text holds no secrets and nothing that the egress proxy wrote. */
export class EgressError extends Error {
  override readonly name = 'EgressError'
  readonly code: EgressErrorCode

  constructor(code: EgressErrorCode, message: string) {
    super(message)
    this.code = code
  }
}

/** Asks a user to connect an account at an MCP server. */
export interface AccountQuestion {
  /** Name of the MCP server. */
  readonly server: string
  /** Of a page of ours. It holds no credential, and does nothing for other users. */
  readonly url: string
  /**
   * How the client can show it: an input request in a result (2026-07-28, basic/patterns/mrtr), the error -32042 (2025-11-25,
   * client/elicitation), or an error whose text has the link.
   */
  readonly way: 'input_request' | 'elicitation_error' | 'text'
}

/** In the words of the user. */
export function formatAccountQuestion({ server }: Pick<AccountQuestion, 'server'>): string {
  return `Connect your account at the MCP server “${server}” first.`
}

/** A list of an MCP server about whose changes it can notify. */
export type ChangingList = 'tools' | 'prompts' | 'resources'

/** What client and server declared when they opened an MCP session (`initialize`), as far as later requests of it depend on that. */
export interface DeclaredCapabilities {
  /** Lists for which the server declared `listChanged`. */
  readonly listChanged: readonly ChangingList[]
  /** Whether the client declared elicitation by URL (2025-11-25, client/elicitation, Capabilities). */
  readonly urlElicitation: boolean
}

/** Also where it is not known. */
export const NOTHING_DECLARED: DeclaredCapabilities = Object.freeze({ listChanged: [], urlElicitation: false })

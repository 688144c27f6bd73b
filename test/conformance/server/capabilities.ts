import { CLIENT_CAPABILITIES_META_KEY, type ClientCapabilities } from '@modelcontextprotocol/server'

/** What the client says in this request that it can do (2026-07-28); nothing when it says nothing. */
export function findCapabilities(envelope: object | undefined): ClientCapabilities {
  return (envelope as Record<string, ClientCapabilities> | undefined)?.[CLIENT_CAPABILITIES_META_KEY] ?? {}
}

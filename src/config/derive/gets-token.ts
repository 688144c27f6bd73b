import type { PartialConfig } from '../schema/partial-config.ts'
import type { ServerConfig } from '../schema/server.ts'

type Server = PartialConfig<ServerConfig>

/** Whether an MCP server gets a token that an authorization server issued for it, as `Authorization`. */
export function getsCredential({ credential }: Server): boolean {
  return credential?.kind !== undefined && credential.kind !== 'none'
}

/** Whether an MCP server gets something that only the token of a caller can be made into, so that an access key is of no use there. */
export function needsCallersToken(server: Server): boolean {
  const isOfCaller = getsCredential(server) && server.credential?.kind !== 'client_credentials'
  return server.forward_access_token === true || isOfCaller
}

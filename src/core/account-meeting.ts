import { BROKER_PATHS } from './broker-paths.ts'
import { hashId } from './hash-id.ts'

/**
 * Names the place where an authorization server of an MCP server and we meet: our redirect URI and our client there. No two of them share it.
 *
 * @param server - name of the MCP server
 */
export function nameMeeting(server: string, issuer: string): string {
  return hashId(JSON.stringify([server, issuer])).slice(0, 22)
}

/** The redirect URI. @param origin - our public URL */
export function formatAccountCallback(origin: string, meeting: string): string {
  return `${origin}${BROKER_PATHS.connections.callback}/${meeting}`
}

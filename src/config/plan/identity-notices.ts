import { nameServer } from '../derive/endpoints.ts'
import { findStore, signsWithStoredKeys } from '../derive/storage.ts'
import type { Config } from '../schema/schema.ts'
import type { ServerConfig } from '../schema/server.ts'

/** What the operator should know of how MCP servers are told who calls. */
export function createIdentityNotices(config: Config): string[] {
  const isMemory = findStore(config).value?.kind === 'memory'
  return [...config.servers.flatMap(createPlainNotices), ...(isMemory && signsWithStoredKeys(config) ? [RANDOM_KEYS] : [])]
}

const RANDOM_KEYS =
  'identity: the keys that sign assertions are made at each start, since the store is in memory. MCP servers must fetch them again after a restart; set `key`, or another store, to keep them.'

function createPlainNotices(server: ServerConfig): string[] {
  const names = Object.keys(server.identity?.headers ?? {})
  if (names.length === 0) return []
  return [
    `server ${nameServer(server)}: identity.headers tells the MCP server in ${names.join(', ')} who calls, without a signature: whatever else can reach it can claim to be anyone. Let only the proxy reach it.`,
  ]
}

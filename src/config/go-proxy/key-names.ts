import { ConfigError, namePlace, type Place, renameProblems } from '../problem/problem.ts'

/** Our places, and where the same stands in a file of the Go proxy's format. */
const PLACES: readonly Place[] = [
  [/^public_url/, 'proxy_base_url'],
  [/^identity_provider\.organization/, 'asgardeo.org_name'],
  [/^identity_provider\.base_url/, 'authorization_servers'],
  [/^identity_provider\.admin\.client_id/, 'asgardeo.client_id'],
  [/^identity_provider\.admin\.client_secret/, 'asgardeo.client_secret'],
  [/^(?:identity_provider|broker)/, 'asgardeo'],
  [/^listen\.host/, 'listen_address'],
  [/^listen/, 'listen_port'],
  [/^issuers\[\d+\]\.jwks_uri/, 'jwks_uri'],
  [/^issuers/, 'authorization_servers'],
  [/^rewrite\.(?:authorization|registration|token)_endpoint/, 'default.base_url'],
  [/^rewrite\.metadata/, 'default.path["/.well-known/oauth-authorization-server"].response'],
  [/^rewrite/, 'default.path'],
  [/^servers\[0\]\.issuers/, 'authorization_servers'],
  [/^servers\[0\]\.(?:sse\.)?upstream\.response_timeout_seconds/, 'timeout_seconds'],
  [/^servers\[0\]\.upstream\.(?:command|args)/, 'stdio.user_command'],
  [/^servers\[0\]\.upstream\.env/, 'stdio.env'],
  [/^servers\[0\]\.upstream\.work_dir/, 'stdio'],
  [/^servers\[0\]\.(?:sse\.)?upstream/, 'base_url'],
  [/^servers\[0\]\.path/, 'paths.streamable_http'],
  [/^servers\[0\]\.sse\.path/, 'paths.sse'],
  [/^servers\[0\]\.sse\.messages_path/, 'paths.messages'],
  [/^servers\[0\]\.audience/, 'audience'],
  [/^servers\[0\]\.(?:scopes|rules)/, 'scopes_supported'],
  [/^servers\[0\]\.bearer_methods/, 'bearer_methods_supported'],
]

/** Checks something of a translation; its mistakes are told where their cause stands. */
export function withGoProxyKeyNames<T>(check: () => T): T {
  try {
    return check()
  } catch (error) {
    throw error instanceof ConfigError ? new ConfigError(renameProblems(error.problems, PLACES)) : error
  }
}

/** Where the same stands in a file of the Go proxy's format. */
export function nameGoProxyPlace(path: string): string {
  return namePlace(path, PLACES) ?? path
}

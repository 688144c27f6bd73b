import type { ConfigPath, Mistake } from '../problem/problem.ts'

/** Says more about an unknown key than "unknown"; undefined when there is nothing more to say. */
export type KeyAdvice = (at: ConfigPath, key: string) => Mistake | undefined

/** Keys of the Go proxy's format at the top, and what says the same here. */
const GO_KEYS: Readonly<Record<string, string>> = {
  listen_port: '`listen.port`',
  listen_address: '`listen.host` and `listen.port`',
  base_url: '`upstream` of the server',
  mcp_server_base_url: '`upstream` of the server',
  port: '`listen.port`',
  proxy_base_url: '`public_url`',
  timeout_seconds: '`upstream.response_timeout_seconds` of the server',
  stdio: '`upstream.command` of the server',
  command: '`upstream.command` of the server',
  paths: '`path` and `sse` of the server',
  mcp_paths: '`path` and `sse` of the server',
  transport_mode: '`path` and `sse` of the server',
  auth_server_base_url: '`issuers`',
  asgardeo: '`identity_provider` with `kind: asgardeo`',
  demo: '`identity_provider` with `kind: asgardeo`',
  path_mapping: '`rewrite`, or better `identity_provider`',
  default: '`issuers`',
  jwks_url: '`jwks_uri` of the issuer',
  jwks_uri: '`jwks_uri` of the issuer',
  authorization_servers: '`issuers`',
  resource_identifier: '`audience` of the server',
  audience: '`audience` of the server',
  scopes_supported: '`scopes`, `rules` and `scopes_supported` of the server',
  bearer_methods_supported: '`bearer_methods` of the server',
  protected_resource_metadata: '`issuers`, `audience` and `scopes` of the server',
}

/** Explains keys of the Go proxy's format that stand in a file of ours. */
export function explainForeignKey(at: ConfigPath, key: string): Mistake | undefined {
  const ours = at.length === 0 && Object.hasOwn(GO_KEYS, key) ? GO_KEYS[key] : undefined
  if (ours === undefined) return undefined
  return { reason: 'belongs to the format of the Go proxy, which cannot be mixed with this one', fix: `Use ${ours} instead.` }
}

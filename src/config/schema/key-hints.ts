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

/** Keys by which other programs say where or what an MCP server is. */
const SERVER_KEYS: Readonly<Record<string, string>> = {
  url: '`upstream`',
  target: '`upstream`',
  backend: '`upstream`',
  endpoint: '`upstream`',
  command: '`upstream.command`',
  args: '`upstream.command`',
  env: '`upstream.env`',
  headers: '`upstream.headers`',
}

/** Keys by which other programs say where Redis is, and what says the same here. */
const STORE_KEYS: Readonly<Record<string, string>> = {
  master: '`sentinel.master`',
  master_name: '`sentinel.master`',
  sentinel_master: '`sentinel.master`',
  sentinels: '`sentinel.urls`',
  nodes: '`cluster.urls`',
  host: '`url`',
  port: '`url`',
  address: '`url`',
  db: '`url`, as redis://host:port/number',
  database: '`url`, as redis://host:port/number',
}

/** Keys at the top of files that MCP clients read: Claude and Cursor, VS Code. */
const CLIENT_KEYS: ReadonlySet<string> = new Set(['mcpServers', 'mcp_servers', 'mcp'])
const CLIENT_FILE: Mistake = {
  reason: 'belongs to the configuration of an MCP client, not of this proxy',
  fix: 'Write each server under `servers`, like { path: /mcp, upstream: { command: [npx, -y, some-mcp-server] } }; `env` goes into `upstream`. `open-mcp-auth-proxy init` asks for what else is needed.',
}

/** Keys by which other programs stop verifying certificates, without `_` and `-` and in lower case. */
const UNVERIFIED =
  /^(?:(?:tls|ssl)?(?:insecure|insecureskipverify|skipverify|insecureskiptlsverify|skiptlsverify|verify|verifyssl|verifytls|noverify)|(?:tls)?rejectunauthorized)$/

/** Explains keys of other programs, and of the Go proxy's format, that stand in a file of ours. */
export function explainForeignKey(at: ConfigPath, key: string): Mistake | undefined {
  if (UNVERIFIED.test(key.replace(/[_-]/g, '').toLowerCase()))
    return {
      reason: 'is no key: certificates are always verified',
      fix: 'Name the authority that signed the certificate in `ca_file`, beside the URL or, for Redis, in `store.tls`.',
    }
  const meant = findStoreKey(at, key) ?? findServerKey(at, key)
  if (meant !== undefined) return { reason: 'is not a known key', fix: `Use ${meant} instead.` }
  if (at.length === 0 && CLIENT_KEYS.has(key)) return CLIENT_FILE
  const ours = at.length === 0 && Object.hasOwn(GO_KEYS, key) ? GO_KEYS[key] : undefined
  if (ours === undefined) return undefined
  return { reason: 'belongs to the format of the Go proxy, which cannot be mixed with this one', fix: `Use ${ours} instead.` }
}

function findServerKey(at: ConfigPath, key: string): string | undefined {
  return at.length === 2 && at[0] === 'servers' && Object.hasOwn(SERVER_KEYS, key) ? SERVER_KEYS[key] : undefined
}

function findStoreKey(at: ConfigPath, key: string): string | undefined {
  const block = at.at(-1)
  if (block === 'sentinel') return /^(?:master_?)?name$/.test(key) ? '`master`' : undefined
  return block === 'store' && Object.hasOwn(STORE_KEYS, key) ? STORE_KEYS[key] : undefined
}

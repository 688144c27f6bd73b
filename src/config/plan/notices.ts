import { nameServer } from '../derive/endpoints.ts'
import { findEncryptionKeys, findStore, signsWithStoredKeys } from '../derive/storage.ts'
import { isLoopback } from '../format/formats.ts'
import { quote } from '../problem/problem.ts'
import type { IssuerConfig } from '../schema/issuer.ts'
import type { Config } from '../schema/schema.ts'
import type { ServerConfig } from '../schema/server.ts'
import { createIdentityNotices } from './identity-notices.ts'
import { createIssuerMixNotices } from './issuer-mix-notices.ts'
import { listLiteralSecrets } from './literal-secrets.ts'
import { createOperationNotices } from './operation-notices.ts'

/**
 * What the operator should know at every start: choices that weaken something, and what looks like a slip.
 *
 * @param namePlace - a place, as the author of the file calls it
 */
export function createNotices(config: Config, namePlace: (path: string) => string): string[] {
  return [
    ...listLiteralSecrets(config).map((place) => `${namePlace(place)}: ${LITERAL}`),
    ...createEdgeNotices(config),
    ...createSessionNotices(config),
    ...createReplicaNotices(config),
    ...createSharedPortNotices(config),
    ...createStoreNotices(config),
    ...createIdentityNotices(config),
    ...config.issuers.flatMap(createIssuerNotices),
    ...[config, ...config.servers].flatMap((part) => (part.issuers ?? []).flatMap(createMetadataNotices)),
    ...(config.broker?.token_exchange.issuers ?? []).flatMap(createIssuerNotices),
    ...createOperationNotices('access', config.access),
    ...config.servers.flatMap((server) => [
      ...createOperationNotices(`server ${nameServer(server)}`, server.access, server.rules),
      ...createServerNotices(server),
      ...createTrialNotices(server, config),
      ...createIssuerMixNotices(server, config),
      ...createClientIdNotices(server, server.issuers ?? config.issuers),
      ...(server.issuers ?? []).flatMap(createIssuerNotices),
    ]),
  ]
}

/** A URL that shows metadata in a browser looks like what is asked for. */
function createMetadataNotices({ issuer }: IssuerConfig): string[] {
  const [, start] = /^(.*)\/\.well-known\/(?:openid-configuration|oauth-authorization-server)\/?$/.exec(issuer) ?? []
  if (start === undefined) return []
  return [`issuer ${issuer}: this is the address of metadata. Write the \`issuer\` that it names, mostly ${start}.`]
}

const LITERAL =
  'the configuration contains what looks like a secret; copies and version history would keep it. Write { env: NAME } or { file: path }; pass it to a program with `env`, not as an argument, which every user of the machine can read.'

function createEdgeNotices(config: Config): string[] {
  const notices: string[] = []
  if (config.public_url !== undefined && isOpen(config.public_url)) {
    notices.push(
      `public_url: ${new URL(config.public_url).origin} is http: access tokens are sent unencrypted, and many clients refuse it. Use https.`,
    )
  }
  if (config.trusted_proxies.some((network) => /\/0+$/.test(network))) {
    notices.push(
      'trusted_proxies: every network is trusted, so every caller chooses the address that access keys, limits and the log go by. List the proxies before this one.',
    )
  }
  if (config.allowed_hosts.includes('*')) {
    notices.push('allowed_hosts: "*" accepts every Host header, which lets web pages reach the proxy by DNS rebinding.')
  }
  if (config.admin !== undefined && !isLoopback(config.admin.host))
    notices.push('admin.host: the admin listener can be reached from beyond this machine, and shows its metrics without a token.')
  if (config.cors.allowed_origins.includes('*'))
    notices.push('cors.allowed_origins: "*" lets every web page call the MCP servers.')
  return notices
}

/** Whether MCP sessions can outlive a restart. */
function hasLastingKey(config: Config): boolean {
  return config.session_key !== undefined || (findEncryptionKeys(config).value ?? []).length > 0
}

function createSessionNotices(config: Config): string[] {
  // The MCP sessions of a program end with it, and that with us.
  const isOverHttp = ({ upstream, sse }: ServerConfig) => sse !== undefined || upstream?.url !== undefined
  if (hasLastingKey(config) || !config.servers.some(isOverHttp)) return []
  return [
    'session_key: random at each start, so a restart ends all MCP sessions, and some clients never start a new one; processes behind a load balancer do not accept each other’s sessions. Set it to keep sessions.',
  ]
}

/** Without the broker, access keys, an operator who can revoke anything, limits that replicas count together, or keys for assertions, a store is a slip. */
function createStoreNotices(config: Config): string[] {
  const { store, identity_provider: provider, stored_keys: hasKeys, admin, issuers } = config
  const isUsed =
    (hasKeys && store?.kind !== 'memory') ||
    admin?.token !== undefined ||
    issuers.some(({ backchannel_logout: logout }) => logout !== undefined)
  if (store === undefined || provider !== undefined || isUsed || countsInStore(config) || signsWithStoredKeys(config)) return []
  return ['store: nothing is kept there without an `identity_provider`, `admin.token` or `identity`.']
}

function countsInStore({ store, rate_limits: limits, servers }: Config): boolean {
  return store?.kind === 'redis' && [{ rate_limits: limits }, ...servers].some((part) => part.rate_limits.length > 0)
}

/** What several processes have to know of each other. */
function createReplicaNotices(config: Config): string[] {
  if (config.replicas > 1 && !isStoreShared(config) && isStoreNeeded(config)) return [ALONE]
  if (findStore(config).value?.kind !== 'redis') return []
  return listPrograms(config).map(
    (server) =>
      `server ${server}: its programs belong to one process of the proxy. Where several share the store, have the load balancer send each MCP session (Mcp-Session-Id) to the process that it began with; others answer 404.`,
  )
}

const ALONE =
  'replicas: each process keeps its state in its own memory, so that none knows who signed in, or was shut out, at another. Use `store: { kind: redis }`, or a SQLite file for the processes of one machine.'

/** Without a broker, and without a store that is configured, nothing is kept but in memory. */
function isStoreShared(config: Config): boolean {
  const kind = findStore(config).value?.kind
  return kind === undefined ? config.identity_provider !== undefined : kind !== 'memory'
}

function isStoreNeeded({ identity_provider: provider, admin, issuers, servers }: Config): boolean {
  const all = [...issuers, ...servers.flatMap((server) => server.issuers ?? [])]
  return provider !== undefined || admin?.token !== undefined || all.some((issuer) => issuer.backchannel_logout !== undefined)
}

/** Linux lets any process of the same user join a port of SO_REUSEPORT (socket(7)). */
function createSharedPortNotices(config: Config): string[] {
  const programs = listPrograms(config)
  if (!config.listen.reuse_port || programs.length === 0) return []
  return [
    `listen.reuse_port: the programs of server ${programs.join(', ')} run as the same user and could listen on the same port: a hostile one would get a part of the calls, with their tokens. With socket activation (docs/operations.md) they cannot.`,
  ]
}

/** Names of the servers that are programs. */
function listPrograms({ servers }: Config): string[] {
  return servers.filter(({ upstream }) => upstream?.command !== undefined).map(nameServer)
}

function createIssuerNotices(issuer: IssuerConfig): string[] {
  const name = `issuer ${issuer.issuer}`
  const open = [issuer.jwks_uri, issuer.introspection?.endpoint].filter((url) => url !== undefined).filter(isOpen)
  const notices = open.map(
    (url) =>
      `${name}: ${new URL(url).origin} is fetched over http: an attacker on your private network could decide which tokens are accepted.`,
  )
  if (issuer.accept_id_tokens) {
    notices.push(
      `${name}: accept_id_tokens accepts ID tokens, which are meant for clients and not for servers, as access tokens.`,
    )
  }
  return [...notices, ...createScopeNotices(name, issuer.scope_claims ?? [])]
}

/** Claims of what a user may do at the issuer, whatever client asks. */
const USER_CLAIMS: ReadonlySet<string> = new Set(['permissions', 'roles'])

function createScopeNotices(name: string, scopeClaims: readonly string[]): string[] {
  const others = scopeClaims.filter((claim) => USER_CLAIMS.has(claim))
  if (others.length === 0) return []
  return [
    `${name}: scope_claims counts ${others.join(' and ')} as scopes of every token: each client can then do everything that its user may do, whatever scopes it was granted.`,
  ]
}

/** Whether what is sent to a URL can be read on its way. */
function isOpen(url: string): boolean {
  const { protocol, hostname } = new URL(url)
  return protocol === 'http:' && !isLoopback(hostname)
}

function createServerNotices(server: ServerConfig): string[] {
  const name = `server ${nameServer(server)}`
  const notices: string[] = []
  const risky = server.bearer_methods.filter((method) => method !== 'header')
  if (risky.length > 0) {
    notices.push(
      `${name}: bearer_methods permits access tokens in the ${risky.join(' and ')}, where logs and browser history keep them.`,
    )
  }
  if (server.legacy_clients === 'signature_only') {
    notices.push(
      `${name}: legacy_clients: signature_only accepts tokens without an audience, whatever service they were issued for, from anyone who names an old protocol revision.`,
    )
  }
  if (server.forward_access_token) {
    notices.push(
      `${name}: forward_access_token passes the access tokens of all callers to the MCP server, which could use them elsewhere.`,
    )
  }
  return notices
}

/** A trial that is forgotten protects nothing. */
function createTrialNotices(server: ServerConfig, { access, access_mode: mode }: Config): string[] {
  if ((server.access ?? access) === undefined || (server.access_mode ?? mode) !== 'shadow') return []
  return [
    `server ${nameServer(server)}: access_mode: shadow only logs what \`access\` would refuse, as would_deny: nothing is refused and nothing hidden by it.`,
  ]
}

/** ID tokens have a client id for their audience, and nothing obliges them to say what they are (OpenID Connect Core 1.0 §2). */
function createClientIdNotices(server: ServerConfig, issuers: readonly IssuerConfig[]): string[] {
  if (server.scopes.length > 0 || issuers.length === 0) return []
  const clientIds = server.audience.filter((audience) => !audience.includes(':'))
  if (clientIds.length === 0) return []
  return [
    `server ${nameServer(server)}: audience ${clientIds.map(quote).join(' and ')} may be a client id, and no scope is asked for: an ID token of that client may be accepted as an access token. Add a base scope.`,
  ]
}

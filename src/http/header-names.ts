import { BoundedMap } from '../core/bounded-map.ts'

/** What is done with a request header. */
export type HeaderFate =
  /** Forwarded to the upstream. */
  | 'forward'
  /** Repeats a parameter of a tool (`Mcp-Param-*`): forwarded where the revision defines such headers. */
  | 'param'
  /** Not forwarded: it concerns this connection alone, identifies a caller, or could be mistaken for a header that does. */
  | 'drop'
  /** Read by us, at most once in a request, and then forwarded or not as `forwarded` says. */
  | 'read'
  /** Makes the request ambiguous: another server might determine the length of the body by it. */
  | 'refuse'

export interface HeaderName {
  readonly lower: string
  readonly fate: HeaderFate
  /** For `read`: whether the upstream gets it too. */
  readonly forwarded: boolean
  /** For `read`: its place among {@link READ_HERE}. */
  readonly place: number
}

/** Fields of one connection (RFC 9110 §7.6.1), and those that only a proxy may set. */
const HOP_BY_HOP = [
  'connection',
  'keep-alive',
  'proxy-connection',
  'proxy-authenticate',
  'proxy-authorization',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'http2-settings',
  'expect',
]

/** Fields that we read ourselves, and whether they are forwarded. A second one of any of them is refused. */
const READ_HERE = [
  ['host', false],
  ['origin', false],
  ['connection', false],
  ['content-length', false],
  ['transfer-encoding', false],
  ['content-encoding', false],
  ['upgrade', false],
  ['expect', false],
  ['content-type', true],
  ['mcp-protocol-version', true],
  ['mcp-method', true],
  ['mcp-name', true],
  ['mcp-session-id', false],
  ['last-event-id', true],
] as const

/** Name of a field that we read. */
export type ReadName = (typeof READ_HERE)[number][0]

/** The place of each field that we read: finding it by a number costs nothing in every request. */
export const PLACE_OF = Object.fromEntries(READ_HERE.map(([name], place) => [name, place])) as Readonly<Record<ReadName, number>>

/**
 * Fields by which applications behind proxies learn who is calling and from where: the names that well-known proxies, gateways, meshes and
 * frameworks use. Only we may send them. Secrets of a client for the upstream (`X-Api-Key`, `X-GitHub-Token`) are not among them.
 */
const IDENTITY = new Set([
  'auth-cn',
  'auth-email',
  'auth-groups',
  'auth-mail',
  'auth-user',
  'client-ip',
  'cookie',
  'cookie2',
  'dapr-caller-app-id',
  'do-connecting-ip',
  'fly-client-ip',
  'forwarded',
  'incap-client-ip',
  'iv-creds',
  'iv-groups',
  'iv-user',
  'true-client-ip',
  'fastly-client-ip',
  'via',
  // CGI and its successors turn this into `HTTP_PROXY`.
  'proxy',
  'proxy-client-ip',
  'proxy-remote-user',
  'sm-universalid',
  'teleport-jwt-assertion',
  'thanos-tenant',
  'x-access-token',
  'x-accel-redirect',
  'x-anonymous-consumer',
  'x-authorization',
  'x-azure-fdid',
  'x-azure-socketip',
  'x-client-ip',
  'x-cluster-client-ip',
  'x-email',
  'x-endpoint-api-userinfo',
  'x-grafana-id',
  'x-grafana-user',
  'x-groups',
  'x-host',
  'x-http-method',
  'x-http-method-override',
  'x-id-token',
  'x-mcp-authorized',
  'x-method-override',
  'x-nf-client-connection-ip',
  'x-permissions',
  'x-principal',
  'x-real-ip',
  'x-rewrite-url',
  'x-role',
  'x-roles',
  'x-scheme',
  'x-scope',
  // The tenant, in Mimir, Loki and Tempo.
  'x-scope-orgid',
  'x-scopes',
  'x-sendfile',
  'x-serverless-authorization',
  'x-subject',
  'x-user',
  'x-userid',
  'x-userinfo',
  'x-username',
  'x-vercel-forwarded-for',
  'x-vercel-proxied-for',
])
const IDENTITY_PREFIXES = [
  'cf-access-',
  'cf-client-cert-',
  'cf-connecting-',
  // RFC 9440.
  'client-cert',
  'forwarded-',
  'impersonate-',
  'kubeflow-',
  'l5d-',
  'mellon-',
  'ngrok-auth-',
  'oidc-',
  'remote-',
  // Snowflake.
  'sf-context-',
  'shib-',
  'sm-user',
  'ssl-client-',
  'tailscale-',
  'wl-proxy-',
  'x-amzn-mtls-',
  'x-amzn-oidc-',
  'x-apigateway-',
  'x-appengine-',
  'x-arr-',
  'x-auth-',
  'x-authenticated-',
  'x-authentik-',
  'x-azure-client',
  'x-client-cert',
  'x-client-dn',
  'x-client-ssl',
  'x-client-verify',
  'x-consumer-',
  'x-credential-',
  'x-envoy-',
  'x-forward',
  'x-goog-authenticated-',
  'x-goog-iap-',
  'x-hasura-',
  'x-jwt-',
  'x-mcp-proxy-',
  'x-ms-client-principal',
  'x-ms-token-',
  'x-oidc-',
  'x-original-',
  'x-originating-',
  'x-pomerium-',
  // OpenSearch.
  'x-proxy-ext-',
  'x-proxy-roles',
  'x-proxy-user',
  'x-proxyuser-',
  'x-remote-',
  'x-replit-user-',
  'x-sandstorm-',
  'x-ssl-',
  'x-tls-client-',
  'x-token-subject',
  'x-token-user-',
  'x-user-',
  'x-vouch-',
  'x-webauth-',
]

/** Known names: every request has the same dozen. Bounded in number and length, since clients choose them. */
const known = new BoundedMap<string, HeaderName>(1000)
const MAX_KNOWN_LENGTH = 64

/** The names at each place of the last header section: a client sends the same names in the same order each time. */
const lastNames: string[] = []
const lastFound: HeaderName[] = []

/**
 * Classifies a header by its name as sent.
 *
 * @param place - number of the field in its header section, fewer than a hundred
 */
export function findHeaderName(raw: string, place: number): HeaderName {
  const last = lastFound[place]
  if (last !== undefined && lastNames[place] === raw) return last
  const found = findAnywhere(raw)
  if (raw.length > MAX_KNOWN_LENGTH) return found
  lastNames[place] = raw
  lastFound[place] = found
  return found
}

function findAnywhere(raw: string): HeaderName {
  const found = known.get(raw)
  if (found) return found
  const name = classify(raw.toLowerCase())
  if (raw.length <= MAX_KNOWN_LENGTH) known.set(raw, name)
  return name
}

function classify(lower: string): HeaderName {
  const place = READ_HERE.findIndex(([name]) => name === lower)
  if (place >= 0) return { lower, fate: 'read', forwarded: READ_HERE[place]?.[1] === true, place }
  if (/^(?:contentlength|transferencoding)$/.test(lower.replace(/[^a-z0-9]/g, '')))
    return { lower, fate: 'refuse', forwarded: false, place }
  // Tools may name their parameters with every character that a header name can have (2026-07-28, streamable-http, Custom Headers from Tool Parameters).
  if (lower.startsWith('mcp-param-')) return { lower, fate: 'param', forwarded: true, place }
  return { lower, fate: isDropped(lower) ? 'drop' : 'forward', forwarded: true, place }
}

function isDropped(lower: string): boolean {
  // Frameworks turn `-` into `_` and back, or fold punctuation: `X_Forwarded_User` must not arrive where `X-Forwarded-User` would not.
  if (!/^[a-z0-9]+(?:-[a-z0-9]+)*$/.test(lower)) return true
  return HOP_BY_HOP.includes(lower) || IDENTITY.has(lower) || IDENTITY_PREFIXES.some((prefix) => lower.startsWith(prefix))
}

/** Fields that must not be made to disappear by naming them in `Connection`. */
export function mustNotBeHopByHop(lower: string): boolean {
  const { fate } = findAnywhere(lower)
  return lower === 'authorization' || (fate !== 'forward' && !HOP_BY_HOP.includes(lower)) || lower.startsWith('mcp-')
}

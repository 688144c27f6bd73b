/** What becomes of a request header on its way in. */
export type HeaderFate =
  /** Goes on to the upstream. */
  | 'forward'
  /** Does not: it concerns this connection alone, identifies someone, or could be mistaken for a header that does. */
  | 'drop'
  /** Read by us, at most once in a request, and then forwarded or not as `forwarded` says. */
  | 'read'

export interface HeaderName {
  readonly lower: string
  readonly fate: HeaderFate
  /** For `read`: whether the upstream gets it too. */
  readonly forwarded: boolean
}

/** Fields of one connection (RFC 9110 §7.6.1), and those that only a proxy may set. */
const hopByHop = [
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

/** Fields that we read ourselves. A second one of any of them makes the request ambiguous. */
const readHere = new Map<string, boolean>([
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
])

/** Fields by which applications behind proxies learn who is calling, whence and for what. Only we may say that. */
const identity = new Set([
  'cookie',
  'cookie2',
  'forwarded',
  'remote-user',
  'via',
  'x-real-ip',
  'x-client-ip',
  'x-cluster-client-ip',
  'true-client-ip',
  'cf-connecting-ip',
  'fastly-client-ip',
  'x-user',
  'x-email',
  'x-groups',
  'x-rewrite-url',
  'x-http-method',
  'x-http-method-override',
  'x-method-override',
  'x-access-token',
  'x-id-token',
  'x-authorization',
  'x-accel-redirect',
  'x-sendfile',
])
const identityPrefixes = [
  'x-forwarded-',
  'x-original-',
  'x-auth-',
  'x-authenticated-',
  'x-remote-',
  'x-webauth-',
  'x-goog-authenticated-',
  'x-goog-iap-',
  'x-amzn-oidc-',
  'x-ms-client-principal',
  'x-ms-token-',
  'x-user-',
  'x-envoy-',
  'x-mcp-proxy-',
]

/** Names seen so far: the same dozen comes with every request. Bounded, since strangers choose names. */
const known = new Map<string, HeaderName>()
const maxKnown = 1000

/** Classifies a header by its name as it stood in the request. */
export function findHeaderName(raw: string): HeaderName {
  const found = known.get(raw)
  if (found) return found
  const name = classify(raw.toLowerCase())
  if (known.size < maxKnown) known.set(raw, name)
  return name
}

function classify(lower: string): HeaderName {
  const forwarded = readHere.get(lower)
  if (forwarded !== undefined) return { lower, fate: 'read', forwarded }
  return { lower, fate: isDropped(lower) ? 'drop' : 'forward', forwarded: true }
}

function isDropped(lower: string): boolean {
  // Frameworks turn `-` into `_` and back: `X_Forwarded_User` must not arrive where `X-Forwarded-User` would not.
  if (/[^a-z0-9-]/.test(lower)) return true
  return hopByHop.includes(lower) || identity.has(lower) || identityPrefixes.some((prefix) => lower.startsWith(prefix))
}

/** Fields that must not be made to disappear by naming them in `Connection`. */
export function mustNotBeHopByHop(lower: string): boolean {
  const { fate } = findHeaderName(lower)
  return lower === 'authorization' || (fate !== 'forward' && !hopByHop.includes(lower)) || lower.startsWith('mcp-')
}

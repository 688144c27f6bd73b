import type { CorsPlan } from '../core/plan/plan.ts'
import type { ReplyHeaders } from '../core/reply.ts'

/** Request headers that MCP clients send (2026-07-28, streamable-http; RFC 9449 for DPoP). */
const MCP_REQUEST_HEADERS = [
  'authorization',
  'content-type',
  'accept',
  'mcp-protocol-version',
  'mcp-session-id',
  'last-event-id',
  'mcp-method',
  'mcp-name',
  'dpop',
]
/** `Mcp-Param-*` cannot be allowed with a star while credentials are used, so each is named back. */
const PARAM_HEADER = /^mcp-param-[a-z0-9!#$%&'*+.^_`|~-]{1,64}$/
const EXPOSED_HEADERS = 'WWW-Authenticate, Mcp-Session-Id, MCP-Protocol-Version, DPoP-Nonce, Retry-After, X-Request-Id'
const PREFLIGHT_SECONDS = '600'

/** Lets an accepted origin read the answer. */
export function formatCorsHeaders(origin: string, plan: CorsPlan): ReplyHeaders {
  const headers: ReplyHeaders = {
    'access-control-allow-origin': origin,
    'access-control-expose-headers': EXPOSED_HEADERS,
    vary: 'Origin',
  }
  if (plan.allowCredentials) headers['access-control-allow-credentials'] = 'true'
  return headers
}

/**
 * The answer to a preflight (Fetch, CORS-preflight request), before authentication: browsers send it without a token.
 *
 * @param requested - `Access-Control-Request-Headers`
 */
export function formatPreflight(
  origin: string,
  requested: string | undefined,
  methods: readonly string[],
  plan: CorsPlan,
): ReplyHeaders {
  const permitted = (requested ?? '')
    .split(',')
    .map((name) => name.trim().toLowerCase())
    .filter((name) => isPermittedHeader(name, plan))
  return {
    ...formatCorsHeaders(origin, plan),
    'access-control-allow-methods': [...new Set([...methods, ...plan.allowedMethods])].join(', '),
    'access-control-allow-headers': [...new Set([...MCP_REQUEST_HEADERS, ...plan.allowedHeaders, ...permitted])].join(', '),
    'access-control-max-age': PREFLIGHT_SECONDS,
    vary: 'Origin, Access-Control-Request-Headers',
  }
}

function isPermittedHeader(name: string, plan: CorsPlan): boolean {
  return PARAM_HEADER.test(name) || plan.allowedHeaders.includes(name)
}

/** Metadata is public: any page may read it, none with credentials. */
export const PUBLIC_CORS_HEADERS: Readonly<Record<string, string>> = {
  'access-control-allow-origin': '*',
  'access-control-allow-methods': 'GET, HEAD, OPTIONS',
  'access-control-allow-headers': 'MCP-Protocol-Version, Content-Type, Accept, Authorization',
}

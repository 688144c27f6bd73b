import type { EndpointRequest } from '../core/endpoint-request.ts'
import { type ErrorCode, findErrorEntry } from '../core/errors.ts'
import { REWRITE_PATHS } from '../core/rewrite-paths.ts'

const NO_SNIFF = { 'x-content-type-options': 'nosniff' } as const

/** Nothing here depends on cookies, so any page may ask and read (Fetch standard, CORS protocol). */
export const allowEverybody = { 'access-control-allow-origin': '*', ...NO_SNIFF } as const

/** Answers a preflight. Only headers that OAuth and MCP clients send are let through. */
export function answerPreflight({ response }: EndpointRequest, methods: readonly string[]): void {
  const headers = {
    ...allowEverybody,
    'access-control-allow-methods': [...methods, 'OPTIONS'].join(', '),
    'access-control-allow-headers': 'authorization, content-type, accept, mcp-protocol-version',
    'access-control-max-age': '600',
  }
  response.writeHead(204, headers).end()
}

/** What OAuth calls our refusals (RFC 6749 §5.2). */
const OAUTH_ERRORS: Partial<Record<ErrorCode, string>> = { identity_provider_unavailable: 'temporarily_unavailable' }

/** Refuses in the words of OAuth, and says in the log why. */
export function sendOAuthError(
  incoming: EndpointRequest,
  code: ErrorCode,
  cause: unknown,
  more: Readonly<Record<string, string>> = {},
): void {
  incoming.note(code, cause)
  const { status, message } = findErrorEntry(code)
  const error = OAUTH_ERRORS[code] ?? 'invalid_request'
  // No CORS where browsers are sent (RFC 9700 §2.6).
  const common = incoming.path === REWRITE_PATHS.authorization ? NO_SNIFF : allowEverybody
  const headers = { ...common, 'content-type': 'application/json', 'cache-control': 'no-store', connection: 'close', ...more }
  incoming.response.writeHead(status, headers).end(JSON.stringify({ error, error_description: message }))
}

/** @param methods - that the endpoint has, for `Allow` (RFC 9110 §15.5.6) */
export function refuseMethod(incoming: EndpointRequest, methods: readonly string[]): void {
  sendOAuthError(incoming, 'method_not_allowed', `${methods[0]} is needed`, { allow: methods.join(', ') })
}

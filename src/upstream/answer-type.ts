import type { Call } from '../core/call.ts'
import type { ReplyHeaders } from '../core/reply.ts'

/**
 * Whether nothing that the call sends has an answer: notifications and responses of Streamable HTTP ("202 Accepted with no body",
 * 2025-11-25, basic/transports, Sending Messages). HTTP+SSE answers in its stream, and what it says beside that is read by nobody.
 */
export function awaitsNothing({ method, route, operations }: Call): boolean {
  return method === 'POST' && route.kind === 'streamable_http' && !operations.some(({ kind }) => kind === 'request')
}

/**
 * Whether a response is a page, which no answer of MCP is. That of a proxy on the way, or of another application at that address, would
 * reach clients as the MCP server's word, and under our name.
 */
export function isPage({ 'content-type': type }: ReplyHeaders): boolean {
  return typeof type === 'string' && type !== 'application/json' && /^(?:text\/html|application\/xhtml\+xml)\b/i.test(type)
}

/** The response to what awaits none, whatever the upstream's success says beside it. */
export function formatAcknowledgment(headers: ReplyHeaders): [status: 202, headers: ReplyHeaders] {
  const { 'content-type': _type, 'content-encoding': _encoding, 'content-language': _language, ...kept } = headers
  return [202, { ...kept, 'content-length': '0' }]
}

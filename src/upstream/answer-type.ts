import type { Call } from '../core/call.ts'
import type { ReplyHeaders } from '../core/reply.ts'

/** What a client waits for: the answer to a request, nothing (notifications and responses), or whatever comes of another method. */
export type Awaited = 'answer' | 'nothing' | 'anything'

/** HTTP+SSE answers in its stream, and what it says beside that is read by nobody. */
export function findAwaited({ method, route, operations }: Call): Awaited {
  if (method !== 'POST' || route.kind !== 'streamable_http') return 'anything'
  return operations.some(({ kind }) => kind === 'request') ? 'answer' : 'nothing'
}

const PAGE = /^(?:text\/html|application\/xhtml\+xml)\b/i
/** "The server MUST either return `Content-Type: text/event-stream` or `Content-Type: application/json`" (streamable-http, Sending Messages). */
const ANSWER = /^(?:application\/json|text\/event-stream)\b/i

/**
 * What makes a success none of MCP's. The page of a proxy on the way, or what another application at that address says, would reach
 * clients as the MCP server's word, and under our name. One that states no type is left to them: it may well have no body.
 */
export function findForeignType({ 'content-type': type }: ReplyHeaders, awaited: Awaited): string | undefined {
  if (type === undefined || type === 'application/json') return undefined
  if (typeof type !== 'string') return 'two content types'
  if (PAGE.test(type)) return 'a page (text/html)'
  return awaited === 'answer' && !ANSWER.test(type) ? `an answer of type ${JSON.stringify(type.slice(0, 100))}` : undefined
}

/** The response to what awaits none ("202 Accepted with no body", streamable-http, Sending Messages), whatever the upstream's success says beside it. */
export function formatAcknowledgment(headers: ReplyHeaders): [status: 202, headers: ReplyHeaders] {
  const { 'content-type': _type, 'content-encoding': _encoding, 'content-language': _language, ...kept } = headers
  return [202, { ...kept, 'content-length': '0' }]
}

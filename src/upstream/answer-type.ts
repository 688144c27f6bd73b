import type { Call } from '../core/call.ts'
import type { ReplyHeaders } from '../core/reply.ts'

/** What a client waits for: the answer to a request, nothing (notifications and responses), or anything, for other methods. */
export type Awaited = 'answer' | 'nothing' | 'anything'

/** HTTP+SSE answers in its stream. Clients ignore the response to a POST there. */
export function findAwaited({ method, route, operations }: Call): Awaited {
  if (method !== 'POST' || route.kind !== 'streamable_http') return 'anything'
  return operations.some(({ kind }) => kind === 'request') ? 'answer' : 'nothing'
}

const PAGE = /^(?:text\/html|application\/xhtml\+xml)\b/i
/** "The server MUST either return `Content-Type: text/event-stream` or `Content-Type: application/json`" (streamable-http, Sending Messages). */
const ANSWER = /^(?:application\/json|text\/event-stream)\b/i

/**
 * Explains why a success is not from an MCP server. Otherwise the page of a proxy in between, or the response of another application at that
 * address, would reach clients as the MCP server's answer, under our name. A response without a type passes, since it may have no body.
 */
export function findForeignType({ 'content-type': type }: ReplyHeaders, awaited: Awaited): string | undefined {
  if (type === undefined || type === 'application/json') return undefined
  if (typeof type !== 'string') return 'two content types'
  if (PAGE.test(type)) return 'a page (text/html)'
  return awaited === 'answer' && !ANSWER.test(type) ? `an answer of type ${JSON.stringify(type.slice(0, 100))}` : undefined
}

/** The response to messages without an answer: "202 Accepted with no body" (streamable-http, Sending Messages), even if the upstream sends more. */
export function formatAcknowledgment(headers: ReplyHeaders): [status: 202, headers: ReplyHeaders] {
  const { 'content-type': _type, 'content-encoding': _encoding, 'content-language': _language, ...kept } = headers
  return [202, { ...kept, 'content-length': '0' }]
}

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
 * Why a successful response is none that MCP knows. A page of a proxy on the way, or of another application at that address, would reach
 * clients as the MCP server's word, and under our name.
 *
 * @param status - 200 to 299
 */
export function findAnswerFlaw(isAwaited: boolean, status: number, headers: ReplyHeaders): string | undefined {
  const type = headers['content-type']
  if (type === 'application/json') return isAwaited ? undefined : findBodyFlaw(status, headers)
  if (typeof type === 'string' && /^(?:text\/html|application\/xhtml\+xml)\b/i.test(type)) return 'a page (text/html)'
  return isAwaited ? undefined : findBodyFlaw(status, headers)
}

/** Whether it is known only from the body that there is none. */
export function mayHaveBody(isAwaited: boolean, status: number, headers: ReplyHeaders): boolean {
  return !isAwaited && status < 300 && !isBodiless(status) && headers['content-length'] === undefined
}

export const bodyToNotification = 'a body in answer to a notification'

function findBodyFlaw(status: number, headers: ReplyHeaders): string | undefined {
  const length = headers['content-length']
  return isBodiless(status) || length === undefined || Number(length) === 0 ? undefined : bodyToNotification
}

/** What stands behind 202 is read by nobody, and some servers write "Accepted". */
function isBodiless(status: number): boolean {
  return status === 202 || status === 204
}

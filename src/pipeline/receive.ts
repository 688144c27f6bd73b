import type { EndpointHandler } from '../core/endpoint-request.ts'
import { ProxyError } from '../core/errors.ts'
import { addParties } from '../core/request-parties.ts'
import { lingerOverUnreadBody } from '../http/discard-body.ts'
import { packBody } from '../http/pack-body.ts'
import type { RequestHead } from '../http/request-head.ts'
import type { Exchange } from './exchange.ts'
import { checkRecordable } from './record-outcomes.ts'

/**
 * Hands a request to a part of our own that answers for itself.
 *
 * @throws ProxyError `audit_unavailable`, `body_too_large`
 */
export async function receive(exchange: Exchange, head: RequestHead, handle: EndpointHandler): Promise<void> {
  const { edge, request, response, record } = exchange
  checkRecordable(edge)
  if ((head.contentLength ?? 0) > edge.limits.bodyBytes) throw new ProxyError('body_too_large')
  limitBody(exchange)
  // Readers give up a body that is too long. Behind a load balancer, the next request on the connection may be that of another user.
  lingerOverUnreadBody(request, response, edge.clock)
  // Libraries read the target again, and would take an absolute form for another path and for our own name.
  request.url = head.query === undefined ? head.path : `${head.path}?${head.query}`
  response.setHeader('x-request-id', record.requestId)
  await handle({
    request,
    response,
    path: head.path,
    requestId: record.requestId,
    address: record.clientAddress,
    note(code, cause) {
      record.code = code
      record.cause = cause
    },
    noteParties(parties) {
      record.parties = addParties(record.parties, parties)
    },
  })
}

/** Bodies here are short: one that isn't complete in time never will be. */
function limitBody({ edge, request, response }: Exchange): void {
  if (request.complete) return
  packBody(request)
  const stop = edge.clock.after(edge.limits.bodyIdleSeconds * 1000, () => {
    if (!request.complete) request.destroy()
  })
  response.on('close', stop)
}

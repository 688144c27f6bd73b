import type { RequestFacts } from '../core/decision.ts'
import type { RoutedCall } from '../core/route.ts'
import { decodeBody } from '../http/body.ts'
import { findClientAddress } from '../http/forwarded.ts'
import { createArgumentFinder } from '../mcp/call-arguments.ts'
import type { Exchange } from './exchange.ts'

/** What policy may ask about a call. Nothing is read before it is asked for: most policies ask for none of it. */
export function createRequestFacts({ edge, record, request }: Exchange, call: RoutedCall): RequestFacts {
  const { operations, body } = call
  return {
    server: call.route.server,
    revision: call.revision,
    get address() {
      return findClientAddress(record.remoteAddress, request.rawHeaders, edge.forwarded)
    },
    now: edge.clock.wall,
    readArguments: createArgumentFinder(operations, () => (body === undefined ? '' : decodeBody(body)), edge.limits),
  }
}

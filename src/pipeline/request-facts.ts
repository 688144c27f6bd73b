import type { RequestFacts } from '../core/decision.ts'
import type { Operation } from '../core/operation.ts'
import type { RoutedCall } from '../core/route.ts'
import { decodeBody } from '../http/body.ts'
import { findClientAddress } from '../http/forwarded.ts'
import { listArguments, mayHaveArguments } from '../mcp/call-arguments.ts'
import type { Exchange } from './exchange.ts'

/** What policy may ask about a call. Nothing is read before it is asked for: most policies ask for none of it. */
export function createRequestFacts({ edge, record, request }: Exchange, call: RoutedCall): RequestFacts {
  let listed: readonly (string | undefined)[] | undefined
  return {
    server: call.route.server,
    revision: call.revision,
    get address() {
      return findClientAddress(record.remoteAddress, request.rawHeaders, edge.forwarded)
    },
    now: edge.clock.wall,
    readArguments(operation) {
      if (call.body === undefined) return undefined
      listed ??= listArguments(decodeBody(call.body), edge.limits)
      return listed[findPosition(call.operations, operation)]
    },
  }
}

/** Which of the operations with arguments it is. Each of those is a message of its own. */
function findPosition(operations: readonly Operation[], operation: Operation): number {
  const position = operations.filter(({ method }) => mayHaveArguments(method)).indexOf(operation)
  if (position < 0) throw new Error('an operation that is not of this call')
  return position
}

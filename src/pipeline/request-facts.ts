import type { ListFacts, RequestFacts } from '../core/decision.ts'
import type { RoutedCall } from '../core/route.ts'
import { decodeBody } from '../http/body.ts'
import { createArgumentFinder, cutSpans, listArguments } from '../mcp/call-arguments.ts'
import type { Exchange } from './exchange.ts'

/** What policy may ask about a call. Nothing is read before it is asked for: most policies ask for none of it. */
export function createRequestFacts(exchange: Exchange, call: RoutedCall): RequestFacts {
  const { operations, argumentSpans, body } = call
  // Without a body there is nothing to tell, and the error refuses.
  const list = (): readonly (string | undefined)[] => {
    if (body !== undefined && argumentSpans !== undefined) return cutSpans(decodeBody(body), argumentSpans)
    return listArguments(body === undefined ? '' : decodeBody(body), exchange.edge.limits)
  }
  return {
    ...createListFacts(exchange, call),
    readArguments: createArgumentFinder(operations, list),
  }
}

/** What policy may ask about the answer to a call, whose arguments say nothing of the items of a list. */
export function createListFacts({ edge, record }: Exchange, { route, revision }: RoutedCall): ListFacts {
  return {
    path: route.path,
    server: route.server,
    revision,
    address: record.clientAddress,
    now: edge.clock.wall,
  }
}

import type { Sender } from '../core/reading-thread.ts'
import { decodeBody } from '../http/body.ts'
import { findAskedRevision, type ParsedBody, parseMessages } from '../mcp/messages.ts'
import { findTraceContext } from '../mcp/trace-context.ts'
import { restoreRefusal } from './body-outcome.ts'
import type { Exchange } from './exchange.ts'
import { nameUser } from './load-body.ts'
import { longBodies } from './long-bodies.ts'

/** A refusal takes the ids of its requests from what is left here while the body is read, and from the record afterwards. */
export function readShortBody(exchange: Exchange, body: Buffer): ParsedBody {
  const text = decodeBody(body)
  exchange.unreadText = text
  const messages = parseMessages(text, exchange.edge.limits)
  exchange.trace?.setContextOfBody(findTraceContext(text))
  exchange.unreadText = undefined
  noteMessages(exchange, messages)
  return messages
}

/** The same in a thread of its own. @throws ProxyError, also `client_gone` */
export async function readLongBody(exchange: Exchange, body: Buffer): Promise<ParsedBody> {
  const { limits } = exchange.edge
  const outcome = await keepRoom(exchange, (sender) => longBodies.read(body, limits, sender))
  if (outcome.kind === 'parsed') {
    exchange.trace?.setContextOfBody(outcome.traceContext)
    noteMessages(exchange, outcome.messages)
    return outcome.messages
  }
  exchange.unreadIds = outcome.ids
  throw restoreRefusal(outcome)
}

/** The room of a body is kept until it was read, even if its client leaves: otherwise clients that leave could fill the memory. */
export async function keepRoom<T>(exchange: Exchange, read: (sender: Sender) => Promise<T>): Promise<T> {
  const { response, releaseBody } = exchange
  exchange.releaseBody = undefined
  try {
    return await read({ user: nameUser(exchange), hasLeft: () => response.closed })
  } finally {
    if (response.closed) releaseBody?.()
    else exchange.releaseBody = releaseBody
  }
}

function noteMessages(exchange: Exchange, messages: ParsedBody): void {
  exchange.record.operations = messages.operations
  exchange.record.askedRevision = findAskedRevision(messages, exchange.record.revision ?? '')
  exchange.isBatch = messages.isBatch
}

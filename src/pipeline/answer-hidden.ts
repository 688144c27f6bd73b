import type { ProxyError } from '../core/errors.ts'
import type { Operation } from '../core/operation.ts'
import { formatUnknownTarget } from '../mcp/unknown-target.ts'
import type { Exchange } from './exchange.ts'

/** `Invalid Request` of JSON-RPC, for what is refused because of another message of the batch. */
const NOT_PROCESSED = '{"code":-32600,"message":"Not processed: another message of the batch was refused"}'

/**
 * Answers a call of something that is hidden as MCP servers answer one of a name that does not exist. Each request of a batch gets its own
 * error.
 *
 * Over HTTP+SSE the answer comes on the event stream. Where that is at another process, or its client does not read, the status of the
 * message says that there is no answer to wait for.
 */
export function answerHidden(exchange: Exchange, { hidden = [] }: ProxyError): void {
  const { response, record, isBatch, route, answerHeaders } = exchange
  const requests = record.operations.filter(({ kind, id }) => kind === 'request' && id !== undefined)
  const ids = [...new Set(requests.map(({ id }) => id))]
  // Of several with one id the first.
  const hiddenById = new Map(hidden.toReversed().map((operation) => [operation.id, operation]))
  const answers = ids.map((id) => {
    const operation = hiddenById.get(id)
    return `{"jsonrpc":"2.0","id":${id},"error":${formatError(operation, record.revision ?? '')}}`
  })
  const isAnswered = answers.length === 0 || sendOnStream(exchange, answers)
  const body = isAnswered ? '' : isBatch ? `[${answers.join(',')}]` : (answers[0] ?? '')
  response.writeHead(isAnswered ? 202 : route?.kind === 'messages' ? 400 : 200, {
    'x-request-id': record.requestId,
    ...answerHeaders,
    ...(!isAnswered && { 'content-type': 'application/json' }),
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    'content-length': String(Buffer.byteLength(body)),
  })
  response.end(body)
}

/** @returns false where this process does not have the stream, or its client does not keep up */
function sendOnStream({ edge, messageEndpoint }: Exchange, answers: readonly string[]): boolean {
  const send = messageEndpoint === undefined ? undefined : edge.messageStreams.get(messageEndpoint)
  return send?.(answers.map((answer) => `event: message\ndata: ${answer}\n\n`).join('')) ?? false
}

function formatError(hidden: Operation | undefined, revision: string): string {
  return hidden === undefined ? NOT_PROCESSED : formatUnknownTarget(hidden, revision)
}

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
 * Over HTTP+SSE the answer would have to come on the event stream, which may be another process's: the status says that there is none to
 * wait for.
 */
export function answerHidden({ response, record, isBatch, route, answerHeaders }: Exchange, { hidden = [] }: ProxyError): void {
  const requests = record.operations.filter(({ kind, id }) => kind === 'request' && id !== undefined)
  const ids = [...new Set(requests.map(({ id }) => id))]
  const answers = ids.map((id) => {
    const operation = hidden.find((one) => one.id === id)
    return `{"jsonrpc":"2.0","id":${id},"error":${formatError(operation, record.revision ?? '')}}`
  })
  const body = Buffer.from(isBatch ? `[${answers.join(',')}]` : (answers[0] ?? ''))
  const isMessage = route?.kind === 'messages'
  const status = answers.length === 0 ? 202 : isMessage ? 400 : 200
  response.writeHead(status, {
    ...answerHeaders,
    ...(answers.length > 0 && { 'content-type': 'application/json' }),
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    'content-length': String(answers.length === 0 ? 0 : body.length),
  })
  response.end(answers.length === 0 ? undefined : body)
}

function formatError(hidden: Operation | undefined, revision: string): string {
  return hidden === undefined ? NOT_PROCESSED : formatUnknownTarget(hidden, revision)
}

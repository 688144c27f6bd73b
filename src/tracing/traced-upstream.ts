import type { Call } from '../core/call.ts'
import type { ProxyError } from '../core/errors.ts'
import { PassingReply } from '../core/passing-reply.ts'
import type { Upstream } from '../core/ports.ts'
import type { Reply, ReplyHeaders } from '../core/reply.ts'
import type { CallTrace } from '../core/request-trace.ts'
import { addTraceContext } from '../mcp/trace-context.ts'

/**
 * An upstream that is told in which span it is called: over HTTP in the header section, and the body stays as it is; over standard streams,
 * which have no headers, in `_meta` of each request that names no span itself.
 */
export function traceUpstream(upstream: Upstream, kind: 'http' | 'stdio'): Upstream {
  const carry = kind === 'http' ? addFields : addMeta
  return {
    ...upstream,
    send(call, reply) {
      if (call.trace === undefined) return upstream.send(call, reply)
      const span = call.trace.openCall(call)
      upstream.send(carry(call, span), new TracedReply(reply, span))
    },
  }
}

/** The client's own fields are replaced: it called us, and we call the upstream. */
function addFields(call: Call, { fields, fieldNames }: CallTrace): Call {
  const kept = call.headers.filter((_, index) => !fieldNames.includes(call.headers[index - (index % 2)] ?? ''))
  return { ...call, headers: [...kept, ...Object.entries(fields).flat()] }
}

function addMeta(call: Call, { fields: { traceparent, tracestate } }: CallTrace): Call {
  if (call.body === undefined || traceparent === undefined) return call
  const context = tracestate === undefined ? { traceparent } : { traceparent, tracestate }
  return { ...call, body: Buffer.from(addTraceContext(call.body.toString(), context)) }
}

class TracedReply extends PassingReply {
  readonly #span: CallTrace

  constructor(reply: Reply, span: CallTrace) {
    super(reply)
    this.#span = span
  }

  override start(status: number, headers: ReplyHeaders): void {
    this.#span.answer(status)
    super.start(status, headers)
  }

  override end(): void {
    this.#span.end()
    super.end()
  }

  override fail(error: ProxyError): void {
    this.#span.end(error.code)
    super.fail(error)
  }
}

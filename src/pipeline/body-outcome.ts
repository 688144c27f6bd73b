import { type ErrorCode, type ErrorReason, ProxyError } from '../core/errors.ts'
import { decodeBody } from '../http/body.ts'
import { type MessageLimits, type ParsedBody, parseMessages } from '../mcp/messages.ts'
import { findReadableIds, type ReadableIds } from '../mcp/readable-ids.ts'
import { findTraceContext } from '../mcp/trace-context.ts'

/** What a body says, or why it is refused; in values that can be sent from thread to thread. */
export type BodyOutcome = ReadBody | RefusedBody

interface ReadBody {
  readonly kind: 'parsed'
  readonly messages: ParsedBody
  readonly traceContext: Readonly<Record<string, string>> | undefined
}

interface RefusedBody {
  readonly kind: 'refused'
  readonly code: ErrorCode
  readonly reason: ErrorReason | undefined
  readonly cause: string | undefined
  readonly ids: ReadableIds
}

/** The refusal that reading the body has thrown. */
export function restoreRefusal({ code, reason, cause }: RefusedBody): ProxyError {
  // The two came together.
  return new ProxyError(...([code, { reason, cause }] as ConstructorParameters<typeof ProxyError>))
}

/** @throws only what is a bug */
export function readOutcome(body: Buffer, limits: MessageLimits): BodyOutcome {
  let text: string | undefined
  try {
    text = decodeBody(body)
    return { kind: 'parsed', messages: parseMessages(text, limits), traceContext: findTraceContext(text) }
  } catch (error) {
    if (!(error instanceof ProxyError)) throw error
    const { code, reason, cause } = error
    const ids = text === undefined || code === 'json_invalid' ? NO_IDS : findReadableIds(text, limits.batchMembers)
    return { kind: 'refused', code, reason, cause: cause === undefined ? undefined : String(cause), ids }
  }
}

const NO_IDS: ReadableIds = { ids: [], isBatch: false }

import { applyEdits, type Edit, insertMembers } from '../core/json/json-edits.ts'
import { outlineMessages } from '../core/json/outline-messages.ts'
import type { Outline } from '../core/json/shallow-outline.ts'

/**
 * Names in `_meta` by which a message tells the span that it belongs to (2026-07-28, basic/index, OpenTelemetry trace context). `baggage`,
 * the third, is between the client and the MCP server.
 */
const NAMES = ['traceparent', 'tracestate'] as const
/** The first has 55 characters; readers keep 512 of the second (W3C Trace Context §3.3.1.5). */
const MAX_LENGTH = 4096

/**
 * The trace context of a body, which was parsed before. Of a batch, the first that there is.
 *
 * @returns `traceparent`, and `tracestate` where that is there, too
 */
export function findTraceContext(text: string): Readonly<Record<string, string>> | undefined {
  // Most bodies have none, and are not read again for that.
  if (!text.includes('"traceparent"')) return undefined
  for (const message of outlineMessages(text)) {
    const meta = message.members?.get('params')?.members?.get('_meta')
    const [traceparent, tracestate] = NAMES.map((name) => readText(text, meta?.members?.get(name)))
    if (traceparent !== undefined) return tracestate === undefined ? { traceparent } : { traceparent, tracestate }
  }
  return undefined
}

/**
 * Adds a trace context to each request of a body that has none of its own. Everything else stays as it is, byte for byte.
 *
 * @param text - a body, which was parsed before
 */
export function addTraceContext(text: string, context: Readonly<Record<string, string>>): string {
  const members = Object.entries(context).map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`)
  if (members.length === 0) return text
  return applyEdits(
    text,
    outlineMessages(text).flatMap((message) => addToMessage(message, members.join(','))),
  )
}

/** @returns nothing for what is no request, and for a request that has a context */
function addToMessage({ members, end }: Outline, context: string): Edit[] {
  const params = members?.get('params')
  const meta = params?.members?.get('_meta')
  if (!members?.has('method') || !members.has('id') || NAMES.some((name) => meta?.members?.has(name))) return []
  if (meta !== undefined) return [insertMembers(meta, context)]
  if (params !== undefined) return [insertMembers(params, `"_meta":{${context}}`)]
  return [{ start: end - 1, end: end - 1, text: `,"params":{"_meta":{${context}}}` }]
}

function readText(text: string, outline: Outline | undefined): string | undefined {
  if (outline === undefined || outline.end - outline.start > MAX_LENGTH) return undefined
  const value: unknown = JSON.parse(text.slice(outline.start, outline.end))
  return typeof value === 'string' ? value : undefined
}

import type { Call } from '../../core/call.ts'
import { ProxyError } from '../../core/errors.ts'
import { outlineJson } from '../../core/json.ts'

/** One JSON-RPC message of a client, on its way to a child. */
export interface ClientMessage {
  readonly kind: 'request' | 'notification' | 'response'
  /** The id as the client wrote it, in JSON; undefined for notifications. */
  readonly id: string | undefined
  /** The same for all spellings of one id. */
  readonly idKey: string
  readonly method: string
  readonly value: Readonly<Record<string, unknown>>
  /** The client's own characters on one line. */
  readonly text: string
}

const maxDepth = 512

/**
 * The messages of a request body, which the pipeline has found to be strict JSON. "Messages are delimited by newlines, and MUST NOT
 * contain embedded newlines" (2026-07-28, stdio): a newline can only stand between tokens, and becomes a space. Nothing else changes:
 * U+2028 and its like end no line here.
 *
 * @throws ProxyError `json_invalid`, `message_invalid`
 */
export function readClientMessages(call: Call): ClientMessage[] {
  const text = (call.body?.toString('utf8') ?? '').replace(/[\r\n]/g, ' ')
  const value = parse(text)
  if (!Array.isArray(value)) return [readMessage(value, text)]
  const items = outlineJson(text, maxDepth, 1).items ?? []
  return items.map(({ start, end }, index) => readMessage(value[index], text.slice(start, end)))
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new ProxyError('json_invalid', { cause: error })
  }
}

function readMessage(value: unknown, text: string): ClientMessage {
  if (typeof value !== 'object' || value === null) throw new ProxyError('message_invalid', { cause: 'not an object' })
  const message = value as Record<string, unknown>
  const idKey = message.id === undefined ? '' : JSON.stringify(message.id)
  const id = message.id === undefined ? undefined : idKey
  if (typeof message.method !== 'string') return { kind: 'response', id, idKey, method: '', value: message, text }
  return { kind: id === undefined ? 'notification' : 'request', id, idKey, method: message.method, value: message, text }
}

/** The `params` of a message, or an empty object. */
export function paramsOf(message: { readonly value: Readonly<Record<string, unknown>> }): Readonly<Record<string, unknown>> {
  const { params } = message.value
  return typeof params === 'object' && params !== null ? (params as Record<string, unknown>) : {}
}

/** The `_meta` of a message's `params`, or an empty object. */
export function metaOf(message: { readonly value: Readonly<Record<string, unknown>> }): Readonly<Record<string, unknown>> {
  const { _meta } = paramsOf(message)
  return typeof _meta === 'object' && _meta !== null ? (_meta as Record<string, unknown>) : {}
}

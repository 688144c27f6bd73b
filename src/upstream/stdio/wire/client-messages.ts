import { Buffer } from 'node:buffer'
import type { Call } from '../../../core/call.ts'
import { ProxyError } from '../../../core/errors.ts'
import { type Outline, outlineShallow } from '../../../core/json/shallow-outline.ts'
import { MCP_FAMILIES, MCP_METHODS } from '../../../core/mcp-methods.ts'
import { withoutLineEnds } from './line-ends.ts'

/** One JSON-RPC message of a client. */
export interface ClientMessage {
  readonly kind: 'request' | 'notification' | 'response'
  /** The id as the client wrote it, in JSON; undefined for notifications. */
  readonly id: string | undefined
  /** The same for all spellings of one id. */
  readonly idKey: string
  readonly method: string
  /** Without the long members of `params` and `_meta` of a long message, see {@link readParam}. */
  readonly value: Readonly<Record<string, unknown>>
  /** As the client wrote it, on one line. */
  readonly text: string
}

/** Longer members are parsed when they are needed: a value may take twenty times the memory of its text. */
const MAX_KEPT_LENGTH = 16 * 1024
/** Message and `params`. What else is long there, as `arguments` may be, is stepped over: listing it would take as long as parsing it. */
const KEPT_DEPTH = 2
const DEEPER: ReadonlyMap<string, number> = new Map([['_meta', 1]])
const NOTHING = Buffer.alloc(0)

/**
 * The messages of a request body, which the pipeline has checked to be strict JSON. "Messages are delimited by newlines, and MUST NOT
 * contain embedded newlines" (2026-07-28, stdio). JSON has newlines only between tokens, so each becomes a space. Nothing else is changed.
 *
 * @throws ProxyError `json_invalid`, `message_invalid`
 */
export function readClientMessages(call: Call): ClientMessage[] {
  const text = withoutLineEnds(call.body ?? NOTHING).toString('utf8')
  try {
    if (!call.isBatch) return [checkKind(createClientMessage(text))]
    // A copy, since a substring would keep the whole string in memory.
    const copy = ({ start, end }: Outline): string => Buffer.from(text.slice(start, end)).toString()
    return (outlineShallow(text, 1).items ?? []).map((item) => checkKind(createClientMessage(copy(item))))
  } catch (error) {
    throw error instanceof ProxyError ? error : new ProxyError('json_invalid', { cause: error })
  }
}

/**
 * What libraries for JSON-RPC themselves obey (Language Server Protocol 3.17, Cancellation Support), whatever is built on them. MCP has
 * `notifications/cancelled`, whose id is replaced by the one that the process knows.
 */
const LIBRARY_CANCELLATION = '$/cancelRequest'

/**
 * "Requests MUST include a string or integer ID", and "notifications MUST NOT include an ID" (2026-07-28, basic/index). Servers that do not look
 * at it would take the one for the other: a request that is named like a notification for a cancellation, and its `requestId` for an id of
 * ours, behind which may be another client; or a notification that is named like a request for one, which nothing here has looked at as such.
 *
 * @throws ProxyError `message_invalid`
 */
function checkKind(message: ClientMessage): ClientMessage {
  const { kind, method } = message
  if (method === LIBRARY_CANCELLATION) throw notDelivered(method)
  const isNamedNotification = method.startsWith('notifications/')
  if (kind === 'request' && isNamedNotification) throw notDelivered(`${method.slice(0, 100)} with an id`)
  if (kind === 'notification' && !isNamedNotification && isRequestOfMcp(method))
    throw notDelivered(`${method.slice(0, 100)} without an id`)
  return message
}

/** Also those of revisions and extensions that we do not know: `tasks/…`. */
function isRequestOfMcp(method: string): boolean {
  return MCP_METHODS.has(method) || MCP_FAMILIES.has(method.split('/', 1)[0] ?? '')
}

function notDelivered(cause: string): ProxyError {
  return new ProxyError('message_invalid', { reason: 'method_not_delivered', cause })
}

/**
 * Reads one message.
 *
 * @param text - JSON on one line
 * @throws ProxyError `message_invalid`
 */
export function createClientMessage(text: string): ClientMessage {
  const isShort = text.length <= MAX_KEPT_LENGTH
  const message = (isShort ? JSON.parse(text) : readKept(text, outlineShallow(text, KEPT_DEPTH, DEEPER))) as Record<
    string,
    unknown
  >
  if (typeof message !== 'object' || message === null)
    throw new ProxyError('message_invalid', { reason: 'not_json_rpc', cause: 'not an object' })
  const idKey = message.id === undefined ? '' : JSON.stringify(message.id)
  const id = message.id === undefined ? undefined : idKey
  if (typeof message.method !== 'string') return { kind: 'response', id, idKey, method: '', value: message, text }
  return { kind: id === undefined ? 'notification' : 'request', id, idKey, method: message.method, value: message, text }
}

/** Parses short values completely. Of long objects, only the short members. */
function readKept(text: string, outline: Outline): unknown {
  const { start, end, members } = outline
  if (end - start <= MAX_KEPT_LENGTH) return JSON.parse(text.slice(start, end)) as unknown
  const kept: [string, unknown][] = []
  for (const [name, member] of members ?? []) {
    const value = readKept(text, member)
    if (value !== undefined) kept.push([name, value])
  }
  return members && Object.fromEntries(kept)
}

/** Frees the text and value of a message that has been sent. The message itself is referenced until its response has come, which may take long. */
export function releaseMessage(message: ClientMessage): void {
  Object.assign(message, { text: '', value: {} })
}

/** A member of `params`, however long. */
export function readParam(message: ClientMessage, name: string): unknown {
  if (message.text.length <= MAX_KEPT_LENGTH) return paramsOf(message)[name]
  const member = outlineShallow(message.text, 2).members?.get('params')?.members?.get(name)
  return member && (JSON.parse(message.text.slice(member.start, member.end)) as unknown)
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

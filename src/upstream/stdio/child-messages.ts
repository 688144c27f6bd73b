import { type Buffer, isUtf8 } from 'node:buffer'
import { outlineJson } from '../../core/json.ts'

/** One JSON-RPC message that a child wrote. */
export interface ChildMessage {
  readonly kind: 'request' | 'notification' | 'response'
  /** The id as a value; undefined for notifications, null for an error that answers nothing in particular. */
  readonly id: string | number | null | undefined
  /** The method; for a response the empty string. */
  readonly method: string
  readonly value: Readonly<Record<string, unknown>>
  /** The message on one line: no byte of it ends a line, in JSON lines or in an event stream. */
  readonly text: string
}

/** What a line was. `broken`: an answer that can't be passed on, whose id could be made out. */
export type ChildLine =
  | { readonly kind: 'messages'; readonly messages: readonly ChildMessage[] }
  | { readonly kind: 'broken'; readonly id: string | number; readonly reason: string }
  | { readonly kind: 'noise'; readonly reason: string }

/** Deeper than any message is, and shallow enough for every decoder. */
const maxDepth = 512

/** Reads a line of a child's standard output. Blank lines are noise without a reason. */
export function readChildLine(line: Buffer): ChildLine {
  const valid = isUtf8(line)
  // A carriage return can only stand between tokens: inside strings JSON has none. In an event stream it would end a line.
  const text = line.toString('utf8').replaceAll('\r', ' ')
  const value = parse(text)
  if (value === undefined) return { kind: 'noise', reason: text.trim() === '' ? '' : 'not JSON' }
  if (Array.isArray(value)) return valid ? readBatch(text, value) : { kind: 'noise', reason: 'not UTF-8' }
  const message = readMessage(value, text)
  if (!message) return { kind: 'noise', reason: 'not a JSON-RPC message' }
  if (valid) return { kind: 'messages', messages: [message] }
  if (message.kind === 'response' && message.id != null) return { kind: 'broken', id: message.id, reason: 'not UTF-8' }
  return { kind: 'noise', reason: 'not UTF-8' }
}

/**
 * What a line that was too long would have answered. The id is made out only where it stands first or last in the message, which is
 * where the common libraries write it.
 */
export function readLongLine(head: Buffer, tail: Buffer): ChildLine {
  const first = /^\s*\{\s*"jsonrpc"\s*:\s*"2\.0"\s*,\s*"id"\s*:\s*(-?\d{1,15}|"[\w.:-]*")\s*,\s*"(?:result|error)"/.exec(
    head.toString('latin1'),
  )
  const last = /"jsonrpc":"2\.0","id":(-?\d{1,15}|"[\w.:-]*")\}\s*$/.exec(tail.toString('latin1'))
  const id = first?.[1] ?? last?.[1]
  if (id === undefined) return { kind: 'noise', reason: 'a line that is too long' }
  return { kind: 'broken', id: JSON.parse(id) as string | number, reason: 'a line that is too long' }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function readMessage(value: unknown, text: string): ChildMessage | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
  const message = value as Record<string, unknown>
  if (message.jsonrpc !== '2.0') return undefined
  const id = message.id
  if (id !== undefined && id !== null && typeof id !== 'string' && typeof id !== 'number') return undefined
  if (typeof message.method === 'string') {
    if (id === null) return undefined
    return { kind: id === undefined ? 'notification' : 'request', id, method: message.method, value: message, text }
  }
  if ('result' in message === 'error' in message) return undefined
  return { kind: 'response', id, method: '', value: message, text }
}

/** A batch (2025-03-26, basic, Batching), message by message. */
function readBatch(text: string, values: readonly unknown[]): ChildLine {
  const items = outlineMembers(text)
  if (!items || items.length !== values.length) return { kind: 'noise', reason: 'a batch that can be read in two ways' }
  const messages = values.map((value, index) => readMessage(value, items[index] ?? ''))
  if (messages.some((message) => message === undefined)) return { kind: 'noise', reason: 'not a JSON-RPC message' }
  return { kind: 'messages', messages: messages as ChildMessage[] }
}

function outlineMembers(text: string): string[] | undefined {
  try {
    return outlineJson(text, maxDepth, 1).items?.map(({ start, end }) => text.slice(start, end))
  } catch {
    return undefined
  }
}

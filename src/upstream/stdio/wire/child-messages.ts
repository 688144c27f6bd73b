import { Buffer, isUtf8 } from 'node:buffer'
import { isObject } from '../../../core/is-object.ts'
import { isDeeperThan, type Outline, outlineShallow } from '../../../core/json/shallow-outline.ts'
import { applyEdits, insertMembers, withoutMembers } from './json-edits.ts'
import { mendLine } from './mend-line.ts'

/** One JSON-RPC message that a child wrote. */
export interface ChildMessage {
  readonly kind: 'request' | 'notification' | 'response'
  /** The id as a value; undefined for notifications, null for an error that answers nothing in particular. */
  readonly id: string | number | null | undefined
  /** The method; for a response the empty string. */
  readonly method: string
  /** No deeper than {@link MAX_DEPTH}, but for `result`, of which only the first levels are to be looked at. */
  readonly value: Readonly<Record<string, unknown>>
  /** The message on one line: no byte of it ends a line, in JSON lines or in an event stream. */
  readonly text: string
}

/** An answer that can't be passed on, whose id could be made out; or a request that can't. */
interface Unusable {
  readonly kind: 'broken' | 'refused'
  readonly id: string | number
  readonly reason: string
}

/** What a line was. `around`: what stood on the same line as a message, and was left out. */
export type ChildLine =
  | { readonly kind: 'messages'; readonly messages: readonly ChildMessage[]; readonly around?: string | undefined }
  | { readonly kind: 'batch'; readonly lines: readonly ChildLine[] }
  | Unusable
  | { readonly kind: 'noise'; readonly reason: string }

/** Deeper than any message is, and shallow enough for every decoder. */
export const MAX_DEPTH = 512

/** An id is remembered until its request is answered. Clients may have no longer ones either. */
const MAX_ID_LENGTH = 1024

const TOO_DEEP = `nesting deeper than ${MAX_DEPTH}`

/** Reads a line of a child's standard output. Blank lines are noise without a reason. */
export function readChildLine(line: Buffer): ChildLine {
  const valid = isUtf8(line)
  // A carriage return can only stand between tokens: inside strings JSON has none. In an event stream it would end a line.
  const text = line.toString('utf8').replaceAll('\r', ' ')
  const value = parse(text)
  if (value === undefined) return text.trim() === '' ? noise('') : readMended(text, valid)
  if (Array.isArray(value)) return valid ? readBatch(text, value) : noise('not UTF-8')
  const read = readMessage(value, text)
  return valid ? read : refuseEncoding(read)
}

/** Nothing can be passed on of what may have been other characters. */
function refuseEncoding(read: ChildLine): ChildLine {
  if (read.kind !== 'messages') return read
  const [message] = read.messages
  return message?.kind === 'response' && message.id != null ? broken(message.id, 'not UTF-8') : noise('not UTF-8')
}

/** A line that is no JSON: what is harmless is mended, and what can't be is at least an answer that fails, if its id is plain. */
function readMended(text: string, valid: boolean): ChildLine {
  const mended = valid ? mendLine(text) : undefined
  const value = mended && parse(mended.text)
  if (mended && value !== undefined) {
    const read = readMessage(value, mended.text)
    return read.kind === 'messages' ? { ...read, around: mended.around } : read
  }
  const id = findAnswerId(text)
  return id === undefined ? noise('not JSON') : broken(id, 'not JSON')
}

/** The id of an answer that is no JSON, if it stands among the first level's members all the same. */
function findAnswerId(text: string): string | number | undefined {
  try {
    const start = text.indexOf('{')
    const { members } = outlineShallow(start < 0 ? '' : text.slice(start), 1)
    if (!members || members.has('method') || (!members.has('result') && !members.has('error'))) return undefined
    const id = members.get('id')
    const value = id && parse(text.slice(start + id.start, start + id.end))
    return typeof value === 'string' || typeof value === 'number' ? value : undefined
  } catch {
    const read = readLongLine(Buffer.from(text.slice(0, END_LENGTH)), Buffer.from(text.slice(-END_LENGTH)))
    return read.kind === 'broken' ? read.id : undefined
  }
}

/** As much of each end of a line as can tell what it answers. */
const END_LENGTH = 1024

/**
 * What a line that was too long would have answered. The id is made out only where it stands first or last in the message, which is
 * where the common libraries write it.
 */
export function readLongLine(head: Buffer, tail: Buffer): ChildLine {
  const first = /^\s*\{\s*"jsonrpc"\s*:\s*"2\.0"\s*,\s*"id"\s*:\s*(-?\d{1,15}(?:\.0)?|"[\w.:-]*")\s*,\s*"(?:result|error)"/.exec(
    head.toString('latin1'),
  )
  const last = /"jsonrpc":"2\.0","id":(-?\d{1,15}(?:\.0)?|"[\w.:-]*")\}\s*$/.exec(tail.toString('latin1'))
  const id = first?.[1] ?? last?.[1]
  if (id === undefined) return noise('a line that is too long')
  return broken(JSON.parse(id) as string | number, 'a line that is too long')
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function noise(reason: string): ChildLine {
  return { kind: 'noise', reason }
}

function broken(id: string | number, reason: string): ChildLine {
  return { kind: 'broken', id, reason }
}

function readMessage(value: unknown, text: string): ChildLine {
  if (!isObject(value)) return noise('not a JSON-RPC message')
  return value.method === undefined ? readResponse(value, text) : readCall(value, text)
}

function readCall(message: Readonly<Record<string, unknown>>, text: string): ChildLine {
  const { jsonrpc, id, method } = message
  if (jsonrpc !== '2.0' || typeof method !== 'string') return noise('not a JSON-RPC message')
  if (id !== undefined && typeof id !== 'string' && typeof id !== 'number') return noise('not a JSON-RPC message')
  if (typeof id === 'string' && id.length > MAX_ID_LENGTH) return noise('an id that is too long')
  if (isDeeperThan(MAX_DEPTH, message)) return id === undefined ? noise(TOO_DEEP) : { kind: 'refused', id, reason: TOO_DEEP }
  return one({ kind: id === undefined ? 'notification' : 'request', id, method, value: message, text })
}

function one(message: ChildMessage): ChildLine {
  return { kind: 'messages', messages: [message] }
}

function readResponse(message: Readonly<Record<string, unknown>>, text: string): ChildLine {
  const { jsonrpc, id } = message
  const hasResult = 'result' in message
  const hasError = 'error' in message
  // A log line in JSON has an id now and then, too.
  if (!hasResult && !hasError && jsonrpc === undefined) return noise('not a JSON-RPC message')
  if (id === null || id === undefined) return readUnaddressed(message, text)
  if (typeof id !== 'string' && typeof id !== 'number') return noise('not a JSON-RPC message')
  if (jsonrpc !== undefined && jsonrpc !== '2.0') return broken(id, 'jsonrpc is not "2.0"')
  if (!hasResult && !hasError) return broken(id, 'neither a result nor an error')
  if (hasError && isDeeperThan(MAX_DEPTH, message.error)) return broken(id, TOO_DEEP)
  if (jsonrpc === '2.0' && hasResult !== hasError) return one({ kind: 'response', id, method: '', value: message, text })
  return readLooseResponse(message, id, text)
}

/** An error about nothing in particular. */
function readUnaddressed(message: Readonly<Record<string, unknown>>, text: string): ChildLine {
  const isPlain = message.jsonrpc === '2.0' && 'result' in message !== 'error' in message && !isDeeperThan(MAX_DEPTH, message)
  if (!isPlain) return noise('not a JSON-RPC message')
  return one({ kind: 'response', id: message.id as null | undefined, method: '', value: message, text })
}

/**
 * A response that says no version, or `null` for the one of result and error that it hasn't: many libraries write all that they know of.
 * What it means is plain, and clients get it as they must.
 */
function readLooseResponse(message: Readonly<Record<string, unknown>>, id: string | number, text: string): ChildLine {
  const unused = 'result' in message && 'error' in message ? findUnused(message) : new Set<string>()
  if (unused === undefined) return broken(id, 'both a result and an error')
  try {
    const plain = rewrite(text, unused)
    return one({ kind: 'response', id, method: '', value: JSON.parse(plain) as ChildMessage['value'], text: plain })
  } catch {
    return broken(id, 'an answer that can be read in two ways')
  }
}

function findUnused({ result, error }: Readonly<Record<string, unknown>>): ReadonlySet<string> | undefined {
  if (error === null) return new Set(['error'])
  return result === null ? new Set(['result']) : undefined
}

/** Without some members, and with a version. */
function rewrite(text: string, names: ReadonlySet<string>): string {
  const kept = names.size === 0 ? text : withoutMembers(text, outlineShallow(text, 1), names)
  const outline = outlineShallow(kept, 1)
  if (outline.members?.has('jsonrpc')) return kept
  return applyEdits(kept, [insertMembers(outline, '"jsonrpc":"2.0"')])
}

/** A batch (2025-03-26, basic, Batching), message by message. */
function readBatch(text: string, values: readonly unknown[]): ChildLine {
  const items = outlineShallow(text, 1).items ?? []
  return { kind: 'batch', lines: values.map((value, index) => readMessage(value, copy(text, items[index]))) }
}

/** A piece of a string would hold the whole of it for as long as it is kept. */
function copy(text: string, outline: Outline | undefined): string {
  return Buffer.from(text.slice(outline?.start, outline?.end)).toString()
}

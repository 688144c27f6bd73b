import { Buffer, isUtf8 } from 'node:buffer'
import { isObject } from '../../../core/is-object.ts'
import { applyEdits, insertMembers } from '../../../core/json/json-edits.ts'
import { isDeeperThan, type Outline, outlineShallow } from '../../../core/json/shallow-outline.ts'
import { withoutMembers } from './json-edits.ts'
import { withoutLineEnds } from './line-ends.ts'
import { MESSAGE_START, mendLine } from './mend-line.ts'
import { type Envelope, holdsManyValues, readEnvelopes, readSparseResponse } from './sparse-response.ts'

/** One JSON-RPC message of a server. */
export interface ChildMessage {
  readonly kind: 'request' | 'notification' | 'response'
  /** The id as a value; undefined for notifications, null for an error without a request. */
  readonly id: string | number | null | undefined
  /** The method; for a response the empty string. */
  readonly method: string
  /** No deeper than {@link MAX_DEPTH}, except for `result`, of which only the first levels may be read, and long members may be left out. */
  readonly value: Readonly<Record<string, unknown>>
  /** The message on one line. It contains nothing that ends a line, neither in JSON lines nor in an event stream. */
  readonly text: string
}

/** A response (`broken`) or request (`refused`) that can't be passed on, but whose id is known. */
interface Unusable {
  readonly kind: 'broken' | 'refused'
  readonly id: string | number
  readonly reason: string
}

interface Messages {
  readonly kind: 'messages'
  readonly messages: readonly ChildMessage[]
  readonly around?: string | undefined
}

/** The content of a line. `around` is other text on the line of a message. It is not passed on. */
export type ChildLine =
  | Messages
  | { readonly kind: 'batch'; readonly lines: readonly ChildLine[] }
  | Unusable
  /** `unclear`: it may be the response to any request. */
  | { readonly kind: 'noise' | 'unclear'; readonly reason: string }

/** More than any message needs, and few enough levels for every decoder. */
export const MAX_DEPTH = 512

/** An id is kept until its request is answered. Ids of clients have the same limit. */
const MAX_ID_LENGTH = 1024

const TOO_DEEP = `nesting deeper than ${MAX_DEPTH}`
const TOO_MANY = 'more values than are read'

/** Of a message or a batch. */
const ENDS = new Set(['}', ']'])

/** Reads a line of a server's standard output. Blank lines are noise without a reason. */
export function readChildLine(line: Buffer): ChildLine {
  const valid = isUtf8(line)
  // JSON has a carriage return only between tokens, never in strings. In an event stream it would end a line.
  const text = withoutLineEnds(line).toString('utf8')
  // A process may write many short lines, and each that is no JSON would be an exception, which takes long.
  if (!text.includes('{') && !endsResponse(text)) return noise(text.trim() === '' ? '' : 'not JSON')
  if (holdsManyValues(text)) return (valid ? (readMany(text) ?? readBehindLog(text)) : undefined) ?? findMany(text)
  const value = ENDS.has(text.trimEnd().slice(-1)) ? parse(text) : undefined
  if (value === undefined) return readMended(text, valid)
  if (Array.isArray(value)) return valid ? readBatch(text, value) : noise('not UTF-8')
  const read = readMessage(value, text)
  return valid ? read : refuseEncoding(read)
}

/** Reads a line with more values than are built. Only a response passes: what it holds is the client's to read. */
function readMany(text: string): Messages | undefined {
  const value = readSparseResponse(text)
  if (value === undefined) return undefined
  const { id, result, error } = value
  const isLoose = error === null || value.jsonrpc === undefined
  const plain = isLoose ? rewrite(text, new Set(error === null ? ['error'] : [])) : text
  return one({ kind: 'response', id: id as string | number, method: '', value: { jsonrpc: '2.0', id, result }, text: plain })
}

/** The same where a log line without a line break stands before the response, or a byte order mark. */
function readBehindLog(text: string): Messages | undefined {
  const { log, rest } = splitLog(text)
  const read = log === '' ? undefined : readMany(rest)
  const around = log.replaceAll('\ufeff', '').trim()
  return read && { ...read, around: around === '' ? undefined : around }
}

function splitLog(text: string): { log: string; rest: string } {
  const start = Math.max(text.slice(0, END_LENGTH).search(MESSAGE_START), 0)
  const log = text.slice(0, start)
  // A log line in JSON, which quotes a message: nothing stands behind it.
  if (/^\s*\{/.test(log) && parse(log) === undefined) return { log: '', rest: text }
  return { log, rest: text.slice(start) }
}

/** Finds out which requests such a line belongs to, where it does not pass. */
function findMany(text: string): ChildLine {
  const { log, rest } = splitLog(text)
  const lines = (readEnvelopes(text) ?? readEnvelopes(withoutTail(rest)))?.map(refuseEnvelope)
  if (lines !== undefined) return lines.length === 1 && lines[0] ? lines[0] : { kind: 'batch', lines }
  const read = readLongLine(Buffer.from(rest.slice(0, END_LENGTH)), Buffer.from(rest.slice(-END_LENGTH)))
  if (read.kind === 'broken') return broken(read.id, TOO_MANY)
  return mayBeResponse(log, rest) ? { kind: 'unclear', reason: TOO_MANY } : noise(TOO_MANY)
}

/** Text may stand behind a message, too. */
function withoutTail(rest: string): string {
  return rest.slice(0, rest.lastIndexOf('}') + 1)
}

/** Where a log tells what a client has sent, no process must end for it: that would be the client's to decide. */
function mayBeResponse(log: string, rest: string): boolean {
  return BEGUN_MESSAGE.test(rest) && (log === '' || !rest.slice(0, END_LENGTH).includes('"method"'))
}

/** Lines of a log begin in other ways. */
const BEGUN_MESSAGE = /^\s*(?:\[\s*)?\{\s*"(?:jsonrpc|id|result|error|method|params)"\s*:/

function refuseEnvelope({ jsonrpc, id, method, result, error }: Envelope): ChildLine {
  const isId = typeof id === 'number' || (typeof id === 'string' && id.length <= MAX_ID_LENGTH)
  if (!isId) return noise(TOO_MANY)
  if (method !== undefined)
    return method === 'string' && jsonrpc === '2.0' ? { kind: 'refused', id, reason: TOO_MANY } : noise(TOO_MANY)
  // Log lines in JSON may also have an id.
  const isResponse = jsonrpc !== undefined || result !== undefined || error !== undefined
  return isResponse ? broken(id, TOO_MANY) : noise(TOO_MANY)
}

/** A line with invalid bytes can't be passed on, since nothing tells which characters they should be. */
function refuseEncoding(read: ChildLine): ChildLine {
  if (read.kind !== 'messages') return read
  const [message] = read.messages
  return message?.kind === 'response' && message.id != null ? broken(message.id, 'not UTF-8') : noise('not UTF-8')
}

/** Reads a line that is not JSON. It is repaired if that is safe; otherwise its request fails, if its id is clear. */
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

/** What the members of a response may be written as. */
const OF_RESPONSE = /result|error|\\u/

/** Whether it may be the second part of a response that a line break has cut in two: some libraries write the id behind the result. */
function endsResponse(text: string): boolean {
  const end = text.slice(-END_LENGTH)
  const id = end.lastIndexOf('"id":')
  return id >= 0 && /^[^{}]+\}\s*$/.test(end.slice(id))
}

/** The id of a response that is not JSON, if it can still be found on the first level. */
function findAnswerId(text: string): string | number | undefined {
  if (!OF_RESPONSE.test(text) && !endsResponse(text)) return undefined
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

/** Characters at each end of a line in which the id of a response is looked for. */
const END_LENGTH = 1024

/**
 * Finds out which request a line that is too long responds to. The id is found only at the beginning or the end of the message, which is where
 * the common libraries write it.
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

function one(message: ChildMessage): Messages {
  return { kind: 'messages', messages: [message] }
}

function readResponse(message: Readonly<Record<string, unknown>>, text: string): ChildLine {
  const { jsonrpc, id } = message
  const hasResult = 'result' in message
  const hasError = 'error' in message
  // Log lines in JSON may also have an id.
  if (!hasResult && !hasError && jsonrpc === undefined) return noise('not a JSON-RPC message')
  if (id === null || id === undefined) return readUnaddressed(message, text)
  if (typeof id !== 'string' && typeof id !== 'number') return noise('not a JSON-RPC message')
  if (jsonrpc !== undefined && jsonrpc !== '2.0') return broken(id, 'jsonrpc is not "2.0"')
  if (!hasResult && !hasError) return broken(id, 'neither a result nor an error')
  if (hasError && isDeeperThan(MAX_DEPTH, message.error)) return broken(id, TOO_DEEP)
  if (jsonrpc === '2.0' && hasResult !== hasError) return one({ kind: 'response', id, method: '', value: message, text })
  return readLooseResponse(message, id, text)
}

/** Reads an error without a request. */
function readUnaddressed(message: Readonly<Record<string, unknown>>, text: string): ChildLine {
  const isPlain = message.jsonrpc === '2.0' && 'result' in message !== 'error' in message && !isDeeperThan(MAX_DEPTH, message)
  if (!isPlain) return noise('not a JSON-RPC message')
  return one({ kind: 'response', id: message.id as null | undefined, method: '', value: message, text })
}

/**
 * Reads a response without a version, or with both a result and an error of which one is `null`: many libraries write all members. Its meaning
 * is clear, so clients get it in the correct form.
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

/** Removes members, and adds the version where it is missing. */
function rewrite(text: string, names: ReadonlySet<string>): string {
  const kept = names.size === 0 ? text : withoutMembers(text, outlineShallow(text, 1), names)
  const outline = outlineShallow(kept, 1)
  if (outline.members?.has('jsonrpc')) return kept
  return applyEdits(kept, [insertMembers(outline, '"jsonrpc":"2.0"')])
}

/** Reads a batch (2025-03-26, basic, Batching), message by message. */
function readBatch(text: string, values: readonly unknown[]): ChildLine {
  const items = outlineShallow(text, 1).items ?? []
  return { kind: 'batch', lines: values.map((value, index) => readMessage(value, copy(text, items[index]))) }
}

/** A copy, since a substring would keep the whole string in memory. */
function copy(text: string, outline: Outline | undefined): string {
  return Buffer.from(text.slice(outline?.start, outline?.end)).toString()
}

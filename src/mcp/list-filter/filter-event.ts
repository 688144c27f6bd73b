import { ProxyError } from '../../core/errors.ts'
import { applyEdits, type Edit, editBytes } from '../../core/json/json-edits.ts'
import { parseMessage } from '../stream-beginning.ts'
import { beginsLikeMessage, decodeAnswer, trimBlanks } from './decode-answer.ts'
import { findHidden, mayHoldHidden, type Visibility } from './filter-messages.ts'

/** Messages have one line, or a few. */
const MAX_LINES = 10_000

interface Line {
  readonly start: number
  /** Index behind its last character. */
  readonly end: number
  /** Index behind its line end. */
  readonly next: number
  readonly isData: boolean
}

const BYTE_ORDER_MARK = '\ufeff'
/** Without data there is no message: comments and blank lines may be many. */
const MAY_HAVE_DATA = /data/i

/**
 * Filters the messages of one event.
 *
 * @param bytes - a complete event, or comments
 * @param isFirst - whether the stream begins with it: a byte order mark there belongs to no field (HTML, Server-sent events §9.2.6)
 * @returns the same bytes where nothing changes; undefined where nothing of the event stays
 * @throws ProxyError `answer_unfilterable`
 */
export function filterEvent(bytes: Buffer, visibility: Visibility, isFirst = false): Buffer | undefined {
  const decoded = decodeAnswer(bytes)
  if (!MAY_HAVE_DATA.test(decoded)) return bytes
  const mark = isFirst && decoded.startsWith(BYTE_ORDER_MARK) ? BYTE_ORDER_MARK : ''
  const text = decoded.slice(mark.length)
  const lines = splitLines(text)
  const data = lines.filter(({ isData }) => isData)
  const content = readContent(bytes, text, data)
  const hasMessage = isMessage(content, text, lines)
  // Readers that take the mark for a part of the name read only what is behind that line.
  if (mark !== '' && lines[0]?.isData === true && !hasMessage && content.trim() !== '')
    throw refuse('data behind a byte order mark that is no message')
  refuseOtherLineEnds(text, hasMessage ? lines.filter(({ isData }) => !isData) : lines)
  if (!hasMessage)
    refuseHiddenLines(
      data.map((line) => trimBlanks(text.slice(findValue(text, line), line.end))),
      visibility,
    )
  const isJoined = hasMessage && data.length > 1 && mayHoldHiddenOnLines(content)
  const edits = hasMessage ? findHidden(content, visibility) : []
  if (edits === undefined) return undefined
  // Simple readers parse each line by itself, and one of several may be a message of its own, with other items.
  if (isJoined) return Buffer.from(mark + joinData(text, lines, applyEdits(content, edits)))
  const [line] = data
  return line === undefined || edits.length === 0 ? bytes : editLine(bytes, findBytes(bytes, text, line), content, edits)
}

/**
 * Whether lines may hold what is hidden, for readers that put a line end between them and for those that put nothing.
 *
 * @throws ProxyError where it matters which: a line that ends in the middle of a string
 */
function mayHoldHiddenOnLines(content: string): boolean {
  if (!mayHoldHidden(content) && !mayHoldHidden(content.replaceAll('\n', ''))) return false
  if (parseMessage(content) === undefined) throw refuse('a message on several lines that together are no JSON')
  return true
}

/** So long a line is decoded by itself: V8 reads a part of another text more slowly, and it is read letter by letter. */
const LONG_LINE = 4096

function readContent(bytes: Buffer, text: string, data: readonly Line[]): string {
  const [first] = data
  if (first !== undefined && data.length === 1 && first.end - first.start > LONG_LINE)
    return decodeAnswer(bytes.subarray(...findBytes(bytes, text, first)))
  return data.map((line) => text.slice(findValue(text, line), line.end)).join('\n')
}

/** Where the value of a line begins and ends. */
function findBytes(bytes: Buffer, text: string, line: Line): [start: number, end: number] {
  const countFrom = (at: number): number => (bytes.length === text.length ? text.length - at : Buffer.byteLength(text.slice(at)))
  return [bytes.length - countFrom(findValue(text, line)), bytes.length - countFrom(line.end)]
}

/** Where lines end for some readers, such as Python's `splitlines`. A message holds such characters in strings only, where nothing can begin. */
const OTHER_LINE_END = /[\v\f\x1c-\x1e\x85\u2028\u2029][ \t]*data/i

function refuseOtherLineEnds(text: string, lines: readonly Line[]): void {
  if (lines.some(({ start, end }) => OTHER_LINE_END.test(text.slice(start, end))))
    throw refuse('a line end that few readers know')
}

function splitLines(text: string): Line[] {
  const lines: Line[] = []
  const find = (end: string, from: number): number => {
    const at = text.indexOf(end, from)
    return at < 0 ? text.length : at
  }
  let cr = find('\r', 0)
  for (let start = 0; start < text.length; start = lines.at(-1)?.next ?? text.length) {
    if (lines.length === MAX_LINES) throw refuse(`an event of more than ${MAX_LINES} lines`)
    // Looked for again only when it has been passed: most events have none.
    if (cr < start) cr = find('\r', start)
    const end = Math.min(find('\n', start), cr)
    const next = text.startsWith('\r\n', end) ? end + 2 : Math.min(end + 1, text.length)
    lines.push({ start, end, next, isData: isData(readFieldName(text.slice(start, end))) })
  }
  return lines
}

function isData(name: string): boolean {
  if (name === 'data') return true
  // A less exact reader would take it for data, or read it up to a NUL. Trimming removes a byte order mark, too.
  if ((name.split('\0', 1)[0] ?? '').trim().toLowerCase() === 'data') throw refuse('a field that looks like data')
  return false
}

/** The name ends at the colon, or with the line (HTML, Server-sent events §9.2.6). */
function readFieldName(line: string): string {
  const colon = line.indexOf(':')
  return colon < 0 ? line : line.slice(0, colon)
}

/** Index of the value, which begins after the colon and one optional space. */
function findValue(text: string, { start, end }: Line): number {
  const colon = start + 'data'.length
  if (colon >= end) return end
  return text[colon + 1] === ' ' && colon + 1 < end ? colon + 2 : colon + 1
}

/** Whether the event holds messages. Events of other names may hold anything, but no client takes it for a message if it is no JSON. */
function isMessage(content: string, text: string, lines: readonly Line[]): boolean {
  if (beginsLikeMessage(content)) return true
  if (content.trim() === '') return false
  const names = lines.map(({ start, end }) => text.slice(start, end)).filter((line) => readFieldName(line) === 'event')
  if (/^event(?:: ?(?:message)?)?$/.test(names.at(-1) ?? 'event')) throw refuse('an event without a message')
  return false
}

/** Each line is judged like a message, and there may be many of them. */
const MAX_JUDGED = 64 * 1024

/** Simple readers parse each line of data by itself, whatever the event is called. */
function refuseHiddenLines(values: readonly string[], visibility: Visibility): void {
  let judged = 0
  for (const value of values.filter(beginsLikeMessage)) {
    judged += value.length
    if (judged > MAX_JUDGED) throw refuse('long messages on lines of another event')
    if (parseMessage(value) !== undefined && findHidden(value, visibility)?.length !== 0)
      throw refuse('a message on a line of another event')
  }
}

/** Most events have one line of data, and what is before and behind its value stays as it is. */
function editLine(bytes: Buffer, [start, end]: [number, number], content: string, edits: readonly Edit[]): Buffer {
  return Buffer.concat([bytes.subarray(0, start), editBytes(bytes.subarray(start, end), content, edits), bytes.subarray(end)])
}

/** The first line with data gets all of it: in JSON, a line end between two tokens is a blank. */
function joinData(text: string, lines: readonly Line[], content: string): string {
  const first = lines.find(({ isData }) => isData)
  let written = ''
  const write = (line: string): void => {
    // Where a line between the two is gone, these would be one line end.
    if (written.endsWith('\r') && line.startsWith('\n')) written += '\n'
    written += line
  }
  for (const line of lines) {
    if (!line.isData) write(text.slice(line.start, line.next))
    else if (line === first) write(formatData(text, line, content.replaceAll('\n', ' ')))
  }
  return written
}

/** A line of data as the given one was written, but for its value. */
function formatData(text: string, line: Line, value: string): string {
  const before = text.slice(line.start, findValue(text, line))
  // What is written without a colon can hold no value, and without the optional space none that begins with one (§9.2.6).
  const name = before === 'data' || (before === 'data:' && value.startsWith(' ')) ? 'data: ' : before
  return name + value + text.slice(line.end, line.next)
}

function refuse(what: string): ProxyError {
  return new ProxyError('answer_unfilterable', { cause: what })
}

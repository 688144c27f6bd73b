/**
 * Strict JSON (RFC 8259), read so that no other decoder can read it differently: repeated keys, lone surrogates and deep nesting are
 * refused, not only what the grammar forbids. `JSON.parse` keeps the last of two equal keys, other decoders the first; a decision made
 * on one reading must not be carried out on the other.
 */

/** Why a text was refused. `syntax`: not JSON. `ambiguous`: JSON that decoders read differently. */
export class StrictJsonError extends Error {
  readonly kind: 'syntax' | 'ambiguous'

  /** @param kind - see the class; @param what - what is wrong; @param position - index of the character */
  constructor(kind: 'syntax' | 'ambiguous', what: string, position: number) {
    super(`${what} at position ${position}`)
    this.name = 'StrictJsonError'
    this.kind = kind
  }
}

export type JsonKind = 'object' | 'array' | 'string' | 'number' | 'literal'

/** Where a value stands in the text, and for containers near the root what is in them. */
export interface JsonOutline {
  readonly kind: JsonKind
  readonly start: number
  /** Index behind the last character. */
  readonly end: number
  /** Members of an object above the outline's depth. */
  readonly members: JsonMembers | undefined
  /** Items of an array above the outline's depth; undefined also where there are more than the outline lists. */
  readonly items: readonly JsonOutline[] | undefined
}

/** Up to this many members are found faster one after the other than by hashing their names. */
const fewMembers = 12

/** A value, and as a member of an object its name and the next member: a list for each object would cost more than all of its members. */
interface Value extends JsonOutline {
  name: string
  next: Value | undefined
}

/** The members of an object, in their order. No two have the same name. */
export class JsonMembers {
  size = 0
  private first: Value | undefined
  private last: Value | undefined
  /** Where there are so many that looking through them would take a stranger's choice of time. */
  private index: Map<string, Value> | undefined

  get(name: string): JsonOutline | undefined {
    return this.find(name)
  }

  has(name: string): boolean {
    return this.find(name) !== undefined
  }

  forEach(visit: (name: string, outline: JsonOutline) => void): void {
    for (let member = this.first; member !== undefined; member = member.next) visit(member.name, member)
  }

  /** The name must be a new one, and the value no member yet. */
  add(name: string, value: Value): void {
    value.name = name
    if (this.last === undefined) this.first = value
    else this.last.next = value
    this.last = value
    this.size++
    if (this.index !== undefined) this.index.set(name, value)
    else if (this.size > fewMembers) this.index = this.createIndex()
  }

  private find(name: string): Value | undefined {
    if (this.index !== undefined) return this.index.get(name)
    let member = this.first
    while (member !== undefined && member.name !== name) member = member.next
    return member
  }

  private createIndex(): Map<string, Value> {
    const index = new Map<string, Value>()
    for (let member = this.first; member !== undefined; member = member.next) index.set(member.name, member)
    return index
  }
}

/**
 * Checks a text without building a value.
 *
 * @param text - the whole text
 * @param maxDepth - deepest permitted nesting of objects and arrays
 * @throws StrictJsonError
 */
export function checkStrictJson(text: string, maxDepth: number): void {
  outlineJson(text, maxDepth, 0, 0)
}

/**
 * Checks a text and tells where the values near the root stand, so that a few of them can be read without decoding the rest.
 *
 * @param text - the whole text
 * @param maxDepth - deepest permitted nesting of objects and arrays
 * @param outlineDepth - how many levels of containers the outline lists
 * @param maxItems - arrays with more items are checked, but not listed
 * @throws StrictJsonError
 */
export function outlineJson(
  text: string,
  maxDepth: number,
  outlineDepth: number,
  maxItems = Number.POSITIVE_INFINITY,
): JsonOutline {
  const isPlain = !escapeOrControl.test(text)
  const cursor: Cursor = { text, length: text.length, at: 0, maxDepth, outlineDepth, maxItems, isPlain }
  const root = scanValue(cursor, 0)
  if (peek(cursor) !== END) throw syntax(cursor, 'unexpected text behind the value')
  return root
}

/** The string that an outline of kind `string` stands for. */
export function readJsonString(text: string, outline: JsonOutline): string {
  return decodeString(text, outline.start, outline.end, false)
}

/** What makes a string more than the characters between two quotes. Most texts have none, and are scanned faster for it. */
const escapeOrControl = /[\\\x00-\x1f]/

interface Cursor {
  readonly text: string
  readonly length: number
  readonly isPlain: boolean
  readonly maxDepth: number
  readonly outlineDepth: number
  readonly maxItems: number
  at: number
}

/** Stands for the character behind the last. */
const END = -1
const SPACE = 0x20
const QUOTE = 0x22
const COMMA = 0x2c
const COLON = 0x3a
const BACKSLASH = 0x5c
const OPEN_BRACKET = 0x5b
const CLOSE_BRACKET = 0x5d
const OPEN_BRACE = 0x7b
const CLOSE_BRACE = 0x7d
const MINUS = 0x2d
const PLUS = 0x2b
const DOT = 0x2e
const ZERO = 0x30
const LOWER_U = 0x75

function syntax(cursor: Cursor, what: string): StrictJsonError {
  return new StrictJsonError('syntax', what, cursor.at)
}

/** Reads no further than the text goes: V8 makes a slow call of every later reading where that has happened once. */
function codeAt({ text, length }: Cursor, at: number): number {
  return at < length ? text.charCodeAt(at) : END
}

/** Steps over white space. Returns the character that follows. */
function peek(cursor: Cursor): number {
  const { text, length } = cursor
  let at = cursor.at
  let code = END
  while (at < length) {
    code = text.charCodeAt(at)
    if (code > SPACE || !isSpace(code)) break
    code = END
    at++
  }
  cursor.at = at
  return code
}

function isSpace(code: number): boolean {
  return code === SPACE || code === 0x0a || code === 0x0d || code === 0x09
}

function scanValue(cursor: Cursor, depth: number): Value {
  const code = peek(cursor)
  const start = cursor.at
  if (code === QUOTE) {
    scanString(cursor)
    return createValue('string', start, cursor.at)
  }
  if (code === OPEN_BRACE) return scanObject(cursor, depth + 1)
  if (code === OPEN_BRACKET) return scanArray(cursor, depth + 1)
  if (code === MINUS || isDigit(code)) {
    scanNumber(cursor)
    return createValue('number', start, cursor.at)
  }
  scanLiteral(cursor)
  return createValue('literal', start, cursor.at)
}

function createValue(
  kind: JsonKind,
  start: number,
  end: number,
  members?: JsonMembers | undefined,
  items?: JsonOutline[] | undefined,
): Value {
  return { kind, start, end, members, items, name: '', next: undefined }
}

function scanObject(cursor: Cursor, depth: number): Value {
  const start = cursor.at
  const isListed = enter(cursor, depth)
  const members = new JsonMembers()
  if (!closes(cursor, CLOSE_BRACE)) {
    do scanMember(cursor, depth, members)
    while (continues(cursor, CLOSE_BRACE))
  }
  return createValue('object', start, cursor.at, isListed ? members : undefined)
}

function scanMember(cursor: Cursor, depth: number, members: JsonMembers): void {
  if (peek(cursor) !== QUOTE) throw syntax(cursor, 'expected a key')
  const start = cursor.at
  scanString(cursor)
  const key = decodeString(cursor.text, start, cursor.at, cursor.isPlain)
  if (members.has(key)) throw new StrictJsonError('ambiguous', 'repeated key', start)
  if (peek(cursor) !== COLON) throw syntax(cursor, 'expected a colon')
  cursor.at++
  members.add(key, scanValue(cursor, depth))
}

function scanArray(cursor: Cursor, depth: number): Value {
  const start = cursor.at
  let items: JsonOutline[] | undefined = enter(cursor, depth) ? [] : undefined
  if (!closes(cursor, CLOSE_BRACKET)) {
    do {
      const item = scanValue(cursor, depth)
      if (items !== undefined && items.push(item) > cursor.maxItems) items = undefined
    } while (continues(cursor, CLOSE_BRACKET))
  }
  return createValue('array', start, cursor.at, undefined, items)
}

/** Steps over the opening bracket. Returns whether the outline lists what follows. */
function enter(cursor: Cursor, depth: number): boolean {
  if (depth > cursor.maxDepth) throw new StrictJsonError('ambiguous', `nesting deeper than ${cursor.maxDepth}`, cursor.at)
  cursor.at++
  return depth <= cursor.outlineDepth
}

/** Steps over an immediate closing bracket. */
function closes(cursor: Cursor, bracket: number): boolean {
  if (peek(cursor) !== bracket) return false
  cursor.at++
  return true
}

/** Steps over a comma (true) or the closing bracket (false). */
function continues(cursor: Cursor, bracket: number): boolean {
  const code = peek(cursor)
  if (code !== COMMA && code !== bracket) throw syntax(cursor, 'expected a comma or the end of the container')
  cursor.at++
  return code === COMMA
}

function scanString(cursor: Cursor): void {
  const { text } = cursor
  let at = cursor.at + 1
  if (cursor.isPlain) {
    at = text.indexOf('"', at)
    cursor.at = at < 0 ? text.length : at + 1
    if (at < 0) throw syntax(cursor, 'unfinished string')
    return
  }
  for (;;) {
    const code = codeAt(cursor, at)
    if (code === QUOTE) break
    // Control characters must be escaped.
    if (code < SPACE) {
      cursor.at = at
      throw syntax(cursor, code === END ? 'unfinished string' : 'control character in a string')
    }
    at = code === BACKSLASH ? scanEscape(text, at) : at + 1
  }
  cursor.at = at + 1
}

/** Returns the index behind the escape at `at`; a surrogate pair counts as one. */
function scanEscape(text: string, at: number): number {
  const code = text.charCodeAt(at + 1)
  if (code !== LOWER_U) {
    if ('"\\/bfnrt'.includes(text.charAt(at + 1)) && at + 1 < text.length) return at + 2
    throw new StrictJsonError('syntax', 'unknown escape', at)
  }
  const unit = readHex(text, at + 2)
  if (unit < 0xd800 || unit > 0xdfff) return at + 6
  const followed = unit < 0xdc00 && text.charCodeAt(at + 6) === BACKSLASH && text.charCodeAt(at + 7) === LOWER_U
  const low = followed ? readHex(text, at + 8) : 0
  if (low < 0xdc00 || low > 0xdfff) throw new StrictJsonError('ambiguous', 'lone surrogate', at)
  return at + 12
}

function readHex(text: string, at: number): number {
  let value = 0
  for (let i = at; i < at + 4; i++) {
    const digit = hexDigit(text.charCodeAt(i))
    if (digit < 0) throw new StrictJsonError('syntax', 'unfinished escape', at)
    value = value * 16 + digit
  }
  return value
}

function hexDigit(code: number): number {
  if (isDigit(code)) return code - ZERO
  const lower = code | 0x20
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1
}

function isDigit(code: number): boolean {
  return code >= ZERO && code <= 0x39
}

function scanNumber(cursor: Cursor): void {
  let at = cursor.at
  if (codeAt(cursor, at) === MINUS) at++
  at = codeAt(cursor, at) === ZERO ? at + 1 : scanDigits(cursor, at)
  if (codeAt(cursor, at) === DOT) at = scanDigits(cursor, at + 1)
  if ((codeAt(cursor, at) | 0x20) === 0x65) {
    const sign = codeAt(cursor, at + 1)
    at = scanDigits(cursor, sign === PLUS || sign === MINUS ? at + 2 : at + 1)
  }
  cursor.at = at
}

function scanDigits(cursor: Cursor, from: number): number {
  let at = from
  while (isDigit(codeAt(cursor, at))) at++
  if (at > from) return at
  cursor.at = at
  throw syntax(cursor, 'expected a digit')
}

function scanLiteral(cursor: Cursor): void {
  for (const literal of ['true', 'false', 'null']) {
    if (!cursor.text.startsWith(literal, cursor.at)) continue
    cursor.at += literal.length
    return
  }
  throw syntax(cursor, cursor.at < cursor.text.length ? 'unexpected character' : 'unexpected end')
}

/** `start` and `end` include the quotes. The text has been checked, and may be known to have no escapes. */
function decodeString(text: string, start: number, end: number, isPlain: boolean): string {
  const inner = text.slice(start + 1, end - 1)
  return !isPlain && inner.includes('\\') ? (JSON.parse(`"${inner}"`) as string) : inner
}

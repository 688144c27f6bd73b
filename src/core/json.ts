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

/** The members of an object, in their order. No two have the same name. */
export class JsonMembers {
  private readonly names: string[] = []
  private readonly outlines: JsonOutline[] = []
  /** Where there are so many that looking through them would take a stranger's choice of time. */
  private index: Map<string, number> | undefined

  get size(): number {
    return this.names.length
  }

  get(name: string): JsonOutline | undefined {
    return this.outlines[this.find(name)]
  }

  has(name: string): boolean {
    return this.find(name) >= 0
  }

  keys(): readonly string[] {
    return this.names
  }

  entries(): (readonly [name: string, outline: JsonOutline])[] {
    return this.names.map((name, i) => [name, this.outlines[i] as JsonOutline] as const)
  }

  /** The name must be a new one. */
  add(name: string, outline: JsonOutline): void {
    this.index?.set(name, this.names.length)
    this.names.push(name)
    this.outlines.push(outline)
    if (this.index === undefined && this.names.length > fewMembers) this.index = new Map(this.names.map((each, i) => [each, i]))
  }

  private find(name: string): number {
    return this.index === undefined ? this.names.indexOf(name) : (this.index.get(name) ?? -1)
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
  const cursor: Cursor = { text, at: 0, maxDepth, outlineDepth, maxItems, isPlain: !escapeOrControl.test(text) }
  skipSpace(cursor)
  const root = scanValue(cursor, 0)
  skipSpace(cursor)
  if (cursor.at < text.length) throw syntax(cursor, 'unexpected text behind the value')
  return root
}

/** The string that an outline of kind `string` stands for. */
export function readJsonString(text: string, outline: JsonOutline): string {
  return decodeString(text, outline.start, outline.end)
}

/** What makes a string more than the characters between two quotes. Most texts have none, and are scanned faster for it. */
const escapeOrControl = /[\\\x00-\x1f]/

interface Cursor {
  readonly text: string
  readonly isPlain: boolean
  readonly maxDepth: number
  readonly outlineDepth: number
  readonly maxItems: number
  at: number
}

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

function skipSpace(cursor: Cursor): void {
  const { text } = cursor
  let at = cursor.at
  for (;;) {
    const code = text.charCodeAt(at)
    if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) break
    at++
  }
  cursor.at = at
}

function scanValue(cursor: Cursor, depth: number): JsonOutline {
  const start = cursor.at
  const code = cursor.text.charCodeAt(start)
  if (code === QUOTE) {
    scanString(cursor)
    return leaf('string', start, cursor.at)
  }
  if (code === OPEN_BRACE) return scanObject(cursor, depth + 1)
  if (code === OPEN_BRACKET) return scanArray(cursor, depth + 1)
  if (code === MINUS || isDigit(code)) {
    scanNumber(cursor)
    return leaf('number', start, cursor.at)
  }
  scanLiteral(cursor)
  return leaf('literal', start, cursor.at)
}

function leaf(kind: JsonKind, start: number, end: number): JsonOutline {
  return { kind, start, end, members: undefined, items: undefined }
}

function scanObject(cursor: Cursor, depth: number): JsonOutline {
  const start = cursor.at
  const isListed = enter(cursor, depth)
  const members = new JsonMembers()
  if (!closes(cursor, CLOSE_BRACE)) {
    do scanMember(cursor, depth, members)
    while (continues(cursor, CLOSE_BRACE))
  }
  return { kind: 'object', start, end: cursor.at, members: isListed ? members : undefined, items: undefined }
}

function scanMember(cursor: Cursor, depth: number, members: JsonMembers): void {
  skipSpace(cursor)
  const start = cursor.at
  if (cursor.text.charCodeAt(start) !== QUOTE) throw syntax(cursor, 'expected a key')
  scanString(cursor)
  const key = decodeString(cursor.text, start, cursor.at)
  if (members.has(key)) throw new StrictJsonError('ambiguous', 'repeated key', start)
  skipSpace(cursor)
  if (cursor.text.charCodeAt(cursor.at) !== COLON) throw syntax(cursor, 'expected a colon')
  cursor.at++
  skipSpace(cursor)
  members.add(key, scanValue(cursor, depth))
}

function scanArray(cursor: Cursor, depth: number): JsonOutline {
  const start = cursor.at
  let items: JsonOutline[] | undefined = enter(cursor, depth) ? [] : undefined
  if (!closes(cursor, CLOSE_BRACKET)) {
    do {
      skipSpace(cursor)
      const item = scanValue(cursor, depth)
      if (items !== undefined && items.push(item) > cursor.maxItems) items = undefined
    } while (continues(cursor, CLOSE_BRACKET))
  }
  return { kind: 'array', start, end: cursor.at, members: undefined, items }
}

/** Steps over the opening bracket. Returns whether the outline lists what follows. */
function enter(cursor: Cursor, depth: number): boolean {
  if (depth > cursor.maxDepth) throw new StrictJsonError('ambiguous', `nesting deeper than ${cursor.maxDepth}`, cursor.at)
  cursor.at++
  return depth <= cursor.outlineDepth
}

/** Steps over an immediate closing bracket. */
function closes(cursor: Cursor, bracket: number): boolean {
  skipSpace(cursor)
  if (cursor.text.charCodeAt(cursor.at) !== bracket) return false
  cursor.at++
  return true
}

/** Steps over a comma (true) or the closing bracket (false). */
function continues(cursor: Cursor, bracket: number): boolean {
  skipSpace(cursor)
  const code = cursor.text.charCodeAt(cursor.at)
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
    const code = text.charCodeAt(at)
    if (code === QUOTE) break
    // Below a space: control characters, which must be escaped. NaN (the end of the text) fails this comparison's opposite.
    if (!(code >= 0x20)) {
      cursor.at = at
      throw syntax(cursor, at < text.length ? 'control character in a string' : 'unfinished string')
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
  const { text } = cursor
  let at = cursor.at
  if (text.charCodeAt(at) === MINUS) at++
  at = text.charCodeAt(at) === ZERO ? at + 1 : scanDigits(cursor, at)
  if (text.charCodeAt(at) === DOT) at = scanDigits(cursor, at + 1)
  if ((text.charCodeAt(at) | 0x20) === 0x65) {
    const sign = text.charCodeAt(at + 1)
    at = scanDigits(cursor, sign === PLUS || sign === MINUS ? at + 2 : at + 1)
  }
  cursor.at = at
}

function scanDigits(cursor: Cursor, from: number): number {
  let at = from
  while (isDigit(cursor.text.charCodeAt(at))) at++
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

/** `start` and `end` include the quotes. The text has been checked. */
function decodeString(text: string, start: number, end: number): string {
  const inner = text.slice(start + 1, end - 1)
  return inner.includes('\\') ? (JSON.parse(`"${inner}"`) as string) : inner
}

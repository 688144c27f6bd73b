import {
  CLOSE_BRACE,
  CLOSE_BRACKET,
  COLON,
  COMMA,
  type Cursor,
  END,
  isDigit,
  MINUS,
  OPEN_BRACE,
  OPEN_BRACKET,
  peek,
  QUOTE,
  syntax,
} from './json-cursor.ts'
import { createValue, JsonMembers, type JsonOutline, type JsonValue } from './json-outline.ts'
import { decodeString, scanLiteral, scanNumber, scanString } from './json-tokens.ts'
import { StrictJsonError } from './strict-json-error.ts'

/**
 * Strict JSON (RFC 8259), read so that no other decoder can read it differently: repeated keys, lone surrogates and deep nesting are
 * refused, not only what the grammar forbids. `JSON.parse` keeps the last of two equal keys, other decoders the first; a decision made
 * on one reading must not be carried out on the other.
 */

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
  const isPlain = !ESCAPE_OR_CONTROL.test(text)
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
const ESCAPE_OR_CONTROL = /[\\\x00-\x1f]/

function scanValue(cursor: Cursor, depth: number): JsonValue {
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

function scanObject(cursor: Cursor, depth: number): JsonValue {
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

function scanArray(cursor: Cursor, depth: number): JsonValue {
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

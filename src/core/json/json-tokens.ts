import {
  BACKSLASH,
  type Cursor,
  codeAt,
  DOT,
  END,
  isDigit,
  LOWER_U,
  MINUS,
  PLUS,
  QUOTE,
  SPACE,
  syntax,
  ZERO,
} from './json-cursor.ts'
import { StrictJsonError } from './strict-json-error.ts'

export function scanString(cursor: Cursor): void {
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

export function scanNumber(cursor: Cursor): void {
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

export function scanLiteral(cursor: Cursor): void {
  for (const literal of ['true', 'false', 'null']) {
    if (!cursor.text.startsWith(literal, cursor.at)) continue
    cursor.at += literal.length
    return
  }
  throw syntax(cursor, cursor.at < cursor.text.length ? 'unexpected character' : 'unexpected end')
}

/** `start` and `end` include the quotes. The text has been checked, and may be known to have no escapes. */
export function decodeString(text: string, start: number, end: number, isPlain: boolean): string {
  const inner = text.slice(start + 1, end - 1)
  return !isPlain && inner.includes('\\') ? (JSON.parse(`"${inner}"`) as string) : inner
}

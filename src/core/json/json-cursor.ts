import { StrictJsonError } from './strict-json-error.ts'

/** A text, how much of it is outlined, and how far it has been scanned. */
export interface Cursor {
  readonly text: string
  readonly length: number
  readonly isPlain: boolean
  readonly maxDepth: number
  readonly outlineDepth: number
  readonly maxItems: number
  at: number
}

/** Stands for the character behind the last. */
export const END = -1
export const SPACE = 0x20
export const QUOTE = 0x22
export const COMMA = 0x2c
export const COLON = 0x3a
export const BACKSLASH = 0x5c
export const OPEN_BRACKET = 0x5b
export const CLOSE_BRACKET = 0x5d
export const OPEN_BRACE = 0x7b
export const CLOSE_BRACE = 0x7d
export const MINUS = 0x2d
export const PLUS = 0x2b
export const DOT = 0x2e
export const ZERO = 0x30
export const LOWER_U = 0x75

export function syntax(cursor: Cursor, what: string): StrictJsonError {
  return new StrictJsonError('syntax', what, cursor.at)
}

/** Reads no further than the text goes: V8 makes a slow call of every later reading where that has happened once. */
export function codeAt({ text, length }: Cursor, at: number): number {
  return at < length ? text.charCodeAt(at) : END
}

/** Steps over white space. Returns the character that follows. */
export function peek(cursor: Cursor): number {
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

export function isDigit(code: number): boolean {
  return code >= ZERO && code <= 0x39
}

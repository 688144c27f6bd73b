const LF = 0x0a
const CR = 0x0d
const SPACE = 0x20

/**
 * A JSON text on one line: JSON has line ends only between tokens, so each becomes a space. In bytes, where this takes a tenth of the time: a body may
 * be nothing but line ends, and all other requests wait.
 *
 * @returns the same bytes where there is none
 */
export function withoutLineEnds(bytes: Buffer): Buffer {
  if (!bytes.includes(LF) && !bytes.includes(CR)) return bytes
  const copy = Buffer.from(bytes)
  for (let at = 0; at < copy.length; at++) if (copy[at] === LF || copy[at] === CR) copy[at] = SPACE
  return copy
}

const SEPARATORS = /[\u0085\u2028\u2029]/

/**
 * A JSON text without U+0085, U+2028 and U+2029, at which some programs end lines, too (Node's `readline`, Java's `Scanner`). In JSON they occur only
 * in strings, where the escape is equivalent.
 */
export function escapeSeparators(text: string): string {
  if (!SEPARATORS.test(text)) return text
  const bytes = Buffer.from(text)
  // An escape has six bytes for two or three.
  const escaped = Buffer.allocUnsafe(3 * bytes.length)
  let length = 0
  for (let at = 0; at < bytes.length; at++) {
    const sequence = findEscape(bytes, at)
    if (sequence === undefined) escaped[length++] = bytes[at] as number
    else {
      length += sequence.copy(escaped, length)
      at += sequence === NEXT_LINE ? 1 : 2
    }
  }
  return escaped.toString('utf8', 0, length)
}

const NEXT_LINE = Buffer.from('\\u0085')
const LINE_SEPARATOR = Buffer.from('\\u2028')
const PARAGRAPH_SEPARATOR = Buffer.from('\\u2029')

/** In UTF-8: C2 85, E2 80 A8 and E2 80 A9. No other character has these bytes in it. */
function findEscape(bytes: Buffer, at: number): Buffer | undefined {
  if (bytes[at] === 0xc2) return bytes[at + 1] === 0x85 ? NEXT_LINE : undefined
  if (bytes[at] !== 0xe2 || bytes[at + 1] !== 0x80) return undefined
  if (bytes[at + 2] === 0xa8) return LINE_SEPARATOR
  return bytes[at + 2] === 0xa9 ? PARAGRAPH_SEPARATOR : undefined
}

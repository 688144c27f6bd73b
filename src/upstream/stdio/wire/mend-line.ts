import { outlineShallow, skipString } from '../../../core/json/shallow-outline.ts'

/** A line that may be JSON now. */
export interface MendedLine {
  readonly text: string
  /** The other text of the line. */
  readonly around: string | undefined
}

/** The beginning of a message, by the possible names of its first member. A log line may precede it on the same line. */
export const MESSAGE_START = /\{\s*"(?:jsonrpc|id|result|error|method|params)"\s*:/
const CONTROL_CHARACTERS = /[\u0000-\u001f]/g

/**
 * Repairs a line that is not JSON where its meaning is clear: text around the message (a byte order mark, a log line without a line break) is
 * left out, and control characters in strings are escaped.
 *
 * @returns undefined when the line can't be repaired
 */
export function mendLine(text: string): MendedLine | undefined {
  const start = text.search(MESSAGE_START)
  if (start < 0) return undefined
  try {
    const { end } = outlineShallow(text.slice(start), 0)
    const message = text.slice(start, start + end)
    const rest = `${text.slice(0, start)} ${text.slice(start + end)}`.replaceAll('\ufeff', '').trim()
    return { text: escapeControls(message), around: rest === '' ? undefined : rest }
  } catch {
    return undefined
  }
}

function escapeControls(text: string): string {
  const pieces: string[] = []
  let at = 0
  for (let quote = text.indexOf('"'); quote >= 0; quote = text.indexOf('"', at)) {
    const end = skipString(text, quote)
    pieces.push(text.slice(at, quote), text.slice(quote, end).replace(CONTROL_CHARACTERS, escapeControl))
    at = end
  }
  return pieces.join('') + text.slice(at)
}

function escapeControl(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
}

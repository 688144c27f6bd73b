import { ProxyError } from '../../core/errors.ts'

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/**
 * The text of an answer, without loss: encoded again it has the same bytes.
 *
 * @throws ProxyError `answer_unfilterable` for what is not UTF-8: a lenient decoder would replace it, and read something else
 */
export function decodeAnswer(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes)
  } catch {
    throw new ProxyError('answer_unfilterable', { cause: 'not valid UTF-8' })
  }
}

/** The blanks of JSON, and what `trim` of JavaScript, Python, Go and C# takes for one: many readers trim before they parse. */
const BLANK = /[\s\0-\x20\x85]/
const BEGINNING = /^[\s\0-\x20\x85]*[{[]/

/** Whether a reader may take a text for a message. */
export function beginsLikeMessage(text: string): boolean {
  return BEGINNING.test(text)
}

/** A text as the most lenient reader trims it. */
export function trimBlanks(text: string): string {
  let start = 0
  let end = text.length
  while (start < end && BLANK.test(text.charAt(start))) start++
  while (end > start && BLANK.test(text.charAt(end - 1))) end--
  return text.slice(start, end)
}
